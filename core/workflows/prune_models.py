"""Prune a network in several ways to several sparsities, fine-tune, and evaluate every result.

Networks are kept one by one as they are made. A run that was stopped goes on with the first method that was
not finished: a method's networks may depend on each other, so a method is done as a whole or again.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.executors.choosing import chosen
from core.library import benchmarks as judged
from core.library.benchmarks import Benchmarks
from core.library.parts import Part, PartDone, done_in_parts
from core.library.pruned import (
    PARENT,
    TUNING_EPOCHS,
    PruningRecord,
    net_file,
    require_prunable,
)
from core.library.pruning_part import (
    FUNCTION,
    Bench,
    Epochs,
    Method,
    MethodDone,
    by_method,
    measured,
    payload,
    shared,
)
from core.library.results import Described
from core.library.trainings import training_of
from core.objectives.latency_ms import measure_latency
from core.pruning.pruners.base import Pruned, Pruner, PruningTask
from core.pruning.pruners.creating import METHODS
from core.records import Progress
from core.words import count_of

if TYPE_CHECKING:
    from torch import nn

    from core.ledger import Ledger
    from core.library.library import Library
    from core.library.networks import Model

LABEL = "Pruning"
WEIGHT_CLASS = "training"
APART = ("seed", "processes")
"""What does not make another setting: the seed, and what changes no number."""
_TENSORS = "application/octet-stream"
_TIMING = 1.5
"""Work of timing a network, in epochs of training. For progress alone."""
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
    processes: int = Field(
        1, ge=1, le=64, description="Processes that prune, a method each; the numbers are the same."
    )


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Prune, fine-tune and evaluate; the artifacts are a network and its margins each, and a summary.

    A method that cannot prune this network is noted with its reason, and the others go on.

    Raises:
        NotFound, InvalidInput: the network does not exist, or a setting is wrong.
        DataUnavailable: the data set is neither here nor reachable.
    """
    work = None
    for prepared in _prepare(request, ledger, library):
        if isinstance(prepared, _Work):
            work = prepared
        else:
            yield prepared
    assert work is not None
    parts = [work.part(number) for number in range(len(work.methods))]
    timing = _TIMING * (1 + sum(len(m.sparsities) for m, p in work.pruners if p.removes != "weights"))
    timing = timing if request.latency else 0.0
    total = sum(each.work for each in parts) + timing
    left = [each for each in parts if each.index not in work.record.done]
    before = sum(each.work for each in parts) - sum(each.work for each in left)
    steps = done_in_parts(
        left, chosen(request.processes), lambda: shared(work.bench), ledger, done=before, what="methods"
    )
    for step in steps:
        if isinstance(step, Progress):
            yield Progress(step.fraction * (1 - timing / total), step.message, step.metrics)
        else:
            work.finished(step)
    if request.latency:
        for share in chain((0.0,), _time(work)):
            yield Progress(1 - timing / total * (1 - share), "Timing the networks that became smaller.")
    yield Progress(1.0, _sentence(work.record), {"networks": len(work.record.models) - 1})


@dataclass(eq=False)
class _Work:
    """A run's methods, and what they share."""

    request: Request
    ledger: Ledger
    parent: Model
    bench: Bench
    pruners: list[tuple[MethodChoice, Pruner]]
    record: PruningRecord

    @property
    def methods(self) -> list[Method]:
        """Each with the index of its first network."""
        firsts = accumulate((len(m.sparsities) for m in self.request.methods), initial=1)
        return [
            Method(m.name, m.config, m.sparsities, number, first)
            for number, (m, first) in enumerate(zip(self.request.methods, firsts, strict=False))
        ]

    def part(self, number: int) -> Part:
        """A method as a part of the run; in this process its networks are kept one by one as they are made."""
        method, pruner = self.methods[number], self.pruners[number][1]
        return Part(
            index=number,
            steps=lambda _: by_method(
                self.bench, method, self.ledger, lambda net: self.keep(self.record.with_net(net))
            ),
            function=FUNCTION,
            payload=lambda: payload(method),
            work=len(method.sparsities) * Epochs.of(pruner, self.request.tuning_epochs).whole,
        )

    def finished(self, done: PartDone) -> None:
        """Keep what a method came to."""
        found, record = MethodDone.read(done.value), self.record
        # The networks first: the summary names only what is there.
        for name, (data, media_type) in done.files.items():
            self.ledger.save_artifact(name, data, media_type)
        for net in found.nets:
            record = record.with_net(net)
        self.keep(record.finished(done.index, found.failure))

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
    bench = Bench(
        task=task,
        labels=parent.labels,
        tuning=tuning,
        tuning_epochs=request.tuning_epochs,
        judge=judge,
        training_probe=judged.training_probe(parent.entry),
        benchmarks=request.benchmarks.names(parent.entry.task, letters=bool(judge.probe.tokenizer)),
    )
    work = _Work(request=request, ledger=ledger, parent=parent, bench=bench, pruners=pruners, record=record)
    if not any(net.index == PARENT for net in record.models):
        started = time.monotonic()
        unpruned = Pruned(0.0, parent.net, trained=True)
        work.keep(record.with_net(measured(bench, PARENT, unpruned, ledger, started)))
    yield work


def _time(work: _Work) -> Iterator[float]:
    """Latency of the parent and of every network that became smaller; unstructured sparsity saves no time here."""
    from core.export.tracing import onnx_bytes
    from core.tasks.base import task_of

    dataset = work.bench.task.dataset
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
    lost = f" {count_of(len(failed), 'method')} could not prune it: {failed[0].reason}" if failed else ""
    return f"{count_of(made, 'pruned network')} kept and evaluated.{lost}"
