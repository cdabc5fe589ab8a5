"""Train one search space in several ways, with several seeds and one budget, and measure the same subnets of each.

Trainings follow each other: every method with the first seed, then with the next, so that whatever is there at any
time can be compared. Each is the training that `train_supernet` would do with the same settings, to the last bit. Its
supernet is kept as soon as it is trained; a run that was stopped goes on in the midst of a training.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.library.compared_methods import Method, labels
from core.library.comparisons import (
    Budget,
    Classes,
    ComparedMethod,
    ComparedTraining,
    ComparisonRecord,
)
from core.library.measuring import DataChoice
from core.library.results import Described
from core.library.supernets import SUPERNET_FILE
from core.records import Metrics, Progress
from core.seeding import stream
from core.spaces import Arch, SearchSpace
from core.spaces.spread import spread_rows
from core.store.part_ledger import PartLedger
from core.training.budget import allowances, priced
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES, Strategy
from core.training.strategies.base import epochs_of
from core.training.watch import SizeClasses
from core.training.watch_rows import plain, sizes_in
from core.words import format_share
from core.workflows import train_supernet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.datasets.base import Dataset
    from core.ledger import Ledger
    from core.library.library import Library
    from core.supernets.base import Supernet
LABEL = "Comparison of trainings"
WEIGHT_CLASS = "training"
APART = ("seed", "seeds", "title", "command")
"""What does not make another setting: which seeds, how many, and what only names the run."""
MEASURED = ("accuracy", "test_accuracy")
_MEDIA_TYPE = "application/octet-stream"
_SAMPLE = 4096
"""Architectures that stand for a larger space."""
_WATCHED, _MOST_VALIDATION = 9, 1000
"""Subnets measured after every epoch, and samples; for progress alone."""


class Request(BaseConfig):
    """What to train, in which ways, and how often."""

    title: str = Field(
        "My comparison", min_length=1, max_length=80, description="What the comparison is called."
    )
    family: str = Field(description="Supernet family.")
    config: Settings = Field(
        default_factory=dict, description="The family's settings; image shape and classes come from the data."
    )
    data: DataChoice = Field(description="Data set to train on.")
    training: TrainingConfig = Field(
        default_factory=TrainingConfig,
        description="How to train; its strategy and its seed are not used, its epochs are those of the first method.",
    )
    methods: tuple[Method, ...] = Field(min_length=2, max_length=8, description="Ways to train it.")
    seeds: int = Field(3, ge=1, le=20, description="Trainings of each method, each from weights of its own.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="First seed; the others follow it.")
    budget: Literal["steps", "passes"] = Field(
        "steps",
        description="What is equal: steps, or forward passes with a gradient (a step of one method may cost several times that of another).",
    )
    subnets: int = Field(
        600, ge=3, le=5000, description="Subnets measured of every supernet, spread over MACs."
    )
    command: str = Field("", description="Command that starts this comparison.")

    @field_validator("methods")
    @classmethod
    def _different(cls, methods: tuple[Method, ...]) -> tuple[Method, ...]:
        if any(one == other for at, one in enumerate(methods) for other in methods[:at]):
            raise ValueError("two methods are the same; change a setting of one of them")
        return methods


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Train and measure, or go on; the artifacts are a supernet per training and a summary.

    Raises:
        NotFound, InvalidInput: family, data, a strategy or a setting does not exist or does not fit.
        DataUnavailable: the data set is neither here nor reachable.
        CoreError: a training diverged; what was trained before is kept.
    """
    yield Progress(0.0, f"Reading the data set {request.data.name}.")
    work = _prepare(request, ledger, library)
    done = {each.index for each in work.record.trainings}
    for index in range(work.record.asked):
        if index not in done:
            yield from _train_one(work, index)
    yield Progress(1.0, _sentence(work.record), {"trainings": len(work.record.trainings)})


@dataclass(eq=False)
class _Work:
    """What all trainings of a run share.

    Attributes:
        training: counted work of a training of each method.
        measuring: of measuring a supernet at its end, in the same unit.
    """

    request: Request
    ledger: Ledger
    library: Library
    dataset: Dataset
    sizes: tuple[Arch, ...]
    rows: NDArray[np.uint8]
    record: ComparisonRecord
    training: tuple[float, ...]
    measuring: float

    def stretch(self, index: int) -> tuple[float, float, float]:
        """Of a training: the share of all work before it, its own share, and the part of that which is training."""
        trainings = [self.training[self.record.place(i)[0]] for i in range(self.record.asked)]
        each = [training + self.measuring for training in trainings]
        return sum(each[:index]) / sum(each), each[index] / sum(each), trainings[index] / each[index]


