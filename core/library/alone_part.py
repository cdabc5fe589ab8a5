"""The training of one network by itself as a part of a run: here, or as a call of an executor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.datasets.packed import arrived_dataset, dump_dataset
from core.device import chosen_device, require_device
from core.library.alone import TrainedNet, keep_net
from core.library.packed import pack, unpack
from core.library.part_rows import Places
from core.library.parts import Part, PartDone, Steps, at_desk
from core.runtime import heavy_imports
from core.training.config import TrainingConfig

if TYPE_CHECKING:
    from torch import nn

    from core.datasets.base import Dataset
    from core.executors.calls import Desk
    from core.ledger import Ledger

FUNCTION = "core.library.alone_part:train"
_DATASET, _TEACHER, _DEVICE = "dataset", "teacher", "device"


@dataclass(frozen=True, eq=False)
class Training:
    """One network to train.

    Attributes:
        index: which of the run, from 0.
        of: networks of the run.
        net: makes it as its training begins.
        config: how, with its seed.
        arch_id, supernet_sha256: where its architecture comes from.
        keep_file: whether its file is an artifact of the run.
        what: is trained, for messages.
    """

    index: int
    of: int
    net: Callable[[], nn.Sequential]
    config: TrainingConfig
    arch_id: str
    supernet_sha256: str
    keep_file: bool = True
    what: str = "Network"


@dataclass(frozen=True)
class Trained:
    """What came of it; `sha256` is of its file, "" where none is kept."""

    seconds: float
    accuracy: float
    test_accuracy: float
    sha256: str

    @classmethod
    def read(cls, value: bytes) -> Trained:
        """From what the part returned."""
        return cls(**json.loads(value))


def shared(dataset: Dataset, teacher: nn.Module | None = None) -> Mapping[str, bytes]:
    """What trainings elsewhere share: the data, and the network that they also learn from."""
    found = {_DATASET: dump_dataset(dataset), _DEVICE: chosen_device().identity.encode()}
    return found if teacher is None else {**found, _TEACHER: _file(teacher, dataset)}


def part(training: Training, dataset: Dataset, teacher: nn.Module | None = None) -> Part:
    """A training as a part of a run; its work is its epochs."""
    return Part(
        index=training.index,
        steps=lambda ledger: _steps(training, training.net(), dataset, ledger, teacher),
        function=FUNCTION,
        payload=lambda: _payload(training, dataset),
        work=float(training.config.epochs),
    )


def kept(done: PartDone, ledger: Ledger, *, seed: int) -> TrainedNet:
    """Keep the file of a network that was trained; returns what the summary says of it.

    The file comes before whatever names it: a summary names only what is there.
    """
    for name, (data, media_type) in done.files.items():
        ledger.save_artifact(name, data, media_type)
    found = Trained.read(done.value)
    return TrainedNet(index=done.index, seed=seed, **found.__dict__)


def places(config: TrainingConfig) -> Places:
    """Where the numbers of a run's trainings stand, which have the same number of epochs."""
    return Places("net", config.epochs)


def earlier(checkpoint: bytes) -> tuple[int, bytes]:
    """A network of a run and its checkpoint, as runs kept it that could only train one after another."""
    from core.training.checkpoint import about

    return int(about(checkpoint)["net"]), checkpoint


def arrived(desk: Desk) -> Dataset:
    """The data that trainings share, where a call runs.

    Raises:
        InvalidInput: this process computes on another device than whoever gave the work out.
    """
    require_device(desk.shared[_DEVICE].decode())
    return arrived_dataset(desk.shared[_DATASET])


def train(payload: bytes, desk: Desk) -> bytes:
    """Train one network where a call runs."""
    heavy_imports()
    from core.networks.file import load_net

    dataset = arrived(desk)

    pieces = unpack(payload)
    said = json.loads(pieces["about"])
    net = load_net(pieces["net"])[0].train()
    training = Training(net=lambda: net, config=TrainingConfig.model_validate(said.pop("config")), **said)
    teacher = load_net(desk.shared[_TEACHER])[0] if _TEACHER in desk.shared else None
    return at_desk(desk, lambda ledger: _steps(training, net, dataset, ledger, teacher))


def _payload(training: Training, dataset: Dataset) -> bytes:
    said = {
        "index": training.index,
        "of": training.of,
        "config": training.config.model_dump(mode="json"),
        "arch_id": training.arch_id,
        "supernet_sha256": training.supernet_sha256,
        "keep_file": training.keep_file,
        "what": training.what,
    }
    return pack({"about": json.dumps(said).encode(), "net": _file(training.net(), dataset)})


def _file(net: nn.Module, dataset: Dataset) -> bytes:
    from core.networks.file import About, dump_net

    return dump_net(net, dataset.input_shape, About())  # type: ignore[arg-type]


def _steps(
    training: Training, net: nn.Sequential, dataset: Dataset, ledger: Ledger, teacher: nn.Module | None
) -> Steps:
    from core.networks.answers import accuracy
    from core.training.alone import train_alone

    what = f"{training.what} {training.index + 1} of {training.of}"
    yield from train_alone(net, dataset, training.config, ledger, teacher=teacher, what=what)
    if training.keep_file:
        kept = keep_net(
            ledger,
            net,
            dataset,
            index=training.index,
            seed=training.config.seed,
            arch_id=training.arch_id,
            supernet_sha256=training.supernet_sha256,
        )
        found = Trained(kept.seconds, kept.accuracy, kept.test_accuracy, kept.sha256)
    else:
        seconds = round(sum(float(m["seconds"]) for m in ledger.metrics()), 2)
        validation, test = (accuracy(net, dataset, split) for split in ("validation", "test"))
        found = Trained(seconds, validation, test, "")
    return json.dumps(found.__dict__).encode()
