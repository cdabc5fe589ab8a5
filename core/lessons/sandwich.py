"""Lesson 4: why a network cannot simply be cut smaller, and what the sandwich rule does about it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.lessons.asking import Answer, Ask, Choose, Number
from core.lessons.base import (
    LESSONS,
    SUPERNET,
    ComputedLesson,
    Evidence,
    ForTeachers,
    Further,
    Set,
    Shown,
)
from core.lessons.charts import Curves, Line
from core.lessons.trainings import SIZES, Training, about, accuracy_line, drawn, space_of, train_each
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library
    from core.records import Progress

ALONE, RANDOM, SANDWICH = "largest_alone", "uniform", "sandwich"
_LABELS = {ALONE: "Largest alone", RANDOM: "Random single path", SANDWICH: "Sandwich"}
_TRAININGS = (Training(ALONE, 0.22), Training(RANDOM, 0.2), Training(SANDWICH, 0.58))
_DRAWN = 20
_CLASSES = 10
_POINT = 0.01


class Config(BaseConfig):
    """How long the lesson trains."""

    epochs: int = Field(20, ge=1, le=200, description="Passes over the training data, for each training.")


class Three(Evidence):
    """One supernet, trained in three ways.

    Attributes:
        trainings: names of the strategies.
        smallest, middle, largest: of each training, validation accuracy after every epoch.
        sampled: of each training, validation accuracy of the same drawn subnets in the end.
    """

    trainings: tuple[str, ...] = (ALONE, RANDOM, SANDWICH)
    smallest: tuple[tuple[float, ...], ...]
    middle: tuple[tuple[float, ...], ...]
    largest: tuple[tuple[float, ...], ...]
    sampled: tuple[tuple[float, ...], ...]


@LESSONS.register("sandwich")
class SandwichLesson(ComputedLesson[Three]):
    """Three trainings of one supernet: the largest subnet alone, random ones, and the sandwich rule."""

    label = "Can a trained network simply be cut smaller?"
    source = "Yu et al., Slimmable Neural Networks, ICLR 2019; Yu et al., BigNAS, ECCV 2020"
    place = 4
    teacher = ForTeachers(
        goal="Can say why a subnet must be trained to work by itself, and what the sandwich rule trains in each step.",
        typical_error="Expects a gentle loss when a trained network is cut. Ask: who told the first channels to manage alone?",
        minutes=8,
    )
    Evidence: ClassVar[type[Three]] = Three
    Config = Config
    seconds = 20.0

    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, Three]:
        ids = drawn(space_of(SUPERNET), _DRAWN, seed)
        found = yield from train_each(
            SUPERNET, _TRAININGS, seed=seed, epochs=self.config.epochs, sampled=ids, ledger=ledger
        )
        each = [found[t.strategy] for t in _TRAININGS]
        return Three(
            seed=seed,
            about=about(self.config.epochs, seed),
            smallest=tuple(t.accuracy["smallest"] for t in each),
            middle=tuple(t.accuracy["middle"] for t in each),
            largest=tuple(t.accuracy["largest"] for t in each),
            sampled=tuple(t.sampled for t in each),
        )

    def text(self, evidence: Three) -> tuple[str, ...]:
        return (
            "A subnet is a slice of the supernet. So why not train the largest network as usual, and cut?",
            "The same supernet was trained three times, for equally many steps. **Largest alone**: each step trains the largest "
            "subnet. **Random single path**: each step trains one random subnet. **Sandwich**: each step trains the largest, the "
            "smallest and two random ones, and the largest teaches the others. The figure shows how the largest subnet learned; "
            "the others come after your prediction.",
        )

    def action(self, evidence: Three) -> str:
        return "Compare the largest subnet of the three trainings."

    def figure(self, evidence: Three, shown: Shown) -> Curves:
        sizes = SIZES[::-1] if shown.revealed else SIZES[-1:]
        lines = tuple(
            accuracy_line(size, curve, _LABELS[training])
            for at, training in enumerate(evidence.trainings)
            for size in sizes
            for curve in [getattr(evidence, size)[at]]
        )
        ends = "; ".join(
            f"{_LABELS[training]}: "
            + ", ".join(f"{size} {format_share(getattr(evidence, size)[at][-1], 1)}" for size in sizes)
            for at, training in enumerate(evidence.trainings)
        )
        return Curves(
            "epoch",
            "validation accuracy, %",
            f"In the end, {ends}.",
            lines=(*lines, *self._mine(evidence, shown)),
        )

    def prediction(self, evidence: Three, controls: Set) -> Ask:
        largest = format_share(self._last(evidence, "largest", ALONE), 1)
        return Number(
            f"Only the largest subnet was trained; it reaches {largest}. Its smallest slice, never trained by itself: which "
            f"accuracy has it, of {_CLASSES} classes?",
            unit="%",
            tolerance=5.0,
        )

    def truth(self, evidence: Three, controls: Set) -> float:
        return 100 * self._last(evidence, "smallest", ALONE)

    def found(self, evidence: Three, controls: Set, prediction: Answer) -> str:
        alone = self._last(evidence, "smallest", ALONE)
        mine = self.prediction(evidence, controls).words(prediction)
        said = f"You said {mine}; it is {format_share(alone, 1)}"
        if alone <= 1 / _CLASSES + 5 * _POINT:
            cut = f"{said}, no better than guessing: nobody trained these weights to work without the others."
        else:
            cut = f"{said}, more than guessing: here a slice is of some use even untrained."
        smallest = {t: self._last(evidence, "smallest", t) for t in evidence.trainings}
        best = max(smallest, key=smallest.__getitem__)
        wins = f"The best smallest subnet comes from {_LABELS[best]}: {format_share(smallest[best], 1)}."
        cost = self._last(evidence, "largest", SANDWICH) - self._last(evidence, "largest", ALONE)
        if abs(cost) <= _POINT:
            paid = "Sandwich costs the largest subnet less than a point."
        elif cost < 0:
            paid = f"Sandwich costs the largest subnet {-100 * cost:.1f} points."
        else:
            paid = f"With Sandwich the largest subnet even gains {100 * cost:.1f} points."
        return f"{cut} {wins} {paid} But a step of Sandwich trains four subnets, of the others one."

    def question(self, evidence: Three, controls: Set) -> Ask:
        return Choose(
            f"{len(evidence.sampled[0])} subnets were drawn at random, the same in all trainings. Which training gives them the "
            "highest mean accuracy?",
            options={t: _LABELS[t] for t in evidence.trainings},
        )

    def answer(self, evidence: Three, controls: Set) -> str:
        means = self._means(evidence)
        return max(means, key=means.__getitem__)

    def explain(self, evidence: Three, controls: Set, given: Answer) -> str:
        means, truth = self._means(evidence), self.answer(evidence, controls)
        listed = ", ".join(f"{_LABELS[t]} {format_share(mean, 1)}" for t, mean in means.items())
        second = sorted(means.values())[-2]
        if given == truth and means[truth] - second <= _POINT:
            return f"Right, though the first two are within a point, which is chance: {listed}."
        if given == truth:
            return f"Right: {listed}."
        mine = format_share(means[str(given)], 1)
        if given == ALONE:
            return f"Its largest is good, but a subnet drawn at random is hardly ever the largest: their mean is {mine}."
        return f"There their mean is {mine}; another training gives more."

    def further(self, evidence: Three) -> tuple[Further, ...]:
        link = Further(
            "front",
            {"supernet": SUPERNET, "x": "macs", "y": "accuracy"},
            "See all subnets of the supernet that the sandwich rule trained with seed 0.",
            {size: self._last(evidence, size, SANDWICH) for size in SIZES} if evidence.seed == 0 else {},
        )
        train = Further(
            "supernets",
            {},
            "Train digits-lesson as Uniform single path with 80 epochs, and see whether random paths catch up.",
        )
        return link, train

    @classmethod
    def example(cls, rng: np.random.Generator) -> Three:
        epochs = int(rng.integers(1, 5))
        coarse = rng.random() < 0.3

        def curves(*shape: int) -> tuple[tuple[float, ...], ...]:
            values = rng.random(shape) * rng.choice([0.15, 1.0])
            if coarse:  # ties
                values = np.full(shape, 0.1) + np.round(rng.random((shape[0], 1)), 1) * 0.5
            return tuple(map(tuple, np.round(values, 4).tolist()))

        return Three(
            seed=int(rng.integers(2)),
            smallest=curves(3, epochs),
            middle=curves(3, epochs),
            largest=curves(3, epochs),
            sampled=curves(3, int(rng.integers(1, 6))),
        )

    @staticmethod
    def _mine(evidence: Three, shown: Shown) -> tuple[Line, ...]:
        """What was predicted, in the panel that it is about."""
        if not isinstance(shown.prediction, float):
            return ()
        ends = (1.0, float(len(evidence.smallest[0])))
        # Not as "mine": two of the sizes have its color and its dash.
        label = "smallest, as you predicted"
        return (Line(label, ends, (shown.prediction,) * 2, "reference", panel=_LABELS[ALONE]),)

    @staticmethod
    def _last(evidence: Three, size: str, training: str) -> float:
        curves: tuple[tuple[float, ...], ...] = getattr(evidence, size)
        return curves[evidence.trainings.index(training)][-1]

    @staticmethod
    def _means(evidence: Three) -> dict[str, float]:
        """By training, rounded so that the order of a sum does not part what is equal."""
        return {
            t: round(float(np.mean(values)), 6)
            for t, values in zip(evidence.trainings, evidence.sampled, strict=True)
        }
