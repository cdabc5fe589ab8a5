"""Networks that were trained alone, one per seed, as their runs keep them.

The list of them needs no torch; loading one does.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from core.errors import InvalidInput, NotFound
from core.library.network_id import NetworkId
from core.library.results import Described, Part, Record, Result, result, results
from core.library.trainings import OF_THE_SUPERNET
from core.records import RunState

if TYPE_CHECKING:
    from torch import nn

    from core.datasets.base import Dataset
    from core.export.subnet import ExtractedSubnet
    from core.ledger import Ledger
    from core.library.supernets import SupernetEntry
    from core.store import RunStore
    from core.training.config import TrainingConfig

KIND = "train_alone"
MEASURED = ("accuracy", "test_accuracy")
"""Objectives that are measured of networks trained alone."""
JUDGED = "test_accuracy"
"""The one that says whether a subnet is better inside its supernet: nothing was chosen by it."""


class TrainedNet(Part):
    """One network of a run.

    Attributes:
        index: which one, from 0.
        sha256: of its file.
        seconds: what its training took.
        accuracy, test_accuracy: fractions, on the validation and the test samples.
    """

    index: int
    seed: int
    sha256: str
    seconds: float
    accuracy: float
    test_accuracy: float


class Schedule(Described):
    """How each was trained; further settings are kept as they were."""

    epochs: int
    learning_rate: float


class TrainedSubnet(Part):
    """The subnet whose architecture a run trains by itself, and how.

    Attributes:
        supernet, sha256: id and file hash of the supernet the architecture was taken from.
        arch_id, arch: the architecture, short and by choice.
        data: what the data are, for people.
        training: how each was trained.
        asked: seeds the run was asked for.
        inside: accuracies of the subnet as it is inside the supernet, measured by the same code.
        versions: of the libraries.
    """

    supernet: str
    sha256: str
    arch_id: str
    arch: dict[str, bool | int | float | str]
    data: Described
    training: Schedule
    asked: int
    inside: dict[str, float]
    versions: dict[str, str]


def trained_subnet(
    entry: SupernetEntry, subnet: ExtractedSubnet, config: TrainingConfig, asked: int
) -> TrainedSubnet:
    """What a run says of its subnet when it begins; the subnet was measured when it was extracted."""
    return TrainedSubnet(
        supernet=entry.supernet_id,
        sha256=entry.sha256,
        arch_id=subnet.arch_id,
        arch=dict(subnet.arch),
        data=Described(**subnet.data),
        training=schedule_of(config),
        asked=asked,
        inside={name: float(subnet.card[name].value) for name in MEASURED},
        versions={package: importlib.metadata.version(package) for package in ("torch", "numpy")},
    )


def schedule_of(config: TrainingConfig) -> Schedule:
    """What a record keeps of a training: all settings but those of a supernet alone, and the seed."""
    return Schedule(**config.model_dump(mode="json", exclude=set(OF_THE_SUPERNET)))


class AloneRecord(TrainedSubnet, Record):
    """What a run of `train_alone` keeps, written anew after every network.

    Attributes:
        training_from_card: whether the supernet's card said how it was trained.
        nets: those trained so far.
    """

    FILE: ClassVar[str] = "alone.json"
    training_from_card: bool
    nets: tuple[TrainedNet, ...] = ()


@dataclass(frozen=True)
class AloneNet:
    """One network trained alone, as a list shows it.

    Attributes:
        model_id: its id as a network, as text.
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

    @property
    def numbers(self) -> Mapping[str, float]:
        """What was measured of it, by objective."""
        return {name: getattr(self, name) for name in MEASURED}


def net_file(index: int) -> str:
    """Name of the artifact that holds the network with this index."""
    return f"net-{int(index)}.safetensors"


def keep_net(
    ledger: Ledger,
    net: nn.Sequential,
    dataset: Dataset,
    *,
    index: int,
    seed: int,
    arch_id: str,
    supernet_sha256: str,
) -> TrainedNet:
    """Keep the file of a network that a run has just trained, and measure the network.

    The file comes before whatever names it: a summary names only what is there.

    Args:
        ledger: of its training, with the seconds of its epochs.
        net: calibrated, in eval mode.
        dataset: measured on its validation and test samples.
        index: which network of the run.
        seed: of its training.
        arch_id, supernet_sha256: the architecture, and the supernet file it was taken from.
    """
    from core.networks.answers import accuracy
    from core.networks.file import About, dump_net

    said = About(arch_id=arch_id, supernet=supernet_sha256, seed=seed)
    data = dump_net(net, dataset.input_shape, said)
    return TrainedNet(
        index=index,
        seed=seed,
        sha256=ledger.save_artifact(net_file(index), data, "application/octet-stream"),
        seconds=round(sum(float(m["seconds"]) for m in ledger.metrics()), 2),
        accuracy=accuracy(net, dataset, "validation"),
        test_accuracy=accuracy(net, dataset, "test"),
    )


def list_alone(
    store: RunStore | None, supernet_id: str | None = None, arch_id: str | None = None
) -> list[AloneNet]:
    """Every network trained alone, newest run first; of one supernet or architecture if given. No torch."""
    return [
        net
        for kept in results(store, AloneRecord, KIND)
        for net in _nets(kept)
        if supernet_id in (None, net.supernet_id) and arch_id in (None, net.arch_id)
    ]


def find_alone(store: RunStore | None, run_id: str, index: int) -> AloneNet | None:
    """One network trained alone; None if there is none. No torch."""
    try:
        kept = result(store, AloneRecord, KIND, run_id)
    except NotFound:
        return None
    return next((net for net in _nets(kept) if net.index == index), None) if kept else None


def _nets(kept: Result[AloneRecord]) -> list[AloneNet]:
    record = kept.record
    return [
        AloneNet(
            model_id=str(NetworkId.alone(kept.run.run_id, net.index)),
            run_id=kept.run.run_id,
            index=net.index,
            seed=net.seed,
            supernet_id=record.supernet,
            sha256=record.sha256,
            arch_id=record.arch_id,
            epochs=record.training.epochs,
            learning_rate=record.training.learning_rate,
            accuracy=net.accuracy,
            test_accuracy=net.test_accuracy,
            inside=record.inside,
            seconds=net.seconds,
            of=record.asked,
            finished=kept.run.state is RunState.DONE,
        )
        for net in record.nets
        if net_file(net.index) in kept.files
    ]


def load_alone(store: RunStore, run_id: str, index: int) -> nn.Sequential:
    """A network that a run trained by itself, from whatever start, in eval mode. Loads torch.

    Raises:
        NotFound: there is no such network.
        DamagedArtifact: its file has changed.
        InvalidInput: the file holds something else.
    """
    from core.networks.file import load_net

    net, about = load_net(store.ledger(run_id).artifact(net_file(index)))
    if "seed" not in about:
        raise InvalidInput("This file is not a network that was trained by itself.")
    return net
