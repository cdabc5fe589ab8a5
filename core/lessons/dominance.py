"""Lesson 2: which subnets can be thrown away without knowing what one wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from core.errors import InvalidInput
from core.lessons.asking import Answer, Ask, Mark, Number, overlap
from core.lessons.base import LESSONS, Evidence, ForTeachers, Further, Set, Shown, TableLesson
from core.lessons.charts import Group, Line, Role, Scatter
from core.library import supernets
from core.objectives.base import objective
from core.pareto import non_dominated
from core.seeding import stream
from core.words import axis_title, format_share, format_value

if TYPE_CHECKING:
    from core.library.library import Library
    from core.library.supernets import SupernetEntry

_DRAWN = 30
X, Y = objective("macs"), objective("accuracy")


class Trade(Evidence):
    """Every subnet's MACs and validation accuracy, and the few that are marked by hand.

    Attributes:
        supernet: its id.
        arch_ids, x, y: of every subnet.
        drawn: positions of those that the figure shows before the reveal.
    """

    supernet: str
    arch_ids: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    drawn: tuple[int, ...]


@LESSONS.register("dominance")
class Dominance(TableLesson[Trade]):
    """Throwing away what is beaten in both objectives, and what is left: the front."""

    label = "Which subnets can you throw away?"
    source = "Deb, Multi-Objective Optimization using Evolutionary Algorithms, 2001, chapter 2"
    place = 2
    teacher = ForTeachers(
        goal="Can say when one subnet dominates another, and that a front is what nobody dominates.",
        typical_error="Marks only the most accurate subnets. Ask: does any other cost less and answer as well?",
        minutes=7,
    )
    Evidence: ClassVar[type[Trade]] = Trade

    def read(self, library: Library, entry: SupernetEntry, seed: int) -> Trade:
        table = supernets.table(entry)
        if table is None:
            raise InvalidInput(
                "This supernet's subnets are not measured yet: measure all of them on the Front page first."
            )
        known = table[np.isfinite(table[[X.name, Y.name]]).all(axis=1)]
        if known.empty:
            raise InvalidInput("Of this supernet neither accuracy nor MACs are known.")
        return Trade(
            seed=seed,
            about=f"{entry.title}: accuracy measured on validation data, MACs counted.",
            supernet=entry.supernet_id,
            arch_ids=tuple(known["arch_id"]),
            x=tuple(known[X.name].astype(float)),
            y=tuple(known[Y.name].astype(float)),
            drawn=_draw(len(known), stream(seed, "lesson", self.name)),
        )

    def text(self, evidence: Trade) -> tuple[str, ...]:
        return (
            "A subnet **dominates** another if it is at least as good in every objective and better in one. Whoever wants "
            "high accuracy and few MACs never needs a dominated one, whatever the two are worth to them.",
            f"Here are {len(evidence.drawn)} of {len(evidence.x):,} subnets, drawn at random. Point at one: the shaded corner "
            "is what it dominates. The subnets in nobody's corner are the **front**.",
        )

    def action(self, evidence: Trade) -> str:
        return "Mark every subnet that no other one dominates."

    def prediction(self, evidence: Trade, controls: Set) -> Ask:
        names = {
            evidence.arch_ids[i]: f"{format_value(evidence.y[i], Y)}, {format_value(evidence.x[i], X)} MACs"
            for i in sorted(evidence.drawn, key=lambda i: evidence.x[i])
        }
        return Mark("Which of these subnets are on the front?", options=names)

    def truth(self, evidence: Trade, controls: Set) -> Answer:
        return tuple(evidence.arch_ids[i] for i in self._front(evidence, evidence.drawn))

    def figure(self, evidence: Trade, shown: Shown) -> Scatter:
        marked = set(shown.prediction) if isinstance(shown.prediction, tuple) else set()
        truth = set(self._keys(self.truth(evidence, shown.controls)))
        drawn = [(i, evidence.arch_ids[i]) for i in evidence.drawn]
        if not shown.revealed:
            parts: list[tuple[str, Role, list[int]]] = [
                ("subnet", "plain", [i for i, key in drawn if key not in marked]),
                ("marked by you", "mine", [i for i, key in drawn if key in marked]),
            ]
            lines: tuple[Line, ...] = ()
            says = f"{len(drawn)} subnets, {len(marked)} of them marked."
        else:
            parts = [
                ("dominated", "plain", [i for i, key in drawn if key not in marked | truth]),
                ("on the front, marked", "right", [i for i, key in drawn if key in marked & truth]),
                ("on the front, not marked", "missed", [i for i, key in drawn if key in truth - marked]),
                ("marked, but dominated", "wrong", [i for i, key in drawn if key in marked - truth]),
            ]
            lines = (
                self._line(evidence, "front of these", self._front(evidence, evidence.drawn), "plain"),
                self._line(evidence, "front of all", self._front(evidence, range(len(evidence.x))), "front"),
            )
            says = f"Of {len(drawn)} subnets {len(truth)} are on the front; {len(marked & truth)} of them were marked."
        groups = tuple(
            Group(
                label,
                role,
                keys=tuple(evidence.arch_ids[i] for i in rows),
                x=tuple(evidence.x[i] for i in rows),
                y=tuple(Y.shown.factor * evidence.y[i] for i in rows),
            )
            for label, role, rows in parts
            if rows
        )
        return Scatter(
            axis_title(X),
            axis_title(Y),
            says,
            groups=groups,
            lines=lines,
            log_x=True,
            markable=True,
            quadrant=True,
        )

    def found(self, evidence: Trade, controls: Set, prediction: Answer) -> str:
        truth = self._keys(self.truth(evidence, controls))
        precision, recall = overlap(self._keys(prediction), truth)
        all_on_front = len(self._front(evidence, range(len(evidence.x))))
        share = all_on_front / len(evidence.x)
        verdict = (
            f"Of all {len(evidence.x):,} only {format_share(share, 1)} are: most subnets need never be looked at."
            if share < 0.5
            else "Here most subnets stand on the front, so little can be thrown away: this space is not a typical one."
        )
        return (
            f"{len(truth)} of the {len(evidence.drawn)} are on the front. You found {format_share(recall)} of them, and "
            f"{format_share(precision)} of what you marked belongs there. {verdict}"
        )

    def question(self, evidence: Trade, controls: Set) -> Ask:
        return Number(
            f"How many of all {len(evidence.x):,} subnets are on the exact front? Estimate, within a tenth of the truth, or "
            "open the Front page and look.",
            low=0,
            high=len(evidence.x),
            tolerance=int(self.answer(evidence, controls) / 10),
        )

    def answer(self, evidence: Trade, controls: Set) -> float:
        return float(len(self._front(evidence, range(len(evidence.x)))))

    def explain(self, evidence: Trade, controls: Set, given: Answer) -> str:
        truth, drawn = self.answer(evidence, controls), len(self._keys(self.truth(evidence, controls)))
        scaled = drawn * len(evidence.x) / max(len(evidence.drawn), 1)
        mine = given if isinstance(given, float) else 0.0
        if self.question(evidence, controls).right(given, truth):
            if truth < scaled:
                return (
                    f"Right: {truth:,.0f}. Among the drawn ones the share was larger: the more subnets there are, the more rivals "
                    "each of them has."
                )
            return f"Right: {truth:,.0f}. Equal subnets all count, because none of them is better than the others."
        if mine > truth and abs(mine - scaled) <= 0.15 * scaled:
            return (
                "A share of the drawn ones does not carry over: the more subnets there are, the more rivals each of them has, "
                "so the front grows far more slowly than the space."
            )
        if mine > truth:
            return "Too many. A subnet stays only if none of all the others beats it."
        return "Too few. Every step of the front's line is a subnet of its own, and equal ones all count."

    def further(self, evidence: Trade) -> tuple[Further, ...]:
        return (
            Further(
                "front",
                {"supernet": evidence.supernet, "x": X.name, "y": Y.name},
                "See the whole front, and click a subnet to know what it is made of.",
                {"on the front": self.answer(evidence, {}), "subnets": float(len(evidence.x))},
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Trade:
        n = int(rng.integers(1, 60))
        coarse = rng.random() < 0.5
        x, y = (np.round(rng.random(n), 1 if coarse else 9) for _ in range(2))
        if rng.random() < 0.2:  # a front of one point
            x[0], y[0] = -1.0, 2.0
        return Trade(
            seed=0,
            supernet="example",
            arch_ids=tuple(f"a{i}" for i in range(n)),
            x=tuple(x.tolist()),
            y=tuple(y.tolist()),
            drawn=_draw(n, rng),
        )

    @staticmethod
    def _keys(answer: Answer) -> tuple[str, ...]:
        return answer if isinstance(answer, tuple) else ()

    @staticmethod
    def _front(evidence: Trade, rows: range | tuple[int, ...]) -> list[int]:
        """Positions of the non-dominated among `rows`, from few MACs to many."""
        points = np.array([(evidence.x[i], evidence.y[i]) for i in rows])
        kept = non_dominated(points, maximize=[X.maximize, Y.maximize])
        return sorted((i for i, stays in zip(rows, kept, strict=True) if stays), key=lambda i: evidence.x[i])

    @staticmethod
    def _line(evidence: Trade, label: str, rows: list[int], role: str) -> Line:
        x, y = tuple(evidence.x[i] for i in rows), tuple(Y.shown.factor * evidence.y[i] for i in rows)
        return Line(label, x, y, "front" if role == "front" else "plain", steps=True)


def _draw(n: int, rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(sorted(rng.choice(n, min(n, _DRAWN), replace=False).tolist()))
