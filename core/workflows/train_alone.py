"""Train a subnet's architecture alone, from scratch, for several seeds: what weight sharing is compared with.

Nets are kept one file per seed as soon as each is trained, so a run that was stopped after two seeds has two.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from core.config import BaseConfig
from core.errors import NotFound
from core.library import supernets
from core.library.alone import SUMMARY_FILE, net_file
from core.library.trainings import OF_THE_SUPERNET, training_of
from core.records import Progress

if TYPE_CHECKING:
    from core.library.library import Library
    from core.store import Ledger

LABEL = "Training alone"
WEIGHT_CLASS = "training"
FORMAT = 1
_MEDIA_TYPE = "application/octet-stream"


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


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Train, or go on training; the artifacts are one network per seed and a summary.

    Raises:
        NotFound, InvalidInput: the supernet or the architecture does not exist.
        DataUnavailable: the data set is neither here nor reachable.
        CoreError: training diverged.
    """
    from core.export.subnet import extract_subnet
    from core.networks.answers import accuracy
    from core.networks.chain import fresh_like
    from core.networks.file import dump_net
    from core.training import checkpoint
    from core.training.alone import train_alone

    entry = library.supernet(request.supernet)
    arch = entry.space.from_id(request.arch)
    yield Progress(0.0, "Reading the data set of the supernet.")
    dataset = supernets.dataset(entry)
    subnet = extract_subnet(supernets.load(entry), arch, dataset, title=entry.title)
    config, as_supernet = training_of(
        entry, **request.model_dump(include={"epochs", "learning_rate"}, exclude_none=True)
    )
    inside = {n: float(subnet.card[n].value) for n in ("accuracy", "test_accuracy")}
    about = {
        "format": FORMAT,
        "supernet": entry.supernet_id,
        "sha256": entry.sha256,
        "arch_id": subnet.arch_id,
        "arch": dict(subnet.arch),
        "data": dict(subnet.data),
        "training": config.model_dump(mode="json", exclude=set(OF_THE_SUPERNET)),
        "training_from_card": as_supernet,
        "asked": request.seeds,
        "inside": inside,
        "versions": {p: importlib.metadata.version(p) for p in ("torch", "numpy")},
    }
    kept = ledger.latest_checkpoint()
    first = int(checkpoint.about(kept)["net"]) if kept is not None else 0
    nets = _kept(ledger)[:first]
    for index in range(first, request.seeds):
        seeded = config.model_copy(update={"seed": request.seed + index})
        net = fresh_like(subnet.net, seeded.seed)
        yield from train_alone(net, dataset, seeded, ledger, index=index, of=request.seeds)
        said = {"arch_id": subnet.arch_id, "supernet": entry.sha256, "seed": seeded.seed}
        # The network first: the summary names only what is there.
        sha256 = ledger.save_artifact(net_file(index), dump_net(net, dataset.input_shape, said), _MEDIA_TYPE)
        measured = {n: accuracy(net, dataset.split(s)) for n, s in (("accuracy", "validation"), ("test_accuracy", "test"))}  # fmt: skip
        seconds = sum(float(m["seconds"]) for m in ledger.metrics() if m["net"] == index)
        nets.append(
            {"index": index, "seed": seeded.seed, "sha256": sha256, "seconds": round(seconds, 2), **measured}
        )
        ledger.save_artifact(SUMMARY_FILE, json.dumps(about | {"nets": nets}).encode(), "application/json")
    yield Progress(1.0, _sentence(nets, inside), {"nets": len(nets)})


def _kept(ledger: Ledger) -> list[dict[str, Any]]:
    try:
        return list(json.loads(ledger.artifact(SUMMARY_FILE))["nets"])
    except NotFound:
        return []


def _sentence(nets: list[dict[str, Any]], inside: Mapping[str, float]) -> str:
    found = [float(n["test_accuracy"]) for n in nets]
    return (
        f"Trained alone with {len(nets)} seed{'s' * (len(nets) > 1)}: test accuracy {min(found):.1%} to {max(found):.1%}; "
        f"inside the supernet {inside['test_accuracy']:.1%}."
    )