def _prepare(request: Request, ledger: Ledger, library: Library) -> _Work:
    """The data, what is watched, and the record so far; refuses beforehand what could not be trained."""
    net, dataset = train_supernet.untrained(_alone(request, 0, request.training.epochs, request.seed))
    space, table = net.space, CostTable.of(net)

    def macs(rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        return table.total("macs", rows).astype(float)

    rows = spread_rows(space, request.subnets, stream(0, "compare trainings"), macs)
    sizes = sizes_in([tuple(row) for row in rows.tolist()], macs(rows).tolist())
    record = ComparisonRecord.so_far(ledger) or _begun(request, net, dataset, rows, table)
    training, measuring = _efforts(request, record, net, dataset, rows)
    return _Work(
        request=request,
        ledger=ledger,
        library=library,
        dataset=dataset,
        sizes=sizes,
        rows=rows,
        record=record,
        training=training,
        measuring=measuring,
    )


def _efforts(
    request: Request, record: ComparisonRecord, net: Supernet, dataset: Dataset, rows: NDArray[np.uint8]
) -> tuple[tuple[float, ...], float]:
    """Counted work of a training of each method, and of measuring these subnets at its end; for progress alone."""
    from core.evaluation.work import ORDINARY, walk_parts
    from core.training.work import epoch_works

    steps, batch = net.task.steps(dataset, request.training.batch_size), request.training.batch_size
    found = []
    for method in record.methods:
        strategy: Strategy = STRATEGIES.create(method.strategy, method.settings)
        phases = strategy.phases(net.space)
        works = epoch_works(
            net,
            strategy,
            phases,
            epochs_of(phases, method.budget.epochs),
            steps=steps,
            batch=batch,
            shown=rows[:: max(1, len(rows) // _WATCHED)],
            measured=min(len(dataset.validation), _MOST_VALIDATION),
            seed=request.seed,
        )
        found.append(sum(work.whole for work in works))
    samples = (
        1 if net.task.whole else sum(len(dataset.split(n)) for n in ("calibration", "validation", "test"))
    )
    return tuple(found), float(walk_parts(net, CostTable.of(net), rows, samples).sum(0) @ ORDINARY)


def _begun(
    request: Request,
    net: Supernet,
    dataset: Dataset,
    rows: NDArray[np.uint8],
    table: CostTable,
) -> ComparisonRecord:
    """A record without any training.

    Raises:
        InvalidInput: a strategy cannot train this space.
    """
    from core.training.gradient_conflict import BATCH, stage_labels

    macs = table.total("macs", rows).astype(float)
    order = np.argsort(macs, kind="stable")
    sizes = tuple(int(order[at]) for at in (0, len(order) // 2, -1))
    return ComparisonRecord(
        title=request.title,
        family=request.family,
        config=request.config,
        data=Described(**train_supernet.data_card(request.data, dataset)),
        choice=request.data.model_dump(mode="json"),
        training=request.training.model_dump(mode="json"),
        budget=request.budget,
        space=tuple(dict(each) for each in net.space.to_json()),
        size=net.space.size,
        arch_ids=tuple(net.space.arch_ids(rows)),
        macs=tuple(macs.tolist()),
        params=tuple(table.total("params", rows).astype(float).tolist()),
        classes=_classes(net.space, table),
        sizes=sizes,
        stages=stage_labels(net, tuple(rows[sizes[-1]].tolist())),
        batch=min(BATCH, len(dataset.train)),
        samples=(dataset.validation.answers, dataset.test.answers),
        methods=_methods(request, net, len(dataset.train)),
        seeds=tuple(range(request.seed, request.seed + request.seeds)),
    )


def _classes(space: SearchSpace, table: CostTable) -> Classes:
    """Classes of cost as every training has them, and what of the space is in each."""
    found = SizeClasses.of(space, lambda archs: table.total("macs", np.array(archs, np.uint8)))
    rows = space.array() if space.size <= _SAMPLE else space.sample_array(_SAMPLE, stream(0, "classes"))
    counts = np.bincount(found.of_costs(table.total("macs", rows)), minlength=len(found.most))
    return Classes(most=tuple(found.most.tolist()), shares=tuple((counts / counts.sum()).tolist()))


def _methods(request: Request, net: Supernet, samples: int) -> tuple[ComparedMethod, ...]:
    """The methods with what each may use.

    Raises:
        InvalidInput: a strategy cannot train this space, or in so few epochs.
    """
    prices = []
    for method in request.methods:
        strategy: Strategy = STRATEGIES.create(method.strategy, method.settings)
        strategy.check_supernet(net)
        prices.append(priced(strategy, net.space, samples))
    allowed = allowances(prices, request.training.epochs, request.budget)
    return tuple(
        ComparedMethod(
            label=label,
            strategy=method.strategy,
            settings=dict(method.settings),
            training=dict(method.training),
            budget=Budget(epochs=own.epochs, passes=own.passes, share=own.share),
        )
        for label, method, own in zip(labels(request.methods), request.methods, allowed, strict=True)
    )


def _alone(request: Request, method: int, epochs: int, seed: int, title: str = "") -> train_supernet.Request:
    """The training that one of the comparison is."""
    chosen = request.methods[method]
    training = {
        **chosen.training,
        "strategy": chosen.strategy,
        "strategy_config": chosen.settings,
        "epochs": epochs,
        "seed": seed,
    }
    return train_supernet.Request(
        title=title or request.title,
        family=request.family,
        config=request.config,
        data=request.data,
        training=TrainingConfig.model_validate({**request.training.model_dump(mode="json"), **training}),
    )


def _train_one(work: _Work, index: int) -> Iterator[Progress]:
    """Train one supernet, keep it, and measure its subnets."""
    from core.training.watched import train_watched

    record = work.record
    method, seed = record.place(index)
    chosen = record.methods[method]
    what = f"{chosen.label}, seed {seed} ({index + 1} of {record.asked})"
    begins, share, training = work.stretch(index)
    part = PartLedger(work.ledger, index, begins=begins, share=share * training)
    title = f"{record.title}: {chosen.label}, seed {seed}"[:80]
    asked = _alone(work.request, method, chosen.budget.epochs, seed, title)
    net, dataset = train_supernet.untrained(asked)
    if net.space != record.described:
        raise InvalidInput(
            f"{chosen.label} trains another search space than {record.methods[0].label}; their subnets cannot be "
            "compared."
        )
    steps = train_watched(net, dataset, asked.training, part, work.sizes)
    net = yield from _scaled(steps, begins, share * training, what)
    columns = yield from _scaled(
        _measured(net, work.rows, dataset), begins + share * training, share * (1 - training), what
    )
    this = _kept(work, asked, net, part, index=index, columns=columns)
    work.record = record.model_copy(update={"trainings": (*record.trainings, this)})
    work.record.save(work.ledger)


T = TypeVar("T")


def _scaled(
    steps: Generator[Progress, None, T], begins: float, share: float, what: str
) -> Generator[Progress, None, T]:
    """A part of the work as a part of the whole; returns what it returns."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            found: T = stop.value
            return found
        yield Progress(begins + share * step.fraction, f"{what}: {step.message}", step.metrics)


def _measured(
    net: Supernet, rows: NDArray[np.uint8], dataset: Dataset
) -> Generator[Progress, None, dict[str, tuple[float, ...]]]:
    """Accuracies of subnets on the validation and the test samples, in the order of the rows."""
    from core.evaluation.evaluator import evaluate
    from core.tasks.base import evaluation_data

    found: dict[tuple[int, ...], dict[str, float]] = {}
    for measurement in evaluate(net, rows, MEASURED, evaluation_data(dataset, ("validation", "test"))):
        found[measurement.arch] = dict(measurement.values)
        yield Progress(len(found) / len(rows), f"measuring {len(rows):,} subnets")
    return {n: tuple(found[tuple(row)][n] for row in rows.tolist()) for n in MEASURED}


class _Unwatched(PartLedger):
    """The ledger of a training with the numbers that one by itself would have, for its card."""

    def metrics(self) -> list[Metrics]:
        return [plain(row) for row in super().metrics()]


def _kept(
    work: _Work,
    asked: train_supernet.Request,
    net: Supernet,
    part: PartLedger,
    *,
    index: int,
    columns: dict[str, tuple[float, ...]],
) -> ComparedTraining:
    """Write down the trained supernet; returns what the summary says of it."""
    from core.supernets.files import dump_supernet
    from core.tasks.base import task_of

    epochs = part.metrics()
    card = train_supernet.card_of(asked, work.dataset, _Unwatched(work.ledger, index), work.library)
    file = dump_supernet(net, card)
    # The supernet first: the summary names only what is there.
    sha256 = part.save_artifact(SUPERNET_FILE, file, _MEDIA_TYPE)
    method, seed = work.record.place(index)
    return ComparedTraining(
        index=index,
        method=method,
        seed=seed,
        seconds=round(sum(float(row["seconds"]) for row in epochs), 2),
        passes=float(epochs[-1]["passes"])
        / task_of(work.dataset).steps(work.dataset, asked.training.batch_size),
        bytes=len(file),
        sha256=sha256,
        accuracy=columns["accuracy"],
        test_accuracy=columns["test_accuracy"],
    )


def _sentence(record: ComparisonRecord) -> str:
    """Mean test accuracy of the measured subnets, method by method."""
    told = []
    for index, method in enumerate(record.methods):
        means = [float(np.mean(t.test_accuracy)) for t in record.trainings if t.method == index]
        told.append(f"{method.label} {format_share(float(np.mean(means)), 1)}")
    seeds = f"{len(record.seeds)} seed{'s' * (len(record.seeds) > 1)}"
    return f"Mean test accuracy of {len(record.arch_ids):,} subnets over {seeds}: {', '.join(told)}."
