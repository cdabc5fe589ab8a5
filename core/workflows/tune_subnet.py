"""From subnet to product: train one pick further on its own, and the same network from scratch for as long beside it.

How much of what tuning gains is training, and how much was inherited, only the network from scratch says: it sees the same
samples in the same order, for as many epochs, with the same teachers and the same learning rate (unless another one is asked for
tuning); its weights alone are others. Nets are kept one file each as soon as they are trained.

The rate is the supernet's own, for a smaller one gains less: after 10 epochs of a fashion-cnn pick 87.6 and 86.7 % at the
whole and half of it (one seed); after 5 epochs of two digits-lesson picks 98.1 and 81.4, against 96.9 and 78.6 % at a fifth (three seeds).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.executors.choosing import chosen
from core.library import supernets
from core.library.alone import schedule_of, trained_subnet
from core.library.alone_part import Training, earlier, kept, part, places, shared
from core.library.parts import done_in_parts
from core.library.supernets import SupernetEntry
from core.library.trainings import training_of
from core.library.tuned import Start, StartedNet, TunedRecord
from core.records import Progress
from core.training.config import TrainingConfig
from core.words import count_of, format_share

if TYPE_CHECKING:
    from torch import nn

    from core.datasets.base import Dataset
    from core.export.subnet import ExtractedSubnet
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Fine-tuning of a subnet"
WEIGHT_CLASS = "training"
APART = ("seed", "seeds", "processes")
"""What does not make another setting: which seeds, how many, and what changes no number."""


class Request(BaseConfig):
    """Which subnet to tune, and how."""

    supernet: str = Field(description="Name, id or file of the supernet the architecture belongs to.")
    arch: str = Field(description="Short id of the architecture.")
    epochs: int = Field(10, ge=1, le=2000, description="Passes over the training data.")
    seeds: int = Field(3, ge=1, le=20, description="How often, each with another order of the samples.")
    seed: int = Field(1, ge=0, le=2**31 - 1, description="First seed; the others follow it.")
    learning_rate: float | None = Field(
        None,
        gt=0,
        le=1e12,
        description="Peak learning rate of tuning; as the supernet if left out.",
    )
    teacher: bool = Field(False, description="Half of the loss imitates the largest subnet.")
    scratch: bool = Field(True, description="Train the same network from scratch for as long, too.")
    processes: int = Field(1, ge=1, le=64, description="Processes that train; the numbers are the same.")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Tune, or go on tuning; the artifacts are one file per network and a summary.

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
    configs = _configs(request, entry)
    record = TunedRecord.so_far(ledger) or _begun(request, entry, subnet, configs)
    teacher = _largest(entry, dataset) if request.teacher else None
    starts: tuple[Start, ...] = ("tuned", "scratch") if request.scratch else ("tuned",)
    wanted = [(request.seed + at, start) for at in range(request.seeds) for start in starts]
    nets = {net.index: net for net in record.nets}
    parts = [
        part(
            Training(
                index=index,
                of=len(wanted),
                net=partial(_started, subnet.net, start, seed),
                config=configs[start].model_copy(update={"seed": seed}),
                arch_id=subnet.arch_id,
                supernet_sha256=entry.sha256,
                what="Tuning network" if start == "tuned" else "From scratch, network",
            ),
            dataset,
            teacher,
        )
        for index, (seed, start) in enumerate(wanted)
        if index not in nets
    ]
    steps = done_in_parts(
        parts,
        chosen(request.processes),
        lambda: shared(dataset, teacher),
        ledger,
        done=float(len(nets) * request.epochs),
        what="networks",
        places=places(configs["tuned"]),
        earlier=earlier,
    )
    for step in steps:
        if isinstance(step, Progress):
            yield step
            continue
        seed, start = wanted[step.index]
        made = kept(step, ledger, seed=seed)
        nets[step.index] = StartedNet(start=start, **made.model_dump())
        record = record.model_copy(update={"nets": tuple(nets[index] for index in sorted(nets))})
        record.save(ledger)
    yield Progress(1.0, _sentence(record), {"nets": len(record.nets)})


def _configs(request: Request, entry: SupernetEntry) -> dict[Start, TrainingConfig]:
    scratch, _ = training_of(entry, epochs=request.epochs)
    rate = request.learning_rate or scratch.learning_rate
    return {"tuned": scratch.model_copy(update={"learning_rate": rate}), "scratch": scratch}


def _begun(
    request: Request, entry: SupernetEntry, subnet: ExtractedSubnet, configs: dict[Start, TrainingConfig]
) -> TunedRecord:
    about = trained_subnet(entry, subnet, configs["tuned"], request.seeds)
    return TunedRecord(**dict(about), scratch=schedule_of(configs["scratch"]), teacher=request.teacher)


def _largest(entry: SupernetEntry, dataset: Dataset) -> nn.Module:
    """What `reference` answers, which where options have an order is the largest subnet."""
    supernet, arch = supernets.load(entry), entry.reference
    net: nn.Module = supernet.extract(arch, supernet.calibrate_on(arch, dataset))
    return net.eval().requires_grad_(False)


def _started(subnet: nn.Sequential, start: Start, seed: int) -> nn.Sequential:
    """The network as its training begins; the subnet itself stays as it is."""
    from core.networks.chain import fresh_like

    return copy.deepcopy(subnet) if start == "tuned" else fresh_like(subnet, seed)


def _sentence(record: TunedRecord) -> str:
    def told(start: Start) -> str:
        found = [net.test_accuracy for net in record.nets if net.start == start]
        if not found:
            return ""
        ends = [format_share(value, 1) for value in (min(found), max(found))]
        return ends[0] if len(found) == 1 else f"{ends[0]} to {ends[1]}"

    scratch = told("scratch")
    beside = f", from scratch for as long {scratch}" if scratch else ""
    return (
        f"Test accuracy as shared {format_share(record.inside['test_accuracy'], 1)}, tuned {told('tuned')}{beside} "
        f"({count_of(record.asked, 'seed')})."
    )
