"""Prune a network in several ways to several sparsities, fine-tune, and evaluate every result.

Networks are kept one by one as they are made. A run that was stopped goes on with the first method that was
not finished: a method's networks may depend on each other, so a method is done as a whole or again.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.errors import CoreError, InvalidInput
from core.geometry.collapse import collapse
from core.library import benchmarks as judged
from core.library.benchmarks import CLEAN, Benchmarks, dump_margins, evaluate_net, training_probe
from core.library.pruned import (
    PARENT,
    TUNING_EPOCHS,
    FailedMethod,
    PrunedNet,
    PruningRecord,
    margins_file,
    net_file,
    require_prunable,
)
from core.library.results import Described
from core.library.trainings import training_of
from core.objectives.latency_ms import measure_latency
from core.pruning.pruners.base import Pruned, Pruner, PruningTask, sparsity_of
from core.pruning.pruners.creating import METHODS
from core.records import Progress
from core.training.config import TrainingConfig
from core.words import format_share

if TYPE_CHECKING:
    from torch import nn

    from core.ledger import Ledger
    from core.library.benchmarks import Judge
    from core.library.library import Library
    from core.library.networks import Model

LABEL = "Pruning"
WEIGHT_CLASS = "training"
_TENSORS = "application/octet-stream"
_EVALUATING, _TIMING = 3.0, 1.5
"""Work in epochs of training: evaluating a network on all benchmarks, and timing one. For progress alone."""
_TUNING_SHARE = 0.2
"""Fine-tuning starts at this share of the parent's peak learning rate: enough to move, too little to forget."""


