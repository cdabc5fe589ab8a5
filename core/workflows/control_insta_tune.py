"""InstaTune beside its honest controls: the same with units at random, nothing but cutting, and training alone as long.

For every seed: the given network's units are put into an order of importance, and at random; three subnets are cut out
of each as they are; each is tuned as a supernet (`insta_tune`), and they are cut out again; and each subnet is trained
alone from fresh weights, with the same settings, for as many epochs as take the computing that InstaTune takes.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.datasets import load_dataset
from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.executors.choosing import chosen
from core.library import alone_part, order_controls_part, supernets
from core.library.measuring import DataChoice
from core.library.order_controls import (
    ALONE,
    CUT,
    CUT_RANDOM,
    SIZES,
    TUNED,
    TUNED_RANDOM,
    OrderControlsRecord,
    Reached,
    Way,
)
from core.library.order_controls_part import Bench, Tuned, Tuning, measured
from core.library.part_rows import numbered
from core.library.parts import Part, PartDone, done_in_parts
from core.library.results import Described
from core.networks.criteria import CRITERIA
from core.records import Progress
from core.seeding import stream
from core.spaces import Arch
from core.training.actions import ACTIONS
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES, Strategy
from core.words import count_of, format_share
from core.workflows.train_supernet import data_card

if TYPE_CHECKING:
    from torch import nn

    from core.datasets.base import Dataset
    from core.ledger import Ledger
    from core.library.library import Library
    from core.library.supernets import SupernetEntry
    from core.supernets.base import Supernet

LABEL = "InstaTune and its controls"
WEIGHT_CLASS = "training"
APART = ("seed", "seeds", "processes")
"""What does not make another setting: which seeds, how many, and what changes no number."""
RANDOM = "random_units"
_SAMPLE = 4096
"""Architectures among which the median is looked for, in larger spaces."""
_TRIAL_STEPS = 4
_MOST_EPOCHS = 500
_INSTA_TUNE = "insta_tune"


class Request(BaseConfig):
    """Which network to tune, how, and how often."""

    supernet: str = Field(description="Name, id or file of the supernet whose largest subnet is the network.")
    data: DataChoice | None = Field(None, description="Data set to tune on; what its card names if left out.")
    criterion: str = Field(
        "taylor",
        description="What says how much a unit matters.",
        json_schema_extra={"registry": "criterion"},
    )
    training: Settings = Field(
        default_factory=dict, description="Settings of the training; InstaTune's suggestions where left out."
    )
    strategy: Settings = Field(default_factory=dict, description="InstaTune's own settings.")
    epochs: int = Field(5, ge=1, le=2000, description="Passes over the training data.")
    seeds: int = Field(
        3, ge=1, le=20, description="How often, each with another random order and samples' order."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="First seed; the others follow it.")
    alone: bool = Field(True, description="Train the subnets alone for as long, too.")
    processes: int = Field(1, ge=1, le=64, description="Processes that train; the numbers are the same.")

    @field_validator("criterion")
    @classmethod
    def _exists(cls, name: str) -> str:
        return CRITERIA.info(name).name


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Tune and control, or go on; the artifact is a summary, written after every training.

    Raises:
        NotFound, InvalidInput: the supernet, the data or a setting does not exist or does not fit.
        DataUnavailable: the data set is neither here nor reachable.
        CoreError: a training diverged; what was found before is kept.
    """
    yield Progress(0.0, "Reading the supernet and its data.")
    work = _prepare(request, ledger, library)
    parts = [work.part(index) for index in range(work.record.asked) if not work.done(index)]
    steps = done_in_parts(
        parts,
        chosen(request.processes),
        work.bench.shared,
        ledger,
        done=float(work.record.asked - len(parts)),
        what="trainings",
        earlier=numbered,
    )
    for step in steps:
        if isinstance(step, Progress):
            yield step
        else:
            work.finished(step)
    yield Progress(1.0, _sentence(work.record), {"trainings": work.record.asked})


