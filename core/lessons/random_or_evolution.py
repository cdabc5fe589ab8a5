"""Lesson 9: whether evolution finds more than chance does, in a small space and in a large one."""

from __future__ import annotations

from collections.abc import Generator
from math import comb
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from core import pareto
from core.config import Settings
from core.lessons import searching
from core.lessons.asking import Answer, Ask, Choose, Number
from core.lessons.base import LESSONS, SUPERNET, ComputedLesson, Evidence, ForTeachers, Further, Set, Shown
from core.lessons.charts import Curves, Line, Role
from core.lessons.searching import MAXIMIZE, NAMES
from core.library import supernets
from core.library.results import Part, Record
from core.records import Progress
from core.store import MemoryLedger
from core.training.config import TrainingConfig
from core.words import format_share

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.ledger import Ledger
    from core.library.library import Library
    from core.supernets.base import Supernet

SEEDS, BUDGET, EVERY = 20, 120, 10
EPOCHS = 8
RANDOM, EVOLUTION = "random_search", "nsga2"
SETTINGS: dict[str, Settings] = {RANDOM: {}, EVOLUTION: {"population": 20}}
_TRAINED = 0.15
_CHANCE = 0.05


class Searched(Part):
    """One space, searched by both algorithms with equal seeds.

    Attributes:
        title: what it is called.
        size: architectures in it.
        of: what the hypervolumes are shares of.
        random, evolution: per seed the share after every `EVERY` evaluations.
    """

    title: str
    size: int
    of: str
    random: tuple[tuple[float, ...], ...]
    evolution: tuple[tuple[float, ...], ...]


class Races(Evidence):
    """Two spaces, searched by chance and by evolution.

    Attributes:
        supernet: id of the one of the small space.
        small, large: what was found in them.
    """

    supernet: str
    small: Searched
    large: Searched


class _SoFar(Record):
    """What was measured in the large space until now, search by search."""

    FILE: ClassVar[str] = "searches-so-far.json"
    searches: tuple[tuple[tuple[float, ...], ...], ...] = ()


