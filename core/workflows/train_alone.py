"""Train a subnet's architecture alone, from scratch, for several seeds: what weight sharing is compared with.

Nets are kept one file per seed as soon as each is trained, so a run that was stopped after two seeds has two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.executors.choosing import chosen
from core.library import supernets
from core.library.alone import AloneRecord, TrainedNet, trained_subnet
from core.library.alone_part import Training, earlier, kept, part, places, shared
from core.library.parts import done_in_parts
from core.library.trainings import training_of
from core.records import Progress
from core.words import count_of, format_share

if TYPE_CHECKING:
    from torch import nn

    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Training alone"
WEIGHT_CLASS = "training"
APART = ("seed", "seeds", "processes")
"""What does not make another setting: which seeds, how many, and what changes no number."""


class Request(BaseConfig):
    """Which architecture to train alone, and how often."""

    supernet: str = Field(description="Name, id or file of the supernet the architecture belongs to.")
    arch: str = Field(description="Short id of the architecture.")
    seeds: int = Field(3, ge=1, le=20, description="Networks to train, each from weights of its own.")
    seed: int = Field(1, ge=0, le=2**31 - 1, description="First seed; the others follow it.")
    epochs: int | None = Field(
        None, ge=1, le=2000, description="Passes over the training images; as the supernet if left out."
    )
    learning_rate: float | None = Field(
        None, gt=0, le=1e12, description="Peak learning rate; as the supernet if left out."
    )
    processes: int = Field(1, ge=1, le=64, description="Processes that train; the numbers are the same.")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Train, or go on training; the artifacts are one network per seed and a summary.

    Raises:
        NotFound, InvalidInput: the supernet or the architecture does not exist.
        DataUnavailable: the data set is neither here nor reachable.
        CoreError: training diverged.
    """
    from core.export.subnet import extract_subnet

    entry = library.supernet(request.supernet)
    arch = entry.space.from_id(request.arch)
    yield Progress(0.0, "Reading the data set of the supernet.")
    dataset = supernets.dataset(entry)
    subnet = extract_subnet(supernets.load(entry), arch, dataset, title=entry.title)
    config, as_supernet = training_of(
        entry, **request.model_dump(include={"epochs", "learning_rate"}, exclude_none=True)
    )
    about = trained_subnet(entry, subnet, config, request.seeds)
    record = AloneRecord(**dict(about), training_from_card=as_supernet)
    before = AloneRecord.so_far(ledger)
    nets = {net.index: net for net in before.nets} if before else {}

    def fresh(seed: int) -> nn.Sequential:
        from core.networks.chain import fresh_like

        return fresh_like(subnet.net, seed)

    parts = [
        part(
            Training(
                index=index,
                of=request.seeds,
                net=partial(fresh, request.seed + index),
                config=config.model_copy(update={"seed": request.seed + index}),
                arch_id=subnet.arch_id,
                supernet_sha256=entry.sha256,
            ),
            dataset,
        )
        for index in range(request.seeds)
        if index not in nets
    ]
    steps = done_in_parts(
        parts,
        chosen(request.processes),
        lambda: shared(dataset),
        ledger,
        done=float(len(nets) * config.epochs),
        what="networks",
        places=places(config),
        earlier=earlier,
    )
    for step in steps:
        if isinstance(step, Progress):
            yield step
            continue
        nets[step.index] = kept(step, ledger, seed=request.seed + step.index)
        in_order = tuple(nets[index] for index in sorted(nets))
        record.model_copy(update={"nets": in_order}).save(ledger)
    yield Progress(1.0, _sentence([*nets.values()], record.inside), {"nets": len(nets)})


def _sentence(nets: list[TrainedNet], inside: Mapping[str, float]) -> str:
    found = [net.test_accuracy for net in nets]
    return (
        f"Trained alone with {count_of(len(nets), 'seed')}: test accuracy {format_share(min(found), 1)} to {format_share(max(found), 1)}; "
        f"inside the supernet {format_share(inside['test_accuracy'], 1)}."
    )