@dataclass(eq=False)
class _Work:
    """A run, and how far it is."""

    request: Request
    ledger: Ledger
    bench: Bench
    record: OrderControlsRecord

    def place(self, index: int) -> tuple[int, int]:
        """Seed of a training, and which of that seed's: by importance, at random, then alone by size."""
        each = 2 + len(SIZES) * self.record.alone
        return self.record.seeds[index // each], index % each

    def done(self, index: int) -> bool:
        seed, which = self.place(index)
        way, size = _ways(which)
        return bool(self.record.of(way, size).get(seed))

    def config(self, seed: int, criterion: str) -> TrainingConfig:
        settings: dict[str, Any] = {
            **self.record.training,
            "strategy": _INSTA_TUNE,
            "strategy_config": {**self.request.strategy, "order": True, "criterion": criterion},
            "seed": seed,
        }
        return TrainingConfig.model_validate(settings)

    def part(self, index: int) -> Part:
        """A training as a part of the run; for how long a network is trained alone is found when its turn comes."""
        seed, which = self.place(index)
        if which < 2:
            criterion = (self.record.criterion, RANDOM)[which]
            order = "at random" if criterion == RANDOM else "by importance"
            what = f"Training {index + 1} of {self.record.asked}, units {order}, seed {seed}"
            tuning = Tuning(criterion=criterion, config=self.config(seed, criterion), what=what)
            return order_controls_part.part(index, tuning, self.bench)
        return Part(
            index=index,
            steps=lambda ledger: self._alone(index).steps(ledger),
            function=alone_part.FUNCTION,
            payload=lambda: self._alone(index).payload(),
        )

    def _alone(self, index: int) -> Part:
        """One subnet from fresh weights, for as much computing as InstaTune takes."""
        from core.networks.chain import fresh_like

        seed, which = self.place(index)
        arch, size, given = self.bench.archs[which - 2], SIZES[which - 2], self.bench.net
        net = fresh_like(given.extract(arch, given.calibrate_on(arch, self.bench.dataset)), seed)
        config = self.config(seed, self.record.criterion)
        key = f"{seed} {size}"
        if key not in self.record.planned:  # written down first: a run that goes on trains for as many
            planned = {**self.record.planned, key: _fitting(self.bench, net, config)}
            self.keep(planned=planned)
        training = alone_part.Training(
            index=index,
            of=self.record.asked,
            net=lambda: net,
            config=config.model_copy(update={"epochs": self.record.planned[key]}),
            arch_id=self.record.arch_ids[which - 2],
            supernet_sha256=self.record.sha256,
            keep_file=False,
            what=f"{size.capitalize()} subnet alone, training",
        )
        return alone_part.part(training, self.bench.dataset)

    def finished(self, done: PartDone) -> None:
        """Write down what a training came to."""
        seed, which = self.place(done.index)
        way, size = _ways(which)
        if which < 2:
            tuned = Tuned.read(done.value)
            epochs = int(self.record.training["epochs"])  # type: ignore[arg-type]
            cut = (CUT, CUT_RANDOM)[which]
            reached = [
                Reached(way=each, seed=seed, size=at, accuracy=a, test_accuracy=b, seconds=s, epochs=n)
                for each, found, s, n in (
                    (cut, tuned.before, 0.0, 0),
                    (way, tuned.after, tuned.seconds, epochs),
                )
                for at, (a, b) in enumerate(found)
            ]
        else:
            net = alone_part.Trained.read(done.value)
            one = Reached(
                way=way,
                seed=seed,
                size=size,
                accuracy=net.accuracy,
                test_accuracy=net.test_accuracy,
                seconds=net.seconds,
                epochs=self.record.planned[f"{seed} {SIZES[size]}"],
            )
            reached = [one]
        every = sorted((*self.record.reached, *reached), key=lambda each: (each.seed, _which(each)))
        self.keep(reached=tuple(every))

    def keep(self, **changed: Any) -> None:
        """Write the record down with these fields changed."""
        self.record = self.record.model_copy(update=changed)
        self.record.save(self.ledger)


def _ways(which: int) -> tuple[Way, int]:
    """A way that a training's results carry, and the size they are told by."""
    if which < 2:
        return (TUNED, TUNED_RANDOM)[which], len(SIZES) - 1
    return ALONE, which - 2


def _which(reached: Reached) -> int:
    """Which of its seed's trainings gave a result."""
    if reached.way == ALONE:
        return 2 + reached.size
    return int(reached.way in (CUT_RANDOM, TUNED_RANDOM))


def _prepare(request: Request, ledger: Ledger, library: Library) -> _Work:
    entry = library.supernet(request.supernet)
    dataset, choice = _data(request, entry)
    net = copy.deepcopy(supernets.load(entry))
    net.task.require_fit(net.config, dataset)
    if not net.orderable():
        raise InvalidInput(
            f"The units of the family {net.label} cannot change places: there is no order to control. Choose a transformer."
        )
    STRATEGIES.create(_INSTA_TUNE).check(net.space)
    archs = three_sizes(net)
    record = OrderControlsRecord.so_far(ledger) or _begun(request, entry, net, dataset, choice, archs)
    return _Work(request, ledger, Bench(net, dataset, archs), record)


def _data(request: Request, entry: SupernetEntry) -> tuple[Dataset, DataChoice]:
    choice = request.data
    if choice is None:
        named = entry.card.data
        if named is None:
            raise InvalidInput("Nothing says which data this supernet is for: choose the data to tune it on.")
        choice = DataChoice(name=named.name, seed=named.seed, config=named.config)
    own: dict[str, Any] = choice.config
    return load_dataset(choice.name, seed=choice.seed, **own), choice


def three_sizes(net: Supernet) -> list[Arch]:
    """The smallest, the median and the largest architecture by MACs; the median of many drawn ones in a large space."""
    space, table = net.space, CostTable.of(net)
    rows = space.array() if space.size <= _SAMPLE else space.sample_array(_SAMPLE, stream(0, "three sizes"))
    macs = table.total("macs", rows)
    median = rows[np.argsort(macs, kind="stable")[len(rows) // 2]]
    return [space.smallest, tuple(median.tolist()), space.largest]


def _begun(
    request: Request,
    entry: SupernetEntry,
    net: Supernet,
    dataset: Dataset,
    choice: DataChoice,
    archs: list[Arch],
) -> OrderControlsRecord:
    """A record without any training; the settings are refused here if they are wrong."""
    suggested = STRATEGIES.get(_INSTA_TUNE).suggests
    settings: dict[str, Any] = {"batch_size": 32, **suggested, **request.training, "epochs": request.epochs}
    own = {"strategy": _INSTA_TUNE, "strategy_config": request.strategy}
    config = TrainingConfig.model_validate({**settings, **own})
    STRATEGIES.create(_INSTA_TUNE, config.strategy_config)
    table, rows = CostTable.of(net), np.array(archs, np.uint8)
    left_out = {"strategy", "strategy_config", "seed"}
    return OrderControlsRecord(
        supernet=entry.supernet_id,
        sha256=entry.sha256,
        title=entry.title,
        data=Described(**data_card(choice, dataset)),
        criterion=request.criterion,
        training=config.model_dump(mode="json", exclude=left_out),
        arch_ids=tuple(net.space.arch_id(arch) for arch in archs),  # type: ignore[arg-type]
        macs=tuple(table.total("macs", rows).astype(float).tolist()),
        params=tuple(table.total("params", rows).astype(float).tolist()),
        samples=(len(dataset.validation), len(dataset.test)),
        given=measured(net, dataset, archs)[-1][1],
        seeds=tuple(range(request.seed, request.seed + request.seeds)),
        alone=request.alone,
    )


def _fitting(bench: Bench, net: nn.Module, config: TrainingConfig) -> int:
    """Epochs of this network that take as much computing as InstaTune's, by steps of both in turn, on copies.

    Seconds of computing, not by the clock: what else the machine does meanwhile changes nothing.
    """
    from core.tasks.base import task_of
    from core.training.plain import PlainStep
    from core.training.supernet_session import SupernetSession

    strategy: Strategy = STRATEGIES.create(config.strategy, config.strategy_config)
    whole = copy.deepcopy(bench.net)
    session = SupernetSession(whole, bench.dataset, config, strategy, strategy.phases(whole.space)[0])
    ACTIONS["freeze_teacher"](session)
    alone = PlainStep(copy.deepcopy(net).requires_grad_(True), bench.dataset, config)
    batches = task_of(bench.dataset).epoch(
        bench.dataset, batch_size=config.batch_size, seed=0, epoch=0, augmentation=config.augmentation
    )
    took: list[tuple[float, float]] = []
    for step, batch in zip(range(1 + _TRIAL_STEPS), batches, strict=False):
        session.step, begun = step, time.process_time()
        strategy.step(session, batch)
        between = time.process_time()
        alone(step, batch, config.learning_rate)
        took.append((between - begun, time.process_time() - between))
    # The first steps warm up.
    tuning, by_itself = np.median(np.array(took[1:] or took), axis=0).tolist()
    return max(1, min(_MOST_EPOCHS, round(config.epochs * tuning / max(by_itself, 1e-9))))


def _sentence(record: OrderControlsRecord) -> str:
    def mean(way: str) -> str:
        found = [each.test_accuracy for each in record.of(way, 0).values()]
        return format_share(float(np.mean(found)), 1)

    alone = f", alone for as long {mean(ALONE)}" if record.alone else ""
    return (
        f"Test accuracy of the smallest subnet: cut {mean(CUT)} (units at random {mean(CUT_RANDOM)}), after InstaTune "
        f"{mean(TUNED)} (at random {mean(TUNED_RANDOM)}){alone}; {count_of(len(record.seeds), 'seed')}."
    )