class MethodChoice(BaseConfig):
    """One way to prune."""

    name: str = Field(description="Registry name of a pruner or a criterion.")
    config: Settings = Field(default_factory=dict, description="The method's own settings.")
    sparsities: tuple[float, ...] = Field(description="Shares of the weights to remove.")

    @field_validator("name")
    @classmethod
    def _exists(cls, name: str) -> str:
        return METHODS.info(name).name

    @field_validator("sparsities")
    @classmethod
    def _in_bounds(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        found = tuple(sorted({round(float(v), 4) for v in values}))
        if not found or not all(0 < v < 1 for v in found):
            raise ValueError("sparsities lie between 0 and 1, and there is at least one")
        return found


class Request(BaseConfig):
    """What to prune, how, and how far."""

    model: str = Field(
        description="Id of the network to prune (subnet:SUPERNET:ARCHITECTURE or alone:RUN:NUMBER)."
    )
    methods: list[MethodChoice] = Field(min_length=1, max_length=60, description="Ways to prune it.")
    tuning_epochs: int = Field(
        TUNING_EPOCHS, ge=0, le=500, description="Passes over the training images after pruning."
    )
    tuning_rate: float | None = Field(
        None,
        gt=0,
        le=10,
        description="Peak learning rate of fine-tuning; a fifth of the parent's if left out.",
    )
    benchmarks: Benchmarks = Field(default_factory=Benchmarks, description="On what results are evaluated.")
    latency: bool = Field(True, description="Time the networks that became smaller.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of all chance.")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Prune, fine-tune and evaluate; the artifacts are a network and its margins each, and a summary.

    A method that cannot prune this network is noted with its reason, and the others go on.

    Raises:
        NotFound, InvalidInput: the network does not exist, or a setting is wrong.
        DataUnavailable: the data set is neither here nor reachable.
    """
    work = None
    for step in _prepare(request, ledger, library):
        if isinstance(step, _Work):
            work = step
        else:
            yield step
    assert work is not None
    parts = [len(method.sparsities) * _epochs(work, pruner).whole for method, pruner in work.pruners]
    timing = _TIMING * (1 + sum(len(m.sparsities) for m, p in work.pruners if p.removes != "weights"))
    total = sum(parts) + (timing if request.latency else 0)
    for number, (method, pruner) in enumerate(work.pruners):
        before = sum(parts[:number])
        yield Progress(before / total, f"{pruner.label}: starting.")
        if work.is_done(number):
            continue
        for step in _method(work, number, method, pruner):
            yield Progress((before + step.fraction * parts[number]) / total, step.message, step.metrics)
    if request.latency:
        for share in chain((0.0,), _time(work)):
            yield Progress(1 - timing / total * (1 - share), "Timing the networks that became smaller.")
    yield Progress(1.0, _sentence(work.record), {"networks": len(work.record.models) - 1})


@dataclass(eq=False)
class _Work:
    """What all methods of a run share."""

    request: Request
    ledger: Ledger
    parent: Model
    task: PruningTask
    tuning: TrainingConfig
    judge: Judge
    benchmarks: list[str]
    pruners: list[tuple[MethodChoice, Pruner]]
    record: PruningRecord

    def first_index(self, number: int) -> int:
        """Index of the first network of a method."""
        return 1 + sum(len(m.sparsities) for m in self.request.methods[:number])

    def is_done(self, number: int) -> bool:
        return number in self.record.done

    def keep(self, record: PruningRecord) -> None:
        """Write down what there is so far."""
        self.record = record
        record.save(self.ledger)


def _prepare(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress | _Work]:
    yield Progress(0.0, "Loading the network and its data.")
    pruners = [(m, METHODS.create(m.name, m.config)) for m in request.methods]
    require_prunable(library.store, request.model)
    parent = library.network(request.model)
    judged.require_benchmarks(parent.entry.task)
    training, _ = training_of(parent.entry, seed=request.seed)
    rate = request.tuning_rate or _TUNING_SHARE * training.learning_rate
    tuning = training.model_copy(
        update={"epochs": max(1, request.tuning_epochs), "learning_rate": rate, "warmup_epochs": 0.0}
    )
    yield Progress(0.0, "How strong is each corruption on these samples? Measured once per data set.")
    judge = library.judge(parent.entry)
    record = PruningRecord.so_far(ledger) or PruningRecord(
        model=request.model,
        model_key=parent.key,
        supernet=parent.info.supernet_id,
        arch_id=parent.info.arch_id,
        seed=request.seed,
        tuning=Described(**tuning.model_dump(mode="json", exclude={"strategy", "strategy_config"})),
        probe=judge.probe.fingerprint,
        versions={p: importlib.metadata.version(p) for p in ("torch", "numpy")},
    )
    if record.model_key != parent.key:
        raise InvalidInput("The network has changed since this run began; start a new run.")
    task = PruningTask(parent.net, parent.dataset, training, request.seed)
    work = _Work(
        request=request,
        ledger=ledger,
        parent=parent,
        task=task,
        tuning=tuning,
        judge=judge,
        benchmarks=request.benchmarks.names(parent.entry.task, letters=bool(judge.probe.tokenizer)),
        pruners=pruners,
        record=record,
    )
    if not any(net.index == PARENT for net in record.models):
        started = time.monotonic()
        unpruned = Pruned(0.0, parent.net, trained=True)
        work.keep(record.with_net(_measured(work, PARENT, unpruned, parent.labels, started)))
    yield work


@dataclass(frozen=True)
class _Epochs:
    """The work of making one network, in epochs: of the method itself, of fine-tuning, of evaluating."""

    pruning: float
    tuning: float

    @property
    def whole(self) -> float:
        return self.pruning + self.tuning + _EVALUATING


def _epochs(work: _Work, pruner: Pruner) -> _Epochs:
    """What trains by itself says for how many epochs in its settings, and is not fine-tuned."""
    own = float(getattr(pruner.config, "epochs", 0))
    return _Epochs(own or 0.5, 0.0 if own else float(work.request.tuning_epochs))


def _method(work: _Work, number: int, method: MethodChoice, pruner: Pruner) -> Iterator[Progress]:
    """Prune by one method; fractions are of this method."""
    index, made = work.first_index(number), 0
    count = len(method.sparsities)
    started, failure = time.monotonic(), None
    epochs = _epochs(work, pruner)
    pruning, tuning = epochs.pruning / epochs.whole, epochs.tuning / epochs.whole
    try:
        for step in pruner.prune(work.task, method.sparsities):
            if isinstance(step, Progress):
                yield Progress((made + pruning * step.fraction) / count, f"{pruner.label}: {step.message}")
                continue
            what = f"{pruner.label}, {format_share(step.asked)} pruned"
            for share in _finish(work, index + made, step, pruner, method, started):
                yield Progress((made + pruning + tuning * share) / count, what)
            made += 1
            yield Progress(made / count, what)
            started = time.monotonic()
    except CoreError as error:
        failure = FailedMethod(number=number, method=method.name, label=pruner.label, reason=str(error))
    work.keep(work.record.finished(number, failure))


def _finish(
    work: _Work, index: int, pruned: Pruned, pruner: Pruner, method: MethodChoice, started: float
) -> Iterator[float]:
    """Fine-tune one network, evaluate it and keep it; yields the share of fine-tuning that is done."""
    from core.networks.answers import accuracy
    from core.networks.file import About, dump_net
    from core.pruning.retraining import train_masked

    zero_shot = accuracy(pruned.net, work.task.dataset, "validation")
    tuned = work.request.tuning_epochs if not pruned.trained else 0
    if tuned:
        yield from train_masked(pruned.net, work.task.dataset, work.tuning, pruned.masks)
    net = _measured(work, index, pruned, _stage_labels(pruned.net, work.parent), started)
    kept = {name: [int(u) for u in units] for name, units in pruned.kept.items()}
    data = dump_net(
        pruned.net,
        work.task.dataset.input_shape,
        About(kept=kept, method=method.name, asked=pruned.asked),
    )
    # The network first: the summary names only what is there.
    work.ledger.save_artifact(net_file(index), data, _TENSORS)
    defaults = pruner.Config().model_dump()
    changed = sorted((k, v) for k, v in pruner.config.model_dump(mode="json").items() if defaults.get(k) != v)
    about = {
        "method": method.name,
        "label": pruner.label,
        "config": tuple(changed),
        "removes": pruner.removes,
        "tuning_epochs": tuned,
        "note": _note(pruned, net.sparsity),
        "numbers": net.numbers if pruned.trained else net.numbers | {"zero_shot": zero_shot},
        "seconds": round(time.monotonic() - started, 2),
    }
    work.keep(work.record.with_net(net.model_copy(update=about)))


def _note(pruned: Pruned, sparsity: float) -> str:
    said = [pruned.note] if pruned.note else []
    if sparsity <= 0:
        said.append("It removed nothing.")
    elif sparsity < pruned.asked - 0.02 and not pruned.note:
        said.append(
            f"Only {format_share(sparsity, 1)} could be removed: the least that must stay in every layer is reached."
        )
    return " ".join(said)


def _measured(work: _Work, index: int, pruned: Pruned, stages: tuple[str, ...], started: float) -> PrunedNet:
    """Evaluate a network on every benchmark, keep its margins, count and measure; no method is named yet."""
    from core.networks.answers import accuracy
    from core.networks.costs import count_macs, count_parameters

    # Measured as it is downloaded: the compact network, which computes the same with less.
    net = pruned.compact()
    found = dict(evaluate_net(net, work.judge, work.benchmarks))
    data = dump_margins(found, work.judge.probe.fingerprint)
    sha256 = work.ledger.save_artifact(margins_file(index), data, _TENSORS)
    size = _file_size(net, work)
    numbers: dict[str, float] = {
        "accuracy": float(found[CLEAN].correct.mean()),
        "test_accuracy": accuracy(net, work.task.dataset, "test"),
        "params": count_parameters(net),
        "nonzero": sum(int((p != 0).sum()) for p in net.parameters()),
        "macs": count_macs(net, work.task.dataset.input_shape),
        "bytes": size,
    }
    return PrunedNet(
        index=index,
        method="",
        label="",
        config=(),
        removes="",
        asked=pruned.asked,
        sparsity=sparsity_of(pruned, work.parent.net),
        numbers=numbers | _collapse(net, work),
        stages=stages,
        note="",
        seconds=round(time.monotonic() - started, 2),
        tuning_epochs=0,
        surgery=bool(pruned.kept),
        sha256=sha256,
    )


def _collapse(net: nn.Sequential, work: _Work) -> dict[str, float]:
    """Neural collapse on training images; nothing where it is not defined (two class means coincide)."""
    from core.networks.heads import penultimate, weight_and_bias

    probe = training_probe(work.parent.entry)
    features, layer = penultimate(net, probe.x)
    weight, bias = weight_and_bias(layer)
    try:
        found = collapse(features, probe.y, weight, bias)
    except InvalidInput:
        return {}
    values = {"nc1": found.nc1, "nc2_angle": found.nc2_angle, "nc3": found.nc3, "nc4": found.nc4}
    return {name: value for name, value in values.items() if value == value}


def _file_size(net: nn.Sequential, work: _Work) -> int:
    from core.networks.file import About, dump_net

    return len(dump_net(net, work.task.dataset.input_shape, About()))


def _stage_labels(net: nn.Sequential, parent: Model) -> tuple[str, ...]:
    """The parent's names where the stages are the same ones; where blocks are missing, what each stage is."""
    if len(net) == len(parent.labels):
        return parent.labels
    return tuple(f"{index + 1} {type(stage).__name__}" for index, stage in enumerate(net))


def _time(work: _Work) -> Iterator[float]:
    """Latency of the parent and of every network that became smaller; unstructured sparsity saves no time here."""
    from core.export.tracing import onnx_bytes
    from core.tasks.base import task_of

    dataset = work.task.dataset
    names = task_of(dataset).inputs
    nets = [n for n in work.record.models if n.index == PARENT or n.removes in ("units", "blocks")]
    models = []
    for done, net in enumerate(nets):
        models.append(onnx_bytes(_compact_of(work, net.index), dataset.input_shape, names))
        yield 0.6 * (done + 1) / len(nets)
    found = measure_latency(models, dataset.calibration.first(1).arrays())
    record = work.record.model_copy(update={"latency_noisy": found.noisy})
    for net, ms, spread in zip(nets, found.ms.tolist(), found.spread.tolist(), strict=True):
        timed = {"latency_ms": ms, "latency_spread": spread}
        record = record.with_net(net.model_copy(update={"numbers": net.numbers | timed}))
    work.keep(record)
    yield 1.0


def _compact_of(work: _Work, index: int) -> nn.Sequential:
    from core.networks.cut import compact
    from core.networks.file import load_net

    if index == PARENT:
        return work.parent.net
    net, about = load_net(work.ledger.artifact(net_file(index)))
    kept = {name: np.asarray(units, np.intp) for name, units in about["kept"].items()}
    return compact(net, kept) if kept else net


def _sentence(record: PruningRecord) -> str:
    made, failed = len(record.models) - 1, record.failures
    lost = (
        f" {len(failed)} method{'s' * (len(failed) > 1)} could not prune it: {failed[0].reason}"
        if failed
        else ""
    )
    return f"{made} pruned network{'s' * (made != 1)} kept and evaluated.{lost}"
