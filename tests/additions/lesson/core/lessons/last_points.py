"""A small lesson: what the last points of accuracy cost."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from core.errors import InvalidInput
from core.lessons.asking import Answer, Choose, Number
from core.lessons.base import LESSONS, Evidence, ForTeachers, Further, Set, Shown, TableLesson
from core.lessons.charts import Group, Scatter
from core.library import supernets
from core.library.library import Library
from core.library.supernets import SupernetEntry

_OPTIONS = {"2": "less than twice", "5": "two to five times", "9": "more than five times"}


class Costs(Evidence):
    """MACs and accuracy in percent of every subnet."""

    supernet: str
    macs: tuple[float, ...]
    accuracy: tuple[float, ...]


@LESSONS.register("last_points")
class LastPoints(TableLesson[Costs]):
    """What the last five points of accuracy cost."""

    label = "What do the last points cost?"
    source = "Tan and Le, EfficientNet, 2019, figure 1"
    place = 13
    optional = True
    teacher = ForTeachers("Can read a price off a front.", "Expects costs to grow as accuracy does.", 5)
    Evidence: ClassVar[type[Costs]] = Costs

    def read(self, library: Library, entry: SupernetEntry, seed: int) -> Costs:
        table = supernets.table(entry)
        if table is None:
            raise InvalidInput("Measure all subnets of this supernet first.")
        macs, accuracy = table["macs"].astype(float), 100 * table["accuracy"].astype(float)
        return Costs(supernet=entry.supernet_id, macs=tuple(macs), accuracy=tuple(accuracy))

    def text(self, evidence: Costs) -> tuple[str, ...]:
        return (f"Of {len(evidence.macs)} subnets the best is {max(evidence.accuracy):.1f} % accurate.",)

    def action(self, evidence: Costs) -> str:
        return "Look for the cheapest subnet that is at most five points worse."

    def figure(self, evidence: Costs, shown: Shown) -> Scatter:
        keys = tuple(map(str, range(len(evidence.macs))))
        every = Group("subnet", "plain", keys, evidence.macs, evidence.accuracy)
        return Scatter("MACs", "Accuracy (%)", f"{len(keys)} subnets.", groups=(every,), log_x=True)

    def prediction(self, evidence: Costs, controls: Set) -> Choose:
        return Choose("How many times as dear is the best one?", options=_OPTIONS)

    def truth(self, evidence: Costs, controls: Set) -> Answer:
        times = self._best(evidence) / self._enough(evidence)
        return next((key for key in ("2", "5") if times < float(key)), "9")

    def found(self, evidence: Costs, controls: Set, prediction: Answer) -> str:
        return f"The last five points cost {self._best(evidence) / self._enough(evidence):.1f} times as much."

    def question(self, evidence: Costs, controls: Set) -> Number:
        return Number("How many MACs does that cheapest subnet take?", high=1e9, tolerance=500)

    def answer(self, evidence: Costs, controls: Set) -> float:
        return self._enough(evidence)

    def explain(self, evidence: Costs, controls: Set, given: Answer) -> str:
        return "Go from the best five points down, then as far left as there are subnets."

    def further(self, evidence: Costs) -> tuple[Further, ...]:
        params = {"supernet": evidence.supernet, "x": "macs", "y": "accuracy"}
        return (Further("front", params, "See it on the front.", {"MACs": self._enough(evidence)}),)

    @classmethod
    def example(cls, rng: np.random.Generator) -> Costs:
        n = int(rng.integers(1, 40))
        macs, accuracy = rng.integers(1, 10**6, n).tolist(), rng.uniform(10, 100, n).round(1).tolist()
        return Costs(supernet="example", macs=tuple(macs), accuracy=tuple(accuracy))

    @staticmethod
    def _enough(evidence: Costs) -> float:
        least = max(evidence.accuracy) - 5
        return min(m for m, a in zip(evidence.macs, evidence.accuracy, strict=True) if a >= least)

    @staticmethod
    def _best(evidence: Costs) -> float:
        best = max(evidence.accuracy)
        return min(m for m, a in zip(evidence.macs, evidence.accuracy, strict=True) if a == best)
