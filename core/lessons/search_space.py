"""Lesson 1: how a few options per layer become hundreds of subnets, and why nobody tries them all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.lessons.asking import Answer, Ask, Choose, Mark, Number
from core.lessons.base import LESSONS, Evidence, ForTeachers, Further, Set, Shown, TableLesson
from core.lessons.charts import Blocks, Line
from core.library import supernets
from core.objectives.base import objective
from core.seeding import stream
from core.spaces.arch_ids import DIGITS
from core.words import format_value

if TYPE_CHECKING:
    from core.library.library import Library
    from core.library.supernets import SupernetEntry

COST = objective("macs")
_MOST = 20_000
_DRAWS = 1000
_NO_LIMIT = "any"


class Space(Evidence):
    """Every subnet of a space with its MACs.

    Attributes:
        supernet: its id.
        names, kinds: of the choices that have more than one option.
        options: their options, as texts.
        rows: subnets, each as one character (0-9, a-z) per choice: the index of its option.
        macs: of every subnet.
        drawn: uniform numbers in [0, 1); each draws one of the subnets that are left.
    """

    supernet: str
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    rows: tuple[str, ...]
    macs: tuple[float, ...]
    drawn: tuple[float, ...]


@LESSONS.register("search_space")
class SearchSpaceLesson(TableLesson[Space]):
    """Options multiply: a search space, counted, limited, and drawn from."""

    label = "How many subnets are in there?"
    source = "Elsken et al., Neural Architecture Search: A Survey, JMLR 2019, section 2"
    place = 1
    teacher = ForTeachers(
        goal="Can count a search space, and say why limits on choices and on cost are not independent.",
        typical_error="Adds the new options instead of multiplying. Ask: each subnet of before can be built with which of them?",
        minutes=5,
    )
    Evidence: ClassVar[type[Space]] = Space

    def read(self, library: Library, entry: SupernetEntry, seed: int) -> Space:
        table = supernets.table(entry)
        if table is None:
            raise InvalidInput(
                "This supernet's subnets are not measured yet: measure all of them on the Front page first."
            )
        if len(table) > _MOST:
            raise InvalidInput(
                f"This space has more than {_MOST:,} subnets, too many for this lesson: choose a smaller supernet."
            )
        choices = entry.space.choices
        shown = [i for i, choice in enumerate(choices) if len(choice.options) > 1]
        if not shown:
            raise InvalidInput("This space has nothing to choose: take another supernet.")
        return Space(
            seed=seed,
            about=f"{entry.title}: every subnet, MACs counted.",
            supernet=entry.supernet_id,
            names=tuple(choices[i].name for i in shown),
            kinds=tuple(choices[i].kind or "option" for i in shown),
            options=tuple(tuple(map(str, choices[i].options)) for i in shown),
            rows=tuple("".join(arch[i] for i in shown) for arch in table["arch_id"]),
            macs=tuple(table[COST.name].astype(float)),
            drawn=_uniform(stream(seed, "lesson", self.name)),
        )

    def text(self, evidence: Space) -> tuple[str, ...]:
        counts = ", ".join(map(str, map(len, evidence.options)))
        return (
            "A **search space** is a list of choices: how wide a layer is, how large its kernel. A **subnet** picks one option "
            f"of each. Here {len(evidence.names)} choices have {counts} options.",
            f"Together that is {len(evidence.rows):,} subnets. Forbid options and watch the count; draw subnets at random, once "
            "or many times, and see how many different ones turn up.",
        )

    def action(self, evidence: Space) -> str:
        return "Forbid one option and read how many subnets are left."

    def controls(self, evidence: Space) -> dict[str, Ask]:
        forbidden = {
            _key(i, j): f"{name} = {option}"
            for i, name in enumerate(evidence.names)
            for j, option in enumerate(evidence.options[i])
        }
        budgets = {_NO_LIMIT: "no limit"} | {
            f"{b:.0f}": f"under {format_value(b, COST)}" for b in _budgets(evidence)
        }
        draws = {"0": "none", "1": "once", "100": "100 times", str(_DRAWS): f"{_DRAWS:,} times"}
        return {
            "forbidden": Mark("Forbidden options", options=forbidden, least=0),
            "budget": Choose("MACs", options=budgets, start=_NO_LIMIT),
            "draws": Choose("Draw at random", options=draws, start="0"),
        }

    def figure(self, evidence: Space, shown: Shown) -> Blocks:
        at = shown.controls
        forbidden = at.get("forbidden", ())
        banned = set(forbidden) if isinstance(forbidden, tuple) else set()
        left = self._left(evidence, banned, str(at.get("budget", _NO_LIMIT)))
        counters = [("subnets left", f"{len(left):,} of {len(evidence.rows):,}")]
        if len(left):
            low, high = (format_value(m, COST) for m in (left.min(), left.max()))
            counters.append(("MACs", low if low == high else f"{low} to {high}"))
        draws = int(str(at.get("draws", "0")))
        seen = _seen(evidence.drawn[:draws], len(left))
        if seen:
            counters.append(("seen", f"{seen[-1]:,}"))
        if shown.revealed:
            counters.append(("with a layer more", f"{len(evidence.rows) * _more(evidence):,}"))
        x = tuple(float(n) for n in range(1, len(seen) + 1))
        curve = (
            Line("seen", x, tuple(map(float, seen)), steps=True),
            Line("expected", x, tuple(len(left) * (1 - (1 - 1 / len(left)) ** n) for n in x), "reference"),
        )
        return Blocks(
            x_title="subnets drawn",
            y_title="different subnets seen",
            says="; ".join(f"{label}: {number}" for label, number in counters) + ".",
            names=evidence.names,
            options=evidence.options,
            allowed=tuple(
                tuple(_key(i, j) not in banned for j in range(len(options)))
                for i, options in enumerate(evidence.options)
            ),
            counters=tuple(counters),
            curve=curve if seen else (),
        )

    def prediction(self, evidence: Space, controls: Set) -> Ask:
        kinds = [f"{n} {kind.removesuffix('s')}s" for kind, n in _layer(evidence).items()]
        return Number(
            f"One more layer is added, with {' and '.join(kinds)} to choose from. How many subnets are there then?",
            high=4.0 * len(evidence.rows) * _more(evidence),
        )

    def truth(self, evidence: Space, controls: Set) -> float:
        return float(len(evidence.rows) * _more(evidence))

    def found(self, evidence: Space, controls: Set, prediction: Answer) -> str:
        size, more, truth = len(evidence.rows), _more(evidence), self.truth(evidence, controls)
        mine = prediction if isinstance(prediction, float) else math.nan
        if mine == truth:
            verdict = f"{truth:,.0f}, as you said: each of the {size:,} subnets can be built with each of the {more}."
        elif size < mine <= size + max(more, sum(_layer(evidence).values())):
            verdict = f"{truth:,.0f}, not {mine:,.0f}: options are not added, each of the {size:,} goes with each of the {more}."
        else:
            verdict = f"You said {mine:,.0f}; it is {size:,} × {more} = {truth:,.0f}. Every layer multiplies."
        low, high = min(evidence.macs), max(evidence.macs)
        if high > low > 0:
            return f"{verdict} And they differ: the dearest costs {high / low:,.0f} times the MACs of the cheapest."
        return f"{verdict} Here all cost the same."

    def question(self, evidence: Space, controls: Set) -> Ask:
        place, allowed = _limited(evidence)
        options = " or ".join(evidence.options[place][j] for j in allowed)
        return Number(
            f"{evidence.names[place]} may only be {options}, and a subnet must stay under "
            f"{format_value(self._budget(evidence), COST)} MACs. How many subnets are left?",
            high=len(evidence.rows),
        )

    def answer(self, evidence: Space, controls: Set) -> float:
        place, allowed = _limited(evidence)
        banned = {_key(place, j) for j in range(len(evidence.options[place])) if j not in allowed}
        return float(len(self._left(evidence, banned, f"{self._budget(evidence):.0f}")))

    def explain(self, evidence: Space, controls: Set, given: Answer) -> str:
        place, allowed = _limited(evidence)
        name, size, truth = evidence.names[place], len(evidence.rows), self.answer(evidence, controls)
        banned = {_key(place, j) for j in range(len(evidence.options[place])) if j not in allowed}
        wide = len(self._left(evidence, banned, _NO_LIMIT))
        cheap = len(self._left(evidence, set(), f"{self._budget(evidence):.0f}"))
        product = wide * cheap / size
        if given == truth:
            if truth < product:
                return (
                    f"Right. Multiplying the shares would give {product:,.0f}: what {name} keeps costs more than the rest, "
                    "so the limits hurt each other."
                )
            return f"Right. Multiplying the two shares gives {product:,.0f}: here the limits do not hurt each other."
        if given == wide:
            return "That is what the limit on the options leaves; some of these cost too much."
        if given == cheap:
            return f"That is what the limit on MACs leaves; some of these have another {name}."
        if isinstance(given, float) and abs(given - product) < 1:
            return "That multiplies the two shares, as if the options said nothing about the cost. They do: set both limits."
        return f"Forbid the other options of {name}, set the limit on MACs, and read the count."

    def further(self, evidence: Space) -> tuple[Further, ...]:
        return (
            Further(
                "front",
                {"supernet": evidence.supernet, "x": COST.name},
                "See all of them at once, each with its accuracy; Limits keeps those under a cost.",
                {"subnets": float(len(evidence.rows)), "least MACs": min(evidence.macs)},
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Space:
        sizes = [int(n) for n in rng.integers(2, 5, size=int(rng.integers(1, 4)))]
        rows = ["".join(DIGITS[i] for i in at) for at in np.ndindex(*sizes)]
        if rng.random() < 0.3:  # a space in which not everything can be combined
            rows = sorted(rng.permutation(rows)[: int(rng.integers(1, len(rows) + 1))].tolist())
        kind = rng.random()
        if kind < 0.2:
            macs = np.full(len(rows), 1000.0)
        elif kind < 0.6:
            macs = rng.integers(1, 6, len(rows)) * 1000.0
        else:  # what is wide costs more
            macs = np.array([math.prod(2.0 ** int(c) for c in row) for row in rows]) * 1000
        return Space(
            seed=0,
            supernet="example",
            names=tuple(f"width{i + 1}" for i in range(len(sizes))),
            kinds=("width",) * len(sizes),
            options=tuple(tuple(str(2 * j + 2) for j in range(n)) for n in sizes),
            rows=tuple(rows),
            macs=tuple(macs.tolist()),
            drawn=_uniform(rng),
        )

    @staticmethod
    def _left(evidence: Space, banned: set[str], budget: str) -> NDArray[np.float64]:
        """MACs of the subnets that are left."""
        out = {
            (i, j)
            for i, options in enumerate(evidence.options)
            for j in range(len(options))
            if _key(i, j) in banned
        }
        most = math.inf if budget == _NO_LIMIT else float(budget)
        return np.array(
            [
                macs
                for row, macs in zip(evidence.rows, evidence.macs, strict=True)
                if macs < most and not any(row[i] == DIGITS[j] for i, j in out)
            ]
        )

    @staticmethod
    def _budget(evidence: Space) -> float:
        budgets = _budgets(evidence)
        return budgets[len(budgets) // 2]


def _key(choice: int, option: int) -> str:
    return f"{choice}.{option}"


def _budgets(evidence: Space) -> list[float]:
    """A quarter, a half and three quarters of the subnets lie below, about: two digits are enough to say them."""
    quarters = np.quantile(evidence.macs, [0.25, 0.5, 0.75])
    return sorted({float(f"{q:.1e}") for q in quarters})


def _limited(evidence: Space) -> tuple[int, tuple[int, ...]]:
    """The second choice of a width, or the last choice there is, and the larger half of its options."""
    widths = [i for i, kind in enumerate(evidence.kinds) if kind == "width"] or [0]
    place = widths[min(1, len(widths) - 1)]
    n = len(evidence.options[place])
    return place, tuple(range(n // 2, n))


def _layer(evidence: Space) -> dict[str, int]:
    """What one more layer would bring: kind -> options, as many as the last choice of that kind has."""
    return {kind: len(options) for kind, options in zip(evidence.kinds, evidence.options, strict=True)}


def _more(evidence: Space) -> int:
    return math.prod(_layer(evidence).values())


def _seen(drawn: tuple[float, ...], left: int) -> list[int]:
    """How many different ones after each draw; none where nothing is left to draw from."""
    met: set[int] = set()
    counts = []
    for u in drawn if left else ():
        met.add(int(u * left))
        counts.append(len(met))
    return counts


def _uniform(rng: np.random.Generator) -> tuple[float, ...]:
    return tuple(np.floor(rng.random(_DRAWS) * 1e6) / 1e6)
