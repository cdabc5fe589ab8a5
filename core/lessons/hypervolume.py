"""Lesson 8: how much a front is worth as one number, what that number depends on, and where a front bends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from core import pareto
from core.errors import InvalidInput
from core.lessons.asking import Answer, Ask, Choose, Number
from core.lessons.base import LESSONS, Evidence, ForTeachers, Further, Set, Shown, TableLesson
from core.lessons.charts import Group, Role, Scatter
from core.library import supernets
from core.objectives.base import objective
from core.seeding import stream

if TYPE_CHECKING:
    from core.library.library import Library
    from core.library.supernets import SupernetEntry

X, Y = objective("macs"), objective("accuracy")
_MAXIMIZE = (False, True)
_LETTERS = "ABCD"
_FOUND, _ENOUGH = 6, 9
"""Subnets that are found; and front points from which on both ends and two between are kept back."""


class Front(Evidence):
    """The exact front of a supernet: some of its subnets are found, four are kept back.

    Attributes:
        supernet: its id.
        arch_ids: of the front, from few MACs to many.
        x: thousands of MACs, to one decimal; y: accuracy in percent, to one decimal. So areas can be computed by hand.
        found: positions of the subnets that are found, ascending.
        kept_back: positions of those that might be found next, ascending; no two of them are neighbors.
        members: subnets on the front before rounding, copies counted.
    """

    supernet: str
    arch_ids: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    found: tuple[int, ...]
    kept_back: tuple[int, ...]
    members: int


@LESSONS.register("hypervolume")
class Hypervolume(TableLesson[Front]):
    """The area that a front dominates, what another subnet would add to it, and two definitions of a knee."""

    label = "What is a whole front worth?"
    source = "Zitzler and Thiele, PPSN 1998 (hypervolume); Das, 1999, and Branke et al., PPSN 2004 (two kinds of knee)"
    place = 8
    teacher = ForTeachers(
        goal="Can compute what a subnet adds to the hypervolume, and says the reference point with the number.",
        typical_error="Takes the whole corner down to the reference point. Ask: how much of it was shaded before?",
        minutes=8,
    )
    Evidence: ClassVar[type[Front]] = Front

    def read(self, library: Library, entry: SupernetEntry, seed: int) -> Front:
        table = supernets.table(entry)
        if table is None or X.name not in table or Y.name not in table:
            raise InvalidInput(
                "This supernet's subnets are not measured yet: measure all of them on the Front page first."
            )
        exact = table[[X.name, Y.name]].to_numpy(float)
        members = int(pareto.non_dominated(exact, maximize=_MAXIMIZE).sum())
        if not members:
            raise InvalidInput("Of this supernet neither accuracy nor MACs are known.")
        points = np.round(exact * [1e-3, 100], 1)
        rows = np.flatnonzero(pareto.non_dominated(points, maximize=_MAXIMIZE))
        rows = rows[np.sort(np.unique(points[rows], axis=0, return_index=True)[1])]
        rows = rows[np.argsort(points[rows, 0], kind="stable")]
        return Front(
            seed=seed,
            about=f"{entry.title}: the exact front, accuracy measured on validation data, MACs counted; rounded to one decimal.",
            supernet=entry.supernet_id,
            arch_ids=tuple(table["arch_id"].iloc[rows]),
            x=tuple(points[rows, 0].tolist()),
            y=tuple(points[rows, 1].tolist()),
            **_divided(points[rows], stream(seed, "lesson", self.name)),
            members=members,
        )

    def text(self, evidence: Front) -> tuple[str, ...]:
        return (
            "The **hypervolume** of a front is the shaded area: everything that some found subnet is at least as good as, down "
            "to a **reference point** that you choose. One number for a whole front, so that two fronts can be compared.",
            f"{len(evidence.found)} subnets of a front are found, {_listed(list(self._letters(evidence)))} not yet. "
            "Where does a front bend, so that more accuracy suddenly costs much? Such a place is called a **knee**.",
        )

    def action(self, evidence: Front) -> str:
        return "Move the reference point, and see how the shaded area follows."

    def controls(self, evidence: Front) -> dict[str, Ask]:
        most, least = max(evidence.x), min(evidence.y)
        across, up = most - min(evidence.x), max(evidence.y) - least
        low, floor = math.ceil(most), math.floor(least)
        return {
            "reference_macs": Number(
                "Reference point: MACs",
                low=low,
                high=low + max(2, math.ceil(0.5 * most)),
                unit="k",
                start=low + math.ceil(0.1 * across),
            ),
            "reference_accuracy": Number(
                "Reference point: accuracy",
                low=max(0, floor - 40),
                high=floor,
                unit="%",
                start=max(0, math.floor(least - 0.1 * up)),
            ),
        }

    def figure(self, evidence: Front, shown: Shown) -> Scatter:
        corner, gains = self._corner(shown.controls), self._gains(evidence, shown.controls)
        found, letters = evidence.found, self._letters(evidence)
        best = self.truth(evidence, shown.controls) if shown.revealed else None
        parts: list[tuple[str, Role, Sequence[int]]] = [("found", "front", found)]
        for letter, i in letters.items():
            guessed, right = letter == shown.prediction, letter == best
            role: Role = "right" if right else "wrong" if guessed and best else "mine" if guessed else "plain"
            said = f"{letter}, adds {gains[letter]:.1f}" if shown.revealed else f"{letter}, not found yet"
            parts.append((said, role, [i]))
        groups = [
            self._group(evidence, label, role, rows, () if label == "found" else (label[0],))
            for label, role, rows in parts
            if len(rows)
        ]
        groups.append(Group("reference point", "reference", ("reference",), (corner[0],), (corner[1],)))
        areas = [("hypervolume", *_stairs(evidence, found, corner))] if found else []
        if shown.revealed:
            for letter in dict.fromkeys(each for each in (best, str(shown.prediction)) if each in letters):
                areas.append((f"gain of {letter}", *self._gain_area(evidence, letters[letter], corner)))
            rest = [i for i in range(len(evidence.x)) if i not in (*found, *letters.values())]
            if rest:
                groups.insert(0, self._group(evidence, "rest of the exact front", "faint", rest))
            groups += [
                self._group(evidence, said, "missed", [at]) for said, at in self._knees(evidence).items()
            ]
        volume = self._volume(evidence, found, corner)
        return Scatter(
            "MACs (thousands)  ·  less is better",
            "Validation accuracy (%)  ·  more is better",
            f"{len(found)} found subnets with hypervolume {volume:,.1f} against ({corner[0]:g}, {corner[1]:g}), and "
            f"{len(letters)} more.",
            groups=tuple(groups),
            areas=tuple(areas),
        )

    def prediction(self, evidence: Front, controls: Set) -> Ask:
        options = {
            letter: f"{letter}: {evidence.x[i]:g} k MACs, {evidence.y[i]:g} %"
            for letter, i in self._letters(evidence).items()
        }
        return Choose("With the reference point where it stands: which of them adds most?", options=options)

    def truth(self, evidence: Front, controls: Set) -> str:
        gains = self._gains(evidence, controls)
        return max(gains, key=lambda letter: (gains[letter], -ord(letter)))

    def found(self, evidence: Front, controls: Set, prediction: Answer) -> str:
        gains, best = self._gains(evidence, controls), self.truth(evidence, controls)
        said = f"{best} adds {gains[best]:,.1f}"
        if prediction != best:
            said += f", your {prediction} adds {gains[str(prediction)]:,.1f}"
        if sum(gain >= gains[best] - 1e-9 for gain in gains.values()) > 1:
            said += " (another one adds as much)"
        bounds = self.controls(evidence)
        corners = [
            self.truth(evidence, {"reference_macs": x, "reference_accuracy": y})
            for x in (bounds["reference_macs"].low, bounds["reference_macs"].high)  # type: ignore[attr-defined]
            for y in (bounds["reference_accuracy"].low, bounds["reference_accuracy"].high)  # type: ignore[attr-defined]
        ]
        others = sorted(set(corners) - {best})
        moved = (
            f"Elsewhere {_listed(others)} would win: what the ends of a front add is decided by the reference point, so say it "
            "with the number."
            if others
            else f"Wherever the reference point is moved to, {best} stays first."
        )
        knees = set(self._knees(evidence).values())
        bend = (
            "This front has no knee by either definition."
            if not knees
            else "The two definitions of a knee, farthest from the chord and most missed, take the same subnet here."
            if len(knees) == 1 and len(self._knees(evidence)) == 1
            else "The two definitions of a knee, farthest from the chord and most missed, take different subnets: there is no one knee."
            if len(knees) > 1
            else "Only one definition of a knee finds one here."
        )
        return f"{said}. {moved} {bend}"

    def question(self, evidence: Front, controls: Set) -> Ask:
        letter, corner = self._asked(evidence), self._corner(controls)
        gain = self.answer(evidence, controls)
        return Number(
            f"How much hypervolume does {letter} add to what is found? In thousands of MACs times points of accuracy, exactly: "
            "every coordinate has one decimal.",
            high=math.ceil(corner[0] * 100),
            step=0.01,
            tolerance=1e-6 * max(gain, 1.0),
        )

    def answer(self, evidence: Front, controls: Set) -> float:
        return self._gains(evidence, controls)[self._asked(evidence)]

    def explain(self, evidence: Front, controls: Set, given: Answer) -> str:
        letter, corner = self._asked(evidence), self._corner(controls)
        i, gain = self._letters(evidence)[letter], self.answer(evidence, controls)
        right, below = self._neighbors(evidence, i, corner)
        here = f"({right:g} \N{MINUS SIGN} {evidence.x[i]:g}) × ({evidence.y[i]:g} \N{MINUS SIGN} {below:g})"
        if self.question(evidence, controls).right(given, gain):
            return (
                f"{here} = {gain:,.2f}: a rectangle up to the next found subnet and down to the one before."
            )
        whole = (corner[0] - evidence.x[i]) * (evidence.y[i] - corner[1])
        if isinstance(given, int | float) and given > 0.999 * whole:
            return (
                f"{letter} dominates {whole:,.2f} in all, down to the reference point, and most of that was shaded before: only "
                "what is new counts."
            )
        much = "much" if isinstance(given, int | float) and given > gain else "little"
        return (
            f"Too {much}. New is what no found subnet dominates: from {letter} right to the next found subnet, and down to the "
            "one before."
        )

    def further(self, evidence: Front) -> tuple[Further, ...]:
        return (
            Further(
                "front",
                {"supernet": evidence.supernet, "x": X.name, "y": Y.name},
                "See the whole front with its knees, and its hypervolume under 'More'.",
                {"on the front": float(evidence.members)},
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Front:
        n = int(rng.choice([1, 2, 3, 5, 9, 14, 24]))
        x: NDArray[np.floating] = np.sort(rng.choice(np.arange(50, 3000), n, replace=False)) / 10
        y: NDArray[np.floating] = np.sort(rng.choice(np.arange(450, 1000), n, replace=False)) / 10
        if n > 2 and rng.random() < 0.3:  # a straight front: no knee, and gains that tie
            x, y = 10.0 + 5 * np.arange(n), 50.0 + 2 * np.arange(n)
        elif n > 4 and rng.random() < 0.5:  # a bend
            y = np.round(99 - 40 / (1 + np.arange(n)), 1)
        if n == 5 and rng.random() < 0.5:  # two gains that tie before all others
            x, y = 10.0 + 5 * np.arange(n), np.array([0.9, 2.0, 2.9, 5.0, 5.1])
        return Front(
            supernet="example",
            arch_ids=tuple(f"a{i}" for i in range(n)),
            x=tuple(x.tolist()),
            y=tuple(y.tolist()),
            **_divided(np.stack([x, y], axis=1), rng),
            members=n,
        )

    @staticmethod
    def _letters(evidence: Front) -> dict[str, int]:
        """Letter -> position of each subnet that is not found yet, from few MACs to many."""
        return dict(zip(_LETTERS, evidence.kept_back, strict=False))

    def _asked(self, evidence: Front) -> str:
        """The second of them, which lies between two found ones where there are enough."""
        letters = list(self._letters(evidence))
        return letters[min(1, len(letters) - 1)]

    @staticmethod
    def _corner(controls: Set) -> tuple[float, float]:
        x, y = controls["reference_macs"], controls["reference_accuracy"]
        assert isinstance(x, int | float)
        assert isinstance(y, int | float)
        return float(x), float(y)

    @staticmethod
    def _volume(evidence: Front, rows: Sequence[int], corner: tuple[float, float]) -> float:
        points = np.array([(evidence.x[i], evidence.y[i]) for i in rows]).reshape(-1, 2)
        return float(pareto.hypervolume(points, corner, maximize=_MAXIMIZE))

    def _gains(self, evidence: Front, controls: Set) -> dict[str, float]:
        """Letter -> what it adds to what is found, in thousands of MACs times points."""
        corner, gains = self._corner(controls), {}
        for letter, i in self._letters(evidence).items():
            right, below = self._neighbors(evidence, i, corner)
            # Nobody on a front dominates another: what is new is a rectangle. Coordinates have one decimal, so it has two.
            gains[letter] = round((right - evidence.x[i]) * (evidence.y[i] - below), 2)
        return gains

    def _neighbors(self, evidence: Front, i: int, corner: tuple[float, float]) -> tuple[float, float]:
        """MACs of the next found subnet and accuracy of the one before; the reference point's where there is none."""
        after, before = [j for j in evidence.found if j > i], [j for j in evidence.found if j < i]
        return evidence.x[after[0]] if after else corner[0], evidence.y[before[-1]] if before else corner[1]

    def _gain_area(
        self, evidence: Front, i: int, corner: tuple[float, float]
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        right, below = self._neighbors(evidence, i, corner)
        x, y = evidence.x[i], evidence.y[i]
        return (x, right, right, x), (y, y, below, below)

    @staticmethod
    def _knees(evidence: Front) -> dict[str, int]:
        """What is said beside a knee -> its position; one entry where both definitions agree."""
        chord, missed = _both_knees(evidence.x, evidence.y)
        if chord is not None and chord == missed:
            return {"knee by both definitions": chord}
        named = {"knee: farthest from the chord": chord, "knee: most missed": missed}
        return {name: at for name, at in named.items() if at is not None}

    @staticmethod
    def _group(
        evidence: Front, label: str, role: Role, rows: Sequence[int], names: tuple[str, ...] = ()
    ) -> Group:
        return Group(
            label,
            role,
            keys=tuple(evidence.arch_ids[i] for i in rows),
            x=tuple(evidence.x[i] for i in rows),
            y=tuple(evidence.y[i] for i in rows),
            names=names,
        )


def _divided(points: NDArray[np.floating], rng: np.random.Generator) -> dict[str, tuple[int, ...]]:
    """`found` and `kept_back` of an ascending (n, 2) front.

    Found are some that are apart to the eye. Both ends are kept back, and one subnet of either half whose gain can be
    seen; of a short front every other one.
    """
    n = len(points)
    if n < _ENOUGH:
        back = tuple(range(0, n, 2))[: len(_LETTERS)]
        return {"kept_back": back, "found": tuple(i for i in range(n) if i not in back)}
    along = ((points - points[0]) / (points[-1] - points[0])).sum(axis=1)
    places = np.linspace(along[1], along[-2], _FOUND)
    found = sorted({1, n - 2, *(1 + np.abs(along[1:-1, None] - places).argmin(axis=0)).tolist()})
    between = [i for i in range(2, n - 2) if i not in found]
    new = {
        i: (points[min(j for j in found if j > i), 0] - points[i, 0])
        * (points[i, 1] - points[max(j for j in found if j < i), 1])
        for i in between
    }
    seen: list[int] = []
    for half in ([i for i in between if along[i] < 1], [i for i in between if along[i] >= 1]):
        large = [i for i in half if new[i] >= 0.5 * max(new[j] for j in half)]
        seen += [int(rng.choice(large))] if large else []
    return {"kept_back": (0, *seen, n - 1), "found": tuple(int(i) for i in found)}


@lru_cache(maxsize=8)
def _both_knees(x: tuple[float, ...], y: tuple[float, ...]) -> tuple[int | None, int | None]:
    """Positions of the point farthest from the chord, and of the one most missed."""
    points = list(zip(x, y, strict=True))
    return (
        pareto.knee_by_distance(points, maximize=_MAXIMIZE),
        pareto.knee_by_utility(points, maximize=_MAXIMIZE),
    )


def _stairs(
    evidence: Front, rows: Sequence[int], corner: tuple[float, float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Corners of the area that found subnets dominate, down to the reference point."""
    xs, ys = [evidence.x[rows[0]]], [corner[1]]
    for i, after in zip(rows, [*rows[1:], None], strict=True):
        xs += [evidence.x[i], evidence.x[after] if after is not None else corner[0]]
        ys += [evidence.y[i], evidence.y[i]]
    return (*xs, corner[0]), (*ys, corner[1])


def _listed(names: Sequence[str]) -> str:
    kept = list(names)
    return " and ".join([", ".join(kept[:-1]), kept[-1]]) if len(kept) > 1 else "".join(kept)
