"""Networks that were trained alone, one per seed, as their runs keep them.

The list of them needs no torch; loading one does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.records import RunState

if TYPE_CHECKING:
    from torch import nn

    from core.store import Ledger, RunStore

KIND = "train_alone"
SUMMARY_FILE = "alone.json"


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
    from core.networks.file import load_net

    net, about = load_net(store.ledger(run_id).artifact(net_file(index)))
    if "seed" not in about:
        raise InvalidInput("This file is not a network that was trained alone.")
    return net
