"""Subnets that were trained further on their own, and the same networks from scratch beside them, as their runs keep them.

The list of them needs no torch. `core.library.alone.load_alone` loads one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from core.errors import NotFound
from core.library.alone import MEASURED, AloneNet, Schedule, TrainedNet, TrainedSubnet, list_alone, net_file
from core.library.network_id import NetworkId
from core.library.results import Record, Result, result, results
from core.records import RunState
from core.words import count_of

if TYPE_CHECKING:
    from core.store import RunStore

KIND = "tune_subnet"
Start = Literal["tuned", "scratch"]


class StartedNet(TrainedNet):
    """One network of a run.

    Attributes:
        start: "tuned" from the supernet's weights, or "scratch".
    """

    start: Start


class TunedRecord(TrainedSubnet, Record):
    """What a run of `tune_subnet` keeps, written anew after every network; `training` is how the subnet was tuned.

    Attributes:
        scratch: how the same network was trained from scratch.
        teacher: whether both also learned from the largest subnet.
        nets: those trained so far.
    """

    FILE: ClassVar[str] = "tuned.json"
    scratch: Schedule
    teacher: bool
    nets: tuple[StartedNet, ...] = ()


@dataclass(frozen=True)
class TunedNet:
    """One network of a tuning, as a list shows it.

    Attributes:
        model_id: its id as a network, as text.
        index: which network of its run, from 0.
        sha256: of its own file.
        supernet_sha256: of the supernet file its architecture was taken from.
        start: "tuned" or "scratch".
        learning_rate: peak of its own training.
        teacher: whether it also learned from the largest subnet.
        accuracy, test_accuracy: fractions, on the validation and the test samples.
        inside: the same two of the subnet as it is in the supernet.
        seconds: what its training took.
        finished: whether the run is done.
    """

    model_id: str
    run_id: str
    index: int
    sha256: str
    supernet_id: str
    supernet_sha256: str
    arch_id: str
    start: Start
    seed: int
    epochs: int
    learning_rate: float
    teacher: bool
    accuracy: float
    test_accuracy: float
    inside: Mapping[str, float]
    seconds: float
    finished: bool

    @property
    def numbers(self) -> Mapping[str, float]:
        """What was measured of it, by objective."""
        return {name: getattr(self, name) for name in MEASURED}

    @property
    def history(self) -> str:
        """How it came to be, in a sentence."""
        began = "from the supernet's weights" if self.start == "tuned" else "from scratch"
        taught = ", with the largest subnet as a second teacher" if self.teacher else ""
        return (
            f"Trained on its own {began} for {count_of(self.epochs, 'epoch')} at learning rate "
            f"{self.learning_rate:g}{taught}, seed {self.seed}."
        )


def list_tuned(
    store: RunStore | None, supernet_id: str | None = None, arch_id: str | None = None
) -> list[TunedNet]:
    """Every network of a tuning, newest run first; of one supernet or architecture if given. No torch."""
    where = {"supernet": supernet_id} if supernet_id else None
    return [
        net
        for kept in results(store, TunedRecord, KIND, where)
        for net in _nets(kept)
        if arch_id in (None, net.arch_id)
    ]


def find_tuned(store: RunStore | None, run_id: str, index: int) -> TunedNet | None:
    """One network of a tuning; None if there is none. No torch."""
    try:
        kept = result(store, TunedRecord, KIND, run_id)
    except NotFound:
        return None
    return next((net for net in _nets(kept) if net.index == index), None) if kept else None


def _nets(kept: Result[TunedRecord]) -> list[TunedNet]:
    record = kept.record
    return [
        TunedNet(
            model_id=str(NetworkId.tuned(kept.run.run_id, net.index)),
            run_id=kept.run.run_id,
            index=net.index,
            sha256=kept.files[net_file(net.index)],
            supernet_id=record.supernet,
            supernet_sha256=record.sha256,
            arch_id=record.arch_id,
            start=net.start,
            seed=net.seed,
            epochs=record.training.epochs,
            learning_rate=(record.training if net.start == "tuned" else record.scratch).learning_rate,
            teacher=record.teacher,
            accuracy=net.accuracy,
            test_accuracy=net.test_accuracy,
            inside=record.inside,
            seconds=net.seconds,
            finished=kept.run.state is RunState.DONE,
        )
        for net in record.nets
        if net_file(net.index) in kept.files
    ]


def longest_alone(store: RunStore | None, supernet_sha256: str, arch_id: str) -> list[AloneNet]:
    """Networks of an architecture that were trained alone for the most epochs, one per seed, by seed.

    Args:
        store: where runs are kept.
        supernet_sha256: of the supernet's file.
        arch_id: the architecture.
    """
    mine = [net for net in list_alone(store, arch_id=arch_id) if net.sha256 == supernet_sha256]
    if not mine:
        return []
    most = max(mine, key=lambda net: net.epochs)
    alike = [net for net in mine if (net.epochs, net.learning_rate) == (most.epochs, most.learning_rate)]
    by_seed = {net.seed: net for net in reversed(alike)}
    return [by_seed[seed] for seed in sorted(by_seed)]
