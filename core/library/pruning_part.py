"""Pruning by one method as a part of a run: here, or as a call of an executor.

A method's networks may depend on each other, so a method is done as a whole or again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from core.cache import LastMade
from core.config import Settings
from core.datasets.corruptions import Calibration
from core.datasets.packed import arrived_dataset, dump_dataset
from core.datasets.probe import MOST_SAMPLES, Probe, make_probe
from core.device import chosen_device, require_device
from core.errors import CoreError, InvalidInput
from core.geometry.collapse import collapse
from core.library.benchmarks import CLEAN, Judge, dump_margins, evaluate_net
from core.library.parts import Steps, at_desk
from core.library.pruned import FailedMethod, PrunedNet, margins_file, net_file
from core.pruning.pruners.base import Pruned, Pruner, PruningTask, sparsity_of
from core.pruning.pruners.creating import METHODS
from core.records import Progress
from core.runtime import heavy_imports
from core.training.config import TrainingConfig
from core.words import format_share

if TYPE_CHECKING:
    from torch import nn

    from core.executors.calls import Desk
    from core.ledger import Ledger

FUNCTION = "core.library.pruning_part:prune"
_TENSORS = "application/octet-stream"
EVALUATING = 3.0
"""Work of evaluating a network on all benchmarks, in epochs of training. For progress alone."""
_PARENT, _DATASET, _ABOUT = "parent", "dataset", "about"


@dataclass(frozen=True, eq=False)
class Bench:
    """What all methods of a run share.

    Attributes:
        task: the network to prune, and its data.
        labels: of its stages.
        tuning: how pruned networks are fine-tuned.
        tuning_epochs: for how long; 0 for not at all.
        judge: on what results are evaluated.
        training_probe: on what neural collapse is measured.
        benchmarks: names of the benchmarks.
    """

    task: PruningTask
    labels: tuple[str, ...]
    tuning: TrainingConfig
    tuning_epochs: int
    judge: Judge
    training_probe: Probe
    benchmarks: list[str]


@dataclass(frozen=True)
class Method:
    """One way to prune: its name and settings, sparsities, place in the request, and index of its first network."""

    name: str
    config: Settings
    sparsities: tuple[float, ...]
    number: int
    first: int


@dataclass(frozen=True)
class MethodDone:
    """What a method came to: its networks, and why it could not go on where it could not."""

    nets: tuple[PrunedNet, ...]
    failure: FailedMethod | None

    @classmethod
    def read(cls, value: bytes) -> MethodDone:
        """From what the part returned."""
        said = json.loads(value)
        failure = said["failure"]
        nets = tuple(PrunedNet.model_validate(net) for net in said["nets"])
        return cls(nets, None if failure is None else FailedMethod.model_validate(failure))

    def dump(self) -> bytes:
        failure = None if self.failure is None else self.failure.model_dump(mode="json")
        return json.dumps(
            {"nets": [net.model_dump(mode="json") for net in self.nets], "failure": failure}
        ).encode()


@dataclass(frozen=True)
class Epochs:
    """The work of making one network, in epochs: of the method itself, of fine-tuning, of evaluating."""

    pruning: float
    tuning: float

    @property
    def whole(self) -> float:
        return self.pruning + self.tuning + EVALUATING

    @classmethod
    def of(cls, pruner: Pruner, tuning_epochs: int) -> Epochs:
        """What trains by itself says for how many epochs in its settings, and is not fine-tuned."""
        own = float(getattr(pruner.config, "epochs", 0))
        return cls(own or 0.5, 0.0 if own else float(tuning_epochs))


def shared(bench: Bench) -> Mapping[str, bytes]:
    """What methods elsewhere share."""
    task = bench.task
    about = {
        "labels": list(bench.labels),
        "training": task.training.model_dump(mode="json"),
        "seed": task.seed,
        "tuning": bench.tuning.model_dump(mode="json"),
        "tuning_epochs": bench.tuning_epochs,
        "benchmarks": bench.benchmarks,
        "severities": [asdict(each) for each in bench.judge.severities.values()],
        "judge_seed": bench.judge.seed,
        "device": chosen_device().identity,
    }
    return {
        _PARENT: _file(task.parent, bench),
        _DATASET: dump_dataset(task.dataset),
        _ABOUT: json.dumps(about).encode(),
    }


def payload(method: Method) -> bytes:
    """What `prune` is told."""
    return json.dumps(asdict(method)).encode()


def prune(payload: bytes, desk: Desk) -> bytes:
    """Prune by one method where a call runs."""
    heavy_imports()
    said = json.loads(payload)
    method = Method(**{**said, "sparsities": tuple(said["sparsities"])})
    bench = _benches.get(lambda: _arrived(desk.shared), desk.shared[_ABOUT])

    def steps(ledger: Ledger) -> Steps:
        return by_method(bench, method, ledger, lambda net: None)

    return at_desk(desk, steps)


_benches: LastMade[Bench] = LastMade()


def _arrived(shared: Mapping[str, bytes]) -> Bench:
    from core.networks.file import load_net

    said = json.loads(shared[_ABOUT])
    require_device(said["device"])
    dataset = arrived_dataset(shared[_DATASET])
    severities = {
        c["name"]: Calibration(**{**c, "strengths": tuple(c["strengths"])}) for c in said["severities"]
    }
    parent, training = load_net(shared[_PARENT])[0], TrainingConfig.model_validate(said["training"])
    probe, training_probe = (
        make_probe(dataset, split=split, n=MOST_SAMPLES) for split in ("validation", "train")
    )
    return Bench(
        task=PruningTask(parent, dataset, training, said["seed"]),
        labels=tuple(said["labels"]),
        tuning=TrainingConfig.model_validate(said["tuning"]),
        tuning_epochs=said["tuning_epochs"],
        judge=Judge(probe, severities, said["judge_seed"]),
        training_probe=training_probe,
        benchmarks=said["benchmarks"],
    )


def by_method(bench: Bench, method: Method, ledger: Ledger, kept: Callable[[PrunedNet], None]) -> Steps:
    """Prune by one method; returns what `MethodDone.read` reads.

    Args:
        bench: see there.
        method: see there.
        ledger: gets each network and its margins as artifacts.
        kept: called with each network whose artifacts are there.
    """
    pruner = METHODS.create(method.name, method.config)
    yield Progress(0.0, f"{pruner.label}: starting.")
    count, made = len(method.sparsities), list[PrunedNet]()
    started, failure = time.monotonic(), None
    epochs = Epochs.of(pruner, bench.tuning_epochs)
    pruning, tuning = epochs.pruning / epochs.whole, epochs.tuning / epochs.whole
    try:
        for step in pruner.prune(bench.task, method.sparsities):
            if isinstance(step, Progress):
                share = (len(made) + pruning * step.fraction) / count
                yield Progress(share, f"{pruner.label}: {step.message}")
                continue
            what = f"{pruner.label}, {format_share(step.asked)} pruned"
            zero_shot = _accuracy(step.net, bench)
            for share in _tuned(bench, step):
                yield Progress((len(made) + pruning + tuning * share) / count, what)
            net = _finished(
                bench, method, pruner, ledger, step, (method.first + len(made), zero_shot, started)
            )
            kept(net)
            made.append(net)
            yield Progress(len(made) / count, what)
            started = time.monotonic()
    except CoreError as error:
        failure = FailedMethod(
            number=method.number, method=method.name, label=pruner.label, reason=str(error)
        )
    return MethodDone(tuple(made), failure).dump()


def _accuracy(net: nn.Sequential, bench: Bench) -> float:
    from core.networks.answers import accuracy

    return accuracy(net, bench.task.dataset, "validation")


def _tuned(bench: Bench, pruned: Pruned) -> Iterator[float]:
    """Fine-tune one network where it was not trained; yields the share that is done."""
    from core.pruning.retraining import train_masked

    if bench.tuning_epochs and not pruned.trained:
        yield from train_masked(pruned.net, bench.task.dataset, bench.tuning, pruned.masks)


def _finished(
    bench: Bench,
    method: Method,
    pruner: Pruner,
    ledger: Ledger,
    pruned: Pruned,
    about: tuple[int, float, float],
) -> PrunedNet:
    """Evaluate one network and keep it; `about` is its index, its accuracy before fine-tuning, and when it was begun."""
    from core.networks.file import About, dump_net

    index, zero_shot, started = about
    net = measured(bench, index, pruned, ledger, started)
    kept = {name: [int(u) for u in units] for name, units in pruned.kept.items()}
    said = About(kept=kept, method=method.name, asked=pruned.asked)
    # The network first: the summary names only what is there.
    ledger.save_artifact(
        net_file(index), dump_net(pruned.net, bench.task.dataset.input_shape, said), _TENSORS
    )
    defaults = pruner.Config().model_dump()
    changed = sorted((k, v) for k, v in pruner.config.model_dump(mode="json").items() if defaults.get(k) != v)
    more = {
        "method": method.name,
        "label": pruner.label,
        "config": tuple(changed),
        "removes": pruner.removes,
        "tuning_epochs": bench.tuning_epochs if not pruned.trained else 0,
        "note": _note(pruned, net.sparsity),
        "numbers": net.numbers if pruned.trained else net.numbers | {"zero_shot": zero_shot},
        "seconds": round(time.monotonic() - started, 2),
    }
    return net.model_copy(update=more)


def _note(pruned: Pruned, sparsity: float) -> str:
    said = [pruned.note] if pruned.note else []
    if sparsity <= 0:
        said.append("It removed nothing.")
    elif sparsity < pruned.asked - 0.02 and not pruned.note:
        said.append(
            f"Only {format_share(sparsity, 1)} could be removed: the least that must stay in every layer is reached."
        )
    return " ".join(said)


def measured(bench: Bench, index: int, pruned: Pruned, ledger: Ledger, started: float) -> PrunedNet:
    """Evaluate a network on every benchmark, keep its margins, count and measure; no method is named yet."""
    from core.networks.answers import accuracy
    from core.networks.costs import count_macs, count_parameters

    # Measured as it is downloaded: the compact network, which computes the same with less.
    net = pruned.compact()
    found = dict(evaluate_net(net, bench.judge, bench.benchmarks))
    data = dump_margins(found, bench.judge.probe.fingerprint)
    sha256 = ledger.save_artifact(margins_file(index), data, _TENSORS)
    size = len(_file(net, bench))
    numbers: dict[str, float] = {
        "accuracy": float(found[CLEAN].correct.mean()),
        "test_accuracy": accuracy(net, bench.task.dataset, "test"),
        "params": count_parameters(net),
        "nonzero": sum(int((p != 0).sum()) for p in net.parameters()),
        "macs": count_macs(net, bench.task.dataset.input_shape),
        "bytes": size,
    }
    return PrunedNet(
        index=index,
        method="",
        label="",
        config=(),
        removes="",
        asked=pruned.asked,
        sparsity=sparsity_of(pruned, bench.task.parent),
        numbers=numbers | _collapse(net, bench),
        stages=_stage_labels(pruned.net, bench),
        note="",
        seconds=round(time.monotonic() - started, 2),
        tuning_epochs=0,
        surgery=bool(pruned.kept),
        sha256=sha256,
    )


def _collapse(net: nn.Sequential, bench: Bench) -> dict[str, float]:
    """Neural collapse on training images; nothing where it is not defined (two class means coincide)."""
    from core.networks.heads import penultimate, weight_and_bias

    probe = bench.training_probe
    features, layer = penultimate(net, probe.x)
    weight, bias = weight_and_bias(layer)
    try:
        found = collapse(features, probe.y, weight, bias)
    except InvalidInput:
        return {}
    values = {"nc1": found.nc1, "nc2_angle": found.nc2_angle, "nc3": found.nc3, "nc4": found.nc4}
    return {name: value for name, value in values.items() if value == value}


def _file(net: nn.Sequential, bench: Bench) -> bytes:
    from core.networks.file import About, dump_net

    return dump_net(net, bench.task.dataset.input_shape, About())


def _stage_labels(net: nn.Sequential, bench: Bench) -> tuple[str, ...]:
    """The parent's names where the stages are the same ones; where blocks are missing, what each stage is."""
    if len(net) == len(bench.labels):
        return bench.labels
    return tuple(f"{index + 1} {type(stage).__name__}" for index, stage in enumerate(net))
