"""Train a subnet's architecture alone, from scratch, for several seeds: what weight sharing is compared with.

Nets are kept one file per seed as soon as each is trained, so a run that was stopped after two seeds has
two. The list of them needs no torch; loading one does.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.records import Progress, RunState
from core.training.config import TrainingConfig
from core.workflows import library
from core.workflows.library import SupernetEntry
from core.workflows.measuring import find_supernet

if TYPE_CHECKING:
    from torch import nn

    from core.store import Ledger, RunStore

KIND = "train_alone"
SUMMARY_FILE = "alone.json"
FORMAT = 1
_MEDIA_TYPE = "application/octet-stream"
# A network of one subnet has no strategy, and every seed is named in the request.
_NOT_TAKEN = ("strategy", "strategy_config", "seed")


class Request(BaseModel):
    """Which architecture to train alone, and how often."""

    model_config = ConfigDict(extra="forbid")

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


@dataclass(frozen=True)
class AloneNet:
    """One network trained alone, as a list shows it.

    Attributes:
        model_id: "alone:<run_id>:<index>".
        index: which network of its run, from 0.
        sha256: of the supernet file its architecture was taken from.
        accuracy, test_accuracy: fractions, on the validation and the test images.
        inside: the same two of the subnet inside the supernet, measured by the same code.
        seconds: what its training took.
        of: networks its run was asked for.
        finished: whether the run is done.
    """

    model_id: str
    run_id: str
    index: int
    seed: int
    supernet_id: str
    sha256: str
    arch_id: str
    epochs: int
    learning_rate: float
    accuracy: float
    test_accuracy: float
    inside: Mapping[str, float]
    seconds: float
    of: int
    finished: bool


def settings_for(entry: SupernetEntry, request: Request) -> tuple[TrainingConfig, bool]:
    """How the supernet itself was trained, with what the request changes; and whether its card said so."""
    kept = entry.card.get("training")
    changes = {n: v for n in ("epochs", "learning_rate") if (v := getattr(request, n)) is not None}
    plain = {n: v for n, v in kept.items() if n not in _NOT_TAKEN} if isinstance(kept, Mapping) else {}
    try:
        return TrainingConfig.model_validate(plain | changes), bool(plain)
    except ValidationError:
        # A card from elsewhere may describe its training in words of its own.
        return TrainingConfig.model_validate(changes), False


def run(request: Request, ledger: Ledger) -> Iterator[Progress]:
    """Train, or go on training; the artifacts are one network per seed and a summary.

    Raises:
        NotFound, InvalidInput: the supernet or the architecture does not exist.
        DataUnavailable: the data set is neither here nor reachable.
        CoreError: training diverged.
    """
    from core.export.plain_net import dump_net
    from core.export.subnet import extract_subnet
    from core.training import checkpoint
    from core.training.alone import accuracy, fresh_like, train_alone

    entry = find_supernet(request.supernet)
    arch = entry.space.from_id(request.arch)
    yield Progress(0.0, "Reading the data set of the supernet.")
    dataset = library.dataset(entry)
    subnet = extract_subnet(library.load(entry), arch, dataset, title=entry.title)
    config, as_supernet = settings_for(entry, request)
    inside = {n: float(subnet.card[n].value) for n in ("accuracy", "test_accuracy")}
    about = {
        "format": FORMAT,
        "supernet": entry.supernet_id,
        "sha256": entry.sha256,
        "arch_id": subnet.arch_id,
        "arch": dict(subnet.arch),
        "data": dict(subnet.data),
        "training": config.model_dump(mode="json", exclude=set(_NOT_TAKEN)),
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
        measured = {n: accuracy(net, dataset, s) for n, s in (("accuracy", "validation"), ("test_accuracy", "test"))}  # fmt: skip
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


def net_file(index: int) -> str:
    """Name of the artifact that holds the network with this index."""
    return f"net-{int(index)}.safetensors"


def list_alone(
    store: RunStore | None, supernet_id: str | None = None, arch_id: str | None = None
) -> list[AloneNet]:
    """Every network trained alone, newest run first; of one supernet or architecture if given. No torch."""
    found: list[AloneNet] = []
    for run in store.list_runs(kind=KIND) if store is not None else []:
        assert store is not None
        found += [
            net
            for net in _nets_of(store, run.run_id, run.state is RunState.DONE)
            if supernet_id in (None, net.supernet_id) and arch_id in (None, net.arch_id)
        ]
    return found


def describe_alone(store: RunStore, run_id: str, index: int) -> AloneNet:
    """One network trained alone. No torch.

    Raises:
        NotFound: there is no such network.
    """
    run = store.get_run(run_id)
    nets = _nets_of(store, run_id, run.state is RunState.DONE) if run.kind == KIND else []
    for net in nets:
        if net.index == index:
            return net
    raise NotFound(f"Run {run_id[:32]!r} has no network {index} that was trained alone.")


def _nets_of(store: RunStore, run_id: str, finished: bool) -> list[AloneNet]:
    ledger = store.ledger(run_id)
    shas = {artifact.name: artifact.sha256 for artifact in ledger.artifacts()}
    if SUMMARY_FILE not in shas:
        return []
    try:
        summary = _summary(_Read(shas[SUMMARY_FILE], ledger))
        return [
            AloneNet(
                f"alone:{run_id}:{int(net['index'])}", run_id, int(net["index"]), int(net["seed"]), str(summary["supernet"]),
                str(summary["sha256"]), str(summary["arch_id"]), int(summary["training"]["epochs"]),
                float(summary["training"]["learning_rate"]), float(net["accuracy"]), float(net["test_accuracy"]),
                dict(summary["inside"]), float(net["seconds"]), int(summary["asked"]), finished,
            )
            for net in summary["nets"]
            if net_file(net["index"]) in shas
        ]  # fmt: skip
    except DamagedArtifact:
        # The check command names it; a list goes on without it.
        return []


class _Read:
    """Hashable by the file's hash alone, so that a summary is read once."""

    def __init__(self, sha256: str, ledger: Ledger) -> None:
        self.sha256, self.ledger = sha256, ledger

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Read) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)


@lru_cache(maxsize=256)
def _summary(read: _Read) -> Mapping[str, Any]:
    summary: Mapping[str, Any] = json.loads(read.ledger.artifact(SUMMARY_FILE))
    return summary


def load_alone(store: RunStore, run_id: str, index: int) -> nn.Sequential:
    """A network trained alone, in eval mode. Loads torch.

    Raises:
        NotFound: there is no such network.
        DamagedArtifact: its file has changed.
        InvalidInput: the file holds something else.
    """
    from core.export.plain_net import load_net

    net, about = load_net(store.ledger(run_id).artifact(net_file(index)))
    if "seed" not in about:
        raise InvalidInput("This file is not a network that was trained alone.")
    return net