@LESSONS.register("random_or_evolution")
class RandomOrEvolution(ComputedLesson[Races]):
    """Hypervolume against evaluations over many seeds: random search and evolution, in two search spaces."""

    label = "Does evolution beat chance?"
    source = (
        "Li and Talwalkar, 'Random Search and Reproducibility for NAS', UAI 2019; Deb et al., NSGA-II, 2002"
    )
    place = 9
    teacher = ForTeachers(
        goal="Compares searches over many seeds and at one budget, and asks how large the space is.",
        typical_error="Believes one run, or expects evolution to win everywhere. Ask: which share has chance seen by then?",
        minutes=8,
    )
    seconds = 90.0
    Evidence: ClassVar[type[Races]] = Races

    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, Races]:
        return (yield from self._computed(seed, ledger, library, SEEDS, EPOCHS))

    def _computed(
        self, seed: int, ledger: Ledger, library: Library, n: int, epochs: int
    ) -> Generator[Progress, None, Races]:
        entry = library.supernet(SUPERNET)
        plan = [(name, SEEDS * seed + k) for name in SETTINGS for k in range(n)]
        yield Progress(0.0, "Searching the small space.")
        problem, measure = searching.looked_up(entry)
        looked_up = [
            searching.found(name, SETTINGS[name], problem, measure, seed=own, budget=BUDGET)
            for name, own in plan
        ]
        table = supernets.table_with_counts(entry)
        assert table is not None
        small = self._searched(
            looked_up, table[list(NAMES)].to_numpy(float), ("Small", entry.space.size, "the exact front")
        )
        supernet, dataset = searching.untrained(entry, seed)
        yield from self._trained(supernet, dataset, seed, epochs)
        problem, measure = searching.measured(supernet, dataset)
        kept = ledger.latest_checkpoint()
        searches = [list(each) for each in _SoFar.decode(kept).searches] if kept else []
        for done, (name, own) in enumerate(plan[len(searches) :], len(searches)):
            yield Progress(
                _TRAINED + (1 - _TRAINED) * done / len(plan),
                f"Search {done + 1} of {len(plan)} in the large space.",
            )
            searches.append(searching.found(name, SETTINGS[name], problem, measure, seed=own, budget=BUDGET))
            so_far = _SoFar(searches=tuple(map(tuple, searches)))
            ledger.checkpoint(so_far.encode(), fraction=_TRAINED + (1 - _TRAINED) * (done + 1) / len(plan))
        every = np.array([point for search in searches for point in search])
        return Races(
            seed=seed,
            about=f"{n} seeds of random search and of NSGA-II; every accuracy is measured, in the large space with the weights of a "
            f"supernet trained for it in {epochs} epochs.",
            supernet=entry.supernet_id,
            small=small,
            large=self._searched(
                searches, every, ("Large", supernet.space.size, "what all searches found together")
            ),
        )

    @staticmethod
    def _trained(
        supernet: Supernet, dataset: Dataset, seed: int, epochs: int
    ) -> Generator[Progress, None, None]:
        """Train the supernet of the large space; what is cut here begins again, to the same weights."""
        from core.training.loop import train

        config = TrainingConfig(strategy="sandwich", epochs=epochs, learning_rate=0.05, seed=seed)
        for at in train(supernet, dataset, config, MemoryLedger()):
            yield Progress(_TRAINED * at.fraction, f"Training a supernet of the large space: {at.message}")

    @staticmethod
    def _searched(
        searches: list[list[tuple[float, ...]]], known: np.ndarray, named: tuple[str, int, str]
    ) -> Searched:
        """Searches as shares of the hypervolume of all that is known, the first half of them random ones."""
        reference = pareto.reference_point(known, maximize=MAXIMIZE)
        whole = pareto.hypervolume(known, reference, maximize=MAXIMIZE)
        curves = searching.shares(searches, reference.tolist(), whole, EVERY)
        half, (title, size, of) = len(searches) // 2, named
        return Searched(title=title, size=size, of=of, random=curves[:half], evolution=curves[half:])

    def text(self, evidence: Races) -> tuple[str, ...]:
        small, large = evidence.small, evidence.large
        return (
            "A search may measure only so many subnets. The baseline draws them **at random**. **Evolution** keeps the best it "
            "has, mixes two of them, changes a choice, and measures the child.",
            f"Both are given two search spaces: one of {small.size:,} subnets and one of {large.size:,}. Every line is the mean of "
            f"{len(small.random)} seeds, its band their middle half. A search is judged by its hypervolume, as a share of "
            f"{small.of}; in the large space, whose front nobody knows, of {large.of}.",
        )

    def action(self, evidence: Races) -> str:
        return "Choose a budget and predict; after the reveal, look at the seeds one by one."

    def controls(self, evidence: Races) -> dict[str, Ask]:
        views = {"means": "Means and bands", "seeds": "Evolution minus random at the budget, seed by seed"}
        return {
            "budget": Number(
                "Budget: subnets measured", low=2 * EVERY, high=BUDGET, step=2 * EVERY, start=80
            ),
            "view": Choose("What is drawn after the reveal", options=views, start="means"),
        }

    def figure(self, evidence: Races, shown: Shown) -> Curves:
        budget = self._budget(shown.controls)
        seeds = shown.revealed and shown.controls["view"] == "seeds"
        bounds: list[tuple[str, Literal["x", "y"], float]] = [("your budget", "x", float(budget))]
        if seeds:
            bounds = [("level", "y", 0.0)]
        lines: list[Line] = []
        for space in (evidence.small, evidence.large):
            panel = f"{space.title}: {space.size:,} subnets"
            if seeds:
                lines.append(self._differences(space, budget, panel))
                continue
            lines.append(self._mean("random search", "plain", space.random, panel))
            if shown.revealed:
                lines.append(self._mean("evolution", "plain", space.evolution, panel))
        won = [self._wins(space, budget)[0] for space in (evidence.small, evidence.large)]
        told = (
            f"Evolution is ahead in {won[0]} and {won[1]} seeds at {budget}."
            if shown.revealed
            else "Evolution is hidden."
        )
        return Curves(
            "seeds, from the worst for evolution to the best" if seeds else "subnets measured",
            "evolution ahead by (points)" if seeds else "share of hypervolume (%)  ·  more is better",
            f"Random search in the small and in the large space. {told}",
            lines=tuple(lines),
            bounds=tuple(bounds),
        )

    def prediction(self, evidence: Races, controls: Set) -> Ask:
        return Choose(
            f"Measuring {self._budget(controls)} subnets: where is evolution ahead of random search in more than half of the seeds?",
            options={
                "both": "In both spaces",
                "small": "Only in the small one",
                "large": "Only in the large one",
                "neither": "In neither",
            },
        )

    def truth(self, evidence: Races, controls: Set) -> str:
        budget, half = self._budget(controls), len(evidence.small.random) / 2
        small, large = (self._wins(space, budget)[0] > half for space in (evidence.small, evidence.large))
        return {
            (True, True): "both",
            (True, False): "small",
            (False, True): "large",
            (False, False): "neither",
        }[small, large]

    def found(self, evidence: Races, controls: Set, prediction: Answer) -> str:
        budget, n = self._budget(controls), len(evidence.small.random)
        small, large = (self._wins(space, budget) for space in (evidence.small, evidence.large))
        share = format_share(min(1.0, budget / evidence.small.size))
        said = (
            f"After {budget}, evolution is ahead in {small[0]} of {n} seeds in the small space, {self._verdict(*small)}, and in "
            f"{large[0]} in the large one, {self._verdict(*large)}. "
        )
        told = [self._beyond(*each) and each[0] > each[1] for each in (small, large)]
        if told[1] and not told[0]:
            return f"{said}In a small space random search is hard to beat: by now it has seen {share} of everything. In the large one, breeding pays."
        if all(told):
            lead = [self._lead(space, budget) for space in (evidence.small, evidence.large)]
            return (
                f"{said}Here breeding pays in both, though random search has seen {share} of the small space. In the mean it is "
                f"ahead by {lead[0]:.1f} and {lead[1]:.1f} points. Look at smaller budgets: how early?"
            )
        if told[0]:
            return f"{said}The large space does not show it, against what one would expect: so look at other seeds before you believe it."
        return f"{said}At this budget neither space shows that evolution beats chance. One lucky seed would have said otherwise."

    def question(self, evidence: Races, controls: Set) -> Ask:
        return Number(
            f"Small space, {self._budget(controls)} subnets measured: in how many of the {len(evidence.small.random)} seeds is "
            "evolution ahead? Seeds that are level do not count; one too many or too few is accepted.",
            high=len(evidence.small.random),
            unit="seeds",
            tolerance=1,
        )

    def answer(self, evidence: Races, controls: Set) -> float:
        return float(self._wins(evidence.small, self._budget(controls))[0])

    def explain(self, evidence: Races, controls: Set, given: Answer) -> str:
        n = len(evidence.small.random)
        ahead, behind = self._wins(evidence.small, self._budget(controls))
        if self.question(evidence, controls).right(given, float(ahead)):
            return f"It is {ahead}; random search is ahead in {behind}, and {n - ahead - behind} are level. A mean alone would not tell."
        if given == n:
            return "All of them? The mean may be ahead while some seeds are not: the bands overlap."
        if given == behind:
            return "That is where random search is ahead."
        return "Switch to the seeds one by one, and count those above 0."

    def further(self, evidence: Races) -> tuple[Further, ...]:
        return (
            Further(
                "search",
                {"supernet": evidence.supernet},
                f"Race the same two yourself: algorithm NSGA-II with a population of {SETTINGS[EVOLUTION]['population']}, and random search.",
                {"share after the last evaluation": evidence.small.evolution[0][-1]},
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Races:
        n = int(rng.choice([1, 4, 20]))
        digits = int(rng.choice([2, 5]))  # few digits: many seeds are level

        def curves(lift: float) -> tuple[tuple[float, ...], ...]:
            rises = rng.random((n, BUDGET // EVERY)) * (1 + lift)
            levels = 0.5 + 0.4 * np.cumsum(rises, axis=1) / (2 * BUDGET // EVERY)
            return tuple(map(tuple, np.round(levels, digits).tolist()))

        def space(title: str, size: int) -> Searched:
            lift = float(rng.choice([-0.5, -0.1, 0.0, 0.0, 0.1, 0.5]))
            return Searched(title=title, size=size, of="everything", random=curves(0), evolution=curves(lift))

        return Races(supernet="example", small=space("Small", 512), large=space("Large", 10**6))

    @staticmethod
    def _budget(controls: Set) -> int:
        given = controls["budget"]
        assert isinstance(given, int | float)
        return int(given)

    @staticmethod
    def _wins(space: Searched, budget: int) -> tuple[int, int]:
        """(seeds in which evolution is ahead, those in which random search is)."""
        at = budget // EVERY - 1
        pairs = [(e[at], r[at]) for e, r in zip(space.evolution, space.random, strict=True)]
        return sum(e > r for e, r in pairs), sum(e < r for e, r in pairs)

    @staticmethod
    def _lead(space: Searched, budget: int) -> float:
        """By how many points of hypervolume evolution is ahead in the mean of the seeds."""
        at = budget // EVERY - 1
        return 100 * float(np.mean(np.array(space.evolution)[:, at]) - np.mean(np.array(space.random)[:, at]))

    @staticmethod
    def _beyond(ahead: int, behind: int) -> bool:
        """Whether a coin would seldom give so uneven a count (two-sided sign test; Dixon and Mood, 1946)."""
        n, more = ahead + behind, max(ahead, behind)
        return 2 * sum(comb(n, k) for k in range(more, n + 1)) / 2**n < _CHANCE

    def _verdict(self, ahead: int, behind: int) -> str:
        if not self._beyond(ahead, behind):
            return "no more than chance would give"
        return "more than chance would give" if ahead > behind else "far fewer than chance would give"

    @staticmethod
    def _mean(label: str, role: Role, curves: tuple[tuple[float, ...], ...], panel: str) -> Line:
        low, high = 100 * np.quantile(curves, [0.25, 0.75], axis=0)
        x = tuple(float(EVERY * (i + 1)) for i in range(len(low)))
        mean = 100 * np.mean(curves, axis=0)
        return Line(
            label,
            x,
            tuple(mean.tolist()),
            role,
            low=tuple(low.tolist()),
            high=tuple(high.tolist()),
            panel=panel,
        )

    @staticmethod
    def _differences(space: Searched, budget: int, panel: str) -> Line:
        """By how much evolution is ahead in each seed, in points, from the worst to the best."""
        at = budget // EVERY - 1
        found = np.sort([e[at] - r[at] for e, r in zip(space.evolution, space.random, strict=True)])
        x = tuple(float(n) for n in range(1, len(found) + 1))
        return Line("one seed after the other", x, tuple((100 * found).tolist()), panel=panel)
