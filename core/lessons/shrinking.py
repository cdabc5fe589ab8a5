"""Lesson 6: from the large to the small, one kind of choice after another, or all at once."""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise
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
from core.lessons.charts import Curves
from core.lessons.trainings import SIZES, Training, about, accuracy_line, train_each
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library
    from core.records import Progress

SHRINKING, SANDWICH = "progressive_shrinking", "sandwich"
_LABELS = {SHRINKING: "Progressive shrinking", SANDWICH: "Sandwich"}
_TRAININGS = (Training(SHRINKING, 0.4), Training(SANDWICH, 0.6))
_EQUAL = 0.01
"""Accuracies that are no further apart count as equal: on some hundred images, two are rarely surer."""


class Config(BaseConfig):
    """How long the lesson trains."""

    epochs: int = Field(20, ge=4, le=200, description="Passes over the training data, for each training.")


class Phased(Evidence):
    """One supernet trained in phases, and all at once.

    Attributes:
        phases: of progressive shrinking, the phase of each epoch.
        shrinking, sandwich: validation accuracy after each epoch, of the smallest, the middle and the largest subnet.
    """

    phases: tuple[str, ...]
    shrinking: tuple[tuple[float, ...], ...]
    sandwich: tuple[tuple[float, ...], ...]


@LESSONS.register("shrinking")
class Shrinking(ComputedLesson[Phased]):
    """Progressive shrinking beside the sandwich rule, step for step."""

    label = "First the large, then the small?"
    source = "Cai et al., Once-for-All, ICLR 2020; Yu et al., BigNAS, ECCV 2020"
    place = 6
    teacher = ForTeachers(
        goal="Can read from curves which subnets an order of training favors, and when the others begin to learn.",
        typical_error="Takes the paper's winner for granted. Ask: how many steps does each order leave for the smallest subnet?",
        minutes=8,
    )
    Evidence: ClassVar[type[Phased]] = Phased
    Config = Config
    seconds = 20.0

    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, Phased]:
        found = yield from train_each(
            SUPERNET, _TRAININGS, seed=seed, epochs=self.config.epochs, sampled=(), ledger=ledger
        )
        curves = {name: tuple(found[name].accuracy[size] for size in SIZES) for name in found}
        return Phased(
            seed=seed,
            about=about(self.config.epochs, seed),
            phases=found[SHRINKING].phases,
            shrinking=curves[SHRINKING],
            sandwich=curves[SANDWICH],
        )

    def text(self, evidence: Phased) -> tuple[str, ...]:
        names = [f"{at}. {name}" for at, name in enumerate(dict.fromkeys(evidence.phases), 1)]
        return (
            "**Progressive shrinking** trains in phases. First the largest subnet alone; then smaller options are unlocked, one "
            "kind of choice after another, and a frozen copy of the large network teaches. The **sandwich rule** trains large "
            "and small together from the first step.",
            f"Both trained the same supernet for {len(evidence.phases)} epochs of equally many steps. A step of Sandwich trains "
            "four subnets, one of progressive shrinking one at first and four once widths are unlocked. The phases here: "
            f"{'; '.join(names)}. You see the largest subnet; a vertical line with a phase's number is where it begins.",
        )

    def action(self, evidence: Phased) -> str:
        return "Follow the largest subnet over the beginning of each phase."

    def figure(self, evidence: Phased, shown: Shown) -> Curves:
        sizes = SIZES[::-1] if shown.revealed else SIZES[-1:]
        lines = tuple(
            accuracy_line(_LABELS[name], curve, size)
            for size in sizes
            for name, curves in ((SHRINKING, evidence.shrinking), (SANDWICH, evidence.sandwich))
            for curve in [curves[SIZES.index(size)]]
        )
        bounds = tuple((str(n), "x", at + 0.5) for n, at in enumerate(self._starts(evidence), 2))
        ends = "; ".join(
            f"{size}: "
            + ", ".join(
                f"{_LABELS[name]} {format_share(curves[SIZES.index(size)][-1], 1)}"
                for name, curves in ((SHRINKING, evidence.shrinking), (SANDWICH, evidence.sandwich))
            )
            for size in sizes
        )
        return Curves("epoch", "validation accuracy, %", f"In the end, {ends}.", lines=lines, bounds=bounds)  # type: ignore[arg-type]

    def prediction(self, evidence: Phased, controls: Set) -> Ask:
        options = {name: _LABELS[name] for name in (SHRINKING, SANDWICH)}
        return Choose(
            "After equally many steps, whose smallest subnet is the better one?",
            options=options | {"equal": "No difference of more than a point"},
        )

    def truth(self, evidence: Phased, controls: Set) -> str:
        apart = self._apart(evidence, "smallest")
        return ("equal", SHRINKING, SANDWICH)[(apart > _EQUAL) - (apart < -_EQUAL)]

    def found(self, evidence: Phased, controls: Set, prediction: Answer) -> str:
        truth = self.truth(evidence, controls)
        mine = "As you said" if prediction == truth else "Not as you said"
        low, high = (format_share(curves[0][-1], 1) for curves in (evidence.shrinking, evidence.sandwich))
        head = f"{mine}: the smallest subnet ends at {low} with progressive shrinking and at {high} with Sandwich."
        last = len(evidence.phases) - max(self._starts(evidence), default=0)
        if truth == SANDWICH:
            why = (
                f"The order decides who gets the steps: the smallest widths were free in the last {last} epochs only. The paper "
                "trains far longer; here the small ones are sacrificed."
            )
        elif truth == SHRINKING:
            why = f"Starting from a good large network pays here: the last {last} epochs were enough for the smallest."
        else:
            why = "Here the order hardly matters for the smallest."
        large = 100 * self._apart(evidence, "largest")
        if abs(large) <= 100 * _EQUAL:
            rest = "The largest ends within a point either way."
        elif large > 0:
            rest = f"The largest is {large:.1f} points better with progressive shrinking."
        else:
            rest = f"The largest is {-large:.1f} points worse with progressive shrinking."
        return f"{head} {why} {rest}"

    def question(self, evidence: Phased, controls: Set) -> Ask:
        return Number(
            "Progressive shrinking: how many points of accuracy does the largest subnet lose at most from the last epoch of a "
            "phase to the first of the next? 0 if it never does; 1 off is right.",
            step=0.1,
            unit="points",
            tolerance=1.0,
        )

    def answer(self, evidence: Phased, controls: Set) -> float:
        return round(max([0.0, *self._drops(evidence).values()]), 2)

    def explain(self, evidence: Phased, controls: Set, given: Answer) -> str:
        drops, truth = self._drops(evidence), self.answer(evidence, controls)
        if self.question(evidence, controls).right(given, truth):
            if truth == 0:
                return (
                    "Right: it never loses where a phase begins. What it learned survives the smaller ones."
                )
            worst = max(drops, key=drops.__getitem__)
            return f'Right: {truth:.1f}, where "{worst}" begins. The shared weights now serve smaller subnets as well.'
        curve = evidence.shrinking[2]
        within = 100 * max([0.0, *(a - b for a, b in pairwise(curve))])
        if within - truth > 1 and isinstance(given, float) and abs(given - within) <= 1:
            return "That drop lies within a phase. Look at the two points on both sides of a vertical line."
        if truth == 0:
            return "Compare the points on both sides of each vertical line: does the curve fall there?"
        return "Compare the points on both sides of each vertical line, in the panel of the largest; the pointer shows values."

    def further(self, evidence: Phased) -> tuple[Further, ...]:
        link = Further(
            "front",
            {"supernet": SUPERNET, "x": "macs", "y": "accuracy"},
            "See all subnets of the supernet that the sandwich rule trained with seed 0.",
            dict(zip(SIZES, (curve[-1] for curve in evidence.sandwich), strict=True))
            if evidence.seed == 0
            else {},
        )
        return link, Further(
            "supernets",
            {},
            "Train digits-lesson by progressive shrinking with 60 epochs, and see whether the small ones catch up.",
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Phased:
        lengths = rng.integers(1, 4, size=int(rng.integers(1, 5)))
        names = [f"phase {i}" for i, n in enumerate(lengths) for _ in range(n)]

        def curves() -> tuple[tuple[float, ...], ...]:
            values = np.sort(rng.random((3, len(names)))) if rising else rng.random((3, len(names)))
            return tuple(map(tuple, np.round(values * scale, 4).tolist()))

        rising, scale = bool(rng.random() < 0.3), float(rng.choice([0.01, 0.1, 1.0]))
        return Phased(seed=int(rng.integers(2)), phases=tuple(names), shrinking=curves(), sandwich=curves())

    @staticmethod
    def _starts(evidence: Phased) -> list[int]:
        """Positions of the first epochs of all phases but the first."""
        pairs = pairwise(evidence.phases)
        return [at for at, (before, here) in enumerate(pairs, 1) if before != here]

    def _drops(self, evidence: Phased) -> dict[str, float]:
        """By phase, how many points the largest subnet loses in its first epoch; negative where it gains."""
        curve = evidence.shrinking[2]
        return {evidence.phases[at]: 100 * (curve[at - 1] - curve[at]) for at in self._starts(evidence)}

    @staticmethod
    def _apart(evidence: Phased, size: str) -> float:
        """How much better progressive shrinking ends."""
        at = SIZES.index(size)
        return round(evidence.shrinking[at][-1] - evidence.sandwich[at][-1], 6)
