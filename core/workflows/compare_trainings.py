"""Train one search space in several ways, with several seeds and one budget, and measure the same subnets of each.

Trainings begin in one order: every method with the first seed, then with the next, so that whatever is there at any
time can be compared. Each is the training that `train_supernet` would do with the same settings, to the last bit, here
one after the other, elsewhere several at once. Its supernet is kept as soon as it is trained; a run that was stopped
goes on in the midst of every training that was at work.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.executors.choosing import chosen
from core.library import alone_part
from core.library.compared_methods import Method, labels
from core.library.compared_work import classes_of, efforts
from core.library.comparisons import Budget, ComparedMethod, ComparedTraining, ComparisonRecord
from core.library.library import Library
from core.library.measuring import DataChoice
from core.library.part_rows import numbered, part_file
from core.library.parts import Part, PartDone, Steps, at_desk, done_in_parts, stretch
from core.library.results import Described
from core.library.supernets import SUPERNET_FILE
from core.records import Progress
from core.runtime import heavy_imports
from core.seeding import stream
from core.spaces import Arch
from core.spaces.spread import spread_rows
from core.store.ledger import MemoryLedger
from core.training.budget import allowances, priced
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES, Strategy
from core.training.watch_rows import plain, sizes_in
from core.words import count_of, format_share
from core.workflows import train_supernet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.datasets.base import Dataset
    from core.executors.calls import Desk
    from core.ledger import Ledger
    from core.supernets.base import Supernet

LABEL = "Comparison of trainings"
WEIGHT_CLASS = "training"
APART = ("seed", "seeds", "processes", "title", "command")
"""What does not make another setting: which seeds, how many, what only names the run, and what changes no number."""
MEASURED = ("accuracy", "test_accuracy")
_MEDIA_TYPE = "application/octet-stream"
FUNCTION = "core.workflows.compare_trainings:train"
_BENCH = "bench"


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
    processes: int = Field(1, ge=1, le=64, description="Processes that train; the numbers are the same.")
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
    work = _prepare(request, ledger)
    done = {each.index for each in work.record.trainings}
    parts = [work.part(index) for index in range(work.record.asked)]
    steps = done_in_parts(
        [each for each in parts if each.index not in done],
        chosen(request.processes),
        work.bench.shared,
        ledger,
        done=sum(each.work for each in parts if each.index in done),
        what="trainings",
        earlier=numbered,
    )
    for step in steps:
        if isinstance(step, Progress):
            yield step
        else:
            work.finished(step)
    yield Progress(1.0, _sentence(work.record), {"trainings": len(work.record.trainings)})


@dataclass(frozen=True, eq=False)
class _Bench:
    """What all trainings of a run share: the data, three subnets that are watched, and (n, d) those measured at the end."""

    dataset: Dataset
    sizes: tuple[Arch, ...]
    rows: NDArray[np.uint8]

    def shared(self) -> Mapping[str, bytes]:
        """As bytes, for trainings elsewhere."""
        about = {"sizes": self.sizes, "rows": self.rows.tolist()}
        return {**alone_part.shared(self.dataset), _BENCH: json.dumps(about).encode()}

    @classmethod
    def arrived(cls, desk: Desk) -> _Bench:
        """What `shared` wrote."""
        about = json.loads(desk.shared[_BENCH])
        rows = np.array(about["rows"], np.uint8)
        return cls(alone_part.arrived(desk), tuple(map(tuple, about["sizes"])), rows)


class _Training(BaseConfig):
    """One of the trainings.

    Attributes:
        what: it is, for messages.
        request: the training that it would be by itself.
        share: of its work that is training; the rest is measuring.
    """

    what: str
    request: train_supernet.Request
    share: float


@dataclass(eq=False)
class _Work:
    """A run, and how far it is.

    Attributes:
        training: counted work of a training of each method.
        measuring: of measuring a supernet at its end, in the same unit.
    """

    request: Request
    ledger: Ledger
    bench: _Bench
    record: ComparisonRecord
    training: tuple[float, ...]
    measuring: float

    def part(self, index: int) -> Part:
        """A training as a part of the run."""
        record = self.record
        method, seed = record.place(index)
        each, work = record.methods[method], self.training[method] + self.measuring
        title = f"{record.title}: {each.label}, seed {seed}"[:80]
        training = _Training(
            what=f"{each.label}, seed {seed} ({index + 1} of {record.asked})",
            request=_alone(self.request, method, each.budget.epochs, seed, title),
            share=self.training[method] / work,
        )
        return Part(
            index=index,
            steps=lambda ledger: _steps(training, self.bench, ledger),
            function=FUNCTION,
            payload=lambda: training.model_dump_json().encode(),
            work=work,
        )

    def finished(self, done: PartDone) -> None:
        """Keep a supernet that was trained, then say so: the summary names only what is there."""
        data, media_type = done.files[SUPERNET_FILE]
        method, seed = self.record.place(done.index)
        this = ComparedTraining(
            index=done.index,
            method=method,
            seed=seed,
            bytes=len(data),
            sha256=self.ledger.save_artifact(part_file(done.index, SUPERNET_FILE), data, media_type),
            **json.loads(done.value),
        )
        trainings = sorted((*self.record.trainings, this), key=lambda each: each.index)
        self.record = self.record.model_copy(update={"trainings": tuple(trainings)})
        self.record.save(self.ledger)


def _prepare(request: Request, ledger: Ledger) -> _Work:
    """The data, what is watched, and the record so far; refuses beforehand what could not be trained."""
    net, dataset = train_supernet.untrained(_alone(request, 0, request.training.epochs, request.seed))
    space, table = net.space, CostTable.of(net)

    def macs(rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        return table.total("macs", rows).astype(float)

    rows = spread_rows(space, request.subnets, stream(0, "compare trainings"), macs)
    sizes = sizes_in([tuple(row) for row in rows.tolist()], macs(rows).tolist())
    record = ComparisonRecord.so_far(ledger) or _begun(request, net, dataset, rows, table)
    batch = request.training.batch_size
    training, measuring = efforts(record.methods, net, dataset, rows, batch=batch, seed=request.seed)
    return _Work(request, ledger, _Bench(dataset, sizes, rows), record, training, measuring)


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
        classes=classes_of(net.space, table),
        sizes=sizes,
        stages=stage_labels(net, tuple(rows[sizes[-1]].tolist())),
        batch=min(BATCH, len(dataset.train)),
        samples=(dataset.validation.answers, dataset.test.answers),
        methods=_methods(request, net, dataset),
        seeds=tuple(range(request.seed, request.seed + request.seeds)),
    )


def _methods(request: Request, net: Supernet, dataset: Dataset) -> tuple[ComparedMethod, ...]:
    """The methods with what each may use.

    Raises:
        InvalidInput: a strategy cannot train this space, or in so few epochs; or it trains another one.
    """
    prices, names = [], labels(request.methods)
    for index, method in enumerate(request.methods):
        strategy: Strategy = STRATEGIES.create(method.strategy, method.settings)
        asked = _alone(request, index, request.training.epochs, request.seed)
        own, _ = train_supernet.untrained(asked, dataset=dataset)
        strategy.check_supernet(own)
        if own.space != net.space:
            raise InvalidInput(
                f"{names[index]} trains another search space than {names[0]}; their subnets cannot be compared."
            )
        prices.append(priced(strategy, net.space, len(dataset.train)))
    allowed = allowances(prices, request.training.epochs, request.budget)
    return tuple(
        ComparedMethod(
            label=label,
            strategy=method.strategy,
            settings=dict(method.settings),
            training=dict(method.training),
            budget=Budget(epochs=own.epochs, passes=own.passes, share=own.share),
        )
        for label, method, own in zip(names, request.methods, allowed, strict=True)
    )


def _alone(request: Request, method: int, epochs: int, seed: int, title: str = "") -> train_supernet.Request:
    """The training that one of the comparison is."""
    own = request.methods[method]
    training = {
        **own.training,
        "strategy": own.strategy,
        "strategy_config": own.settings,
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


def train(payload: bytes, desk: Desk) -> bytes:
    """Train and measure one supernet where a call runs."""
    heavy_imports()
    training, bench = _Training.model_validate_json(payload), _Bench.arrived(desk)
    return at_desk(desk, lambda ledger: _steps(training, bench, ledger))


def _steps(training: _Training, bench: _Bench, ledger: Ledger) -> Steps:
    """Train one supernet and measure its subnets; its file is an artifact, what it returns is of a `ComparedTraining`."""
    from core.supernets.files import dump_supernet
    from core.training.watched import train_watched

    asked, dataset, what = training.request, bench.dataset, training.what
    net, _ = train_supernet.untrained(asked, dataset=dataset)
    learning = train_watched(net, dataset, asked.training, ledger, bench.sizes)
    net = yield from stretch(learning, what, share=training.share)
    measuring = _measured(net, bench.rows, dataset)
    columns = yield from stretch(measuring, what, begins=training.share, share=1 - training.share)
    epochs = ledger.metrics()
    card = train_supernet.card_of(asked, dataset, _unwatched(ledger), Library())
    ledger.save_artifact(SUPERNET_FILE, dump_supernet(net, card), _MEDIA_TYPE)
    found = {
        "seconds": round(sum(float(row["seconds"]) for row in epochs), 2),
        "passes": float(epochs[-1]["passes"]) / net.task.steps(dataset, asked.training.batch_size),
        **columns,
    }
    return json.dumps(found).encode()


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


def _unwatched(ledger: Ledger) -> Ledger:
    """The ledger that a training by itself would have, for its card."""
    found, kept = MemoryLedger(), ledger.latest_checkpoint()
    for row in map(plain, ledger.metrics()):
        found.log_metrics(int(row.pop("step")), row)
    if kept is not None:
        found.checkpoint(kept, fraction=1.0)
    return found


def _sentence(record: ComparisonRecord) -> str:
    """Mean test accuracy of the measured subnets, method by method."""
    told = []
    for index, method in enumerate(record.methods):
        means = [float(np.mean(t.test_accuracy)) for t in record.trainings if t.method == index]
        told.append(f"{method.label} {format_share(float(np.mean(means)), 1)}")
    seeds = count_of(len(record.seeds), "seed")
    return f"Mean test accuracy of {len(record.arch_ids):,} subnets over {seeds}: {', '.join(told)}."
