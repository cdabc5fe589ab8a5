"""Lesson 7: whether the order of the subnets inside a supernet is the order in which they would do alone."""

from __future__ import annotations

from collections.abc import Generator
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.chance.rank_intervals import middle, resampled_kendall
from core.lessons.asking import Answer, Ask, Choose, Number
from core.lessons.base import LESSONS, SUPERNET, ComputedLesson, Evidence, ForTeachers, Further, Set, Shown
from core.lessons.charts import Slopes
from core.lessons.naming import short_name
from core.library.ranking import Alone, deal, inside, mean_ranks, train_one
from core.library.results import Record
from core.rank_correlation import kendall
from core.records import Progress

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

SUBNETS, SHOWN, SEEDS = 20, 8, 2
_SETTLED = 0.02
"""Differences of tau below this are not spoken of."""
_DRAWS = 300


class Ranks(Evidence):
    """Test accuracies of some subnets: with the supernet's weights, and trained alone twice.

    Attributes:
        supernet: its id.
        arch_ids, names: of the subnets.
        inside: with the supernet's weights.
        first, second: trained alone, each from weights of its own; NaN where that is missing.
    """

    supernet: str
    arch_ids: tuple[str, ...]
    names: tuple[str, ...]
    inside: tuple[float, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]


class _SoFar(Record):
    """Networks trained until now."""

    FILE: ClassVar[str] = "alone-so-far.json"
    nets: tuple[Alone, ...] = ()


@LESSONS.register("ranking")
class Ranking(ComputedLesson[Ranks]):
    """The supernet's order of some subnets beside the order in which they do when each is trained alone."""

    label = "Is the supernet's order right?"
    source = "Yu et al., 'Evaluating the search phase of neural architecture search', ICLR 2020"
    place = 7
    teacher = ForTeachers(
        goal="Can read Kendall's tau off a chart of ranks, and knows that chance in training bounds it.",
        typical_error="Counts the subnets that moved. Ask: which two of them changed sides with each other?",
        minutes=9,
    )
    seconds = 100.0
    Evidence: ClassVar[type[Ranks]] = Ranks

    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, Ranks]:
        return (yield from self._computed(seed, ledger, library, SUBNETS))

    def _computed(
        self, seed: int, ledger: Ledger, library: Library, subnets: int
    ) -> Generator[Progress, None, Ranks]:
        entry = library.supernet(SUPERNET)
        arch_ids = deal(entry, subnets, seed)
        before = _SoFar.decode(kept).nets if (kept := ledger.latest_checkpoint()) else ()
        nets = list(before)
        # The seeds of networks trained alone begin with 1; 0 is the supernet's.
        wanted = [(i, SEEDS * seed + k) for k in range(1, SEEDS + 1) for i in arch_ids]
        for done, (arch_id, own) in enumerate(wanted[len(nets) :], len(nets)):
            said = f"Network {done + 1} of {len(wanted)} learns alone."
            training = train_one(entry, arch_id, own)
            while True:
                try:
                    share = next(training)
                except StopIteration as end:
                    nets.append(end.value)
                    break
                yield Progress((done + share) / len(wanted), said)
            ledger.checkpoint(_SoFar(nets=tuple(nets)).encode(), fraction=(done + 1) / len(wanted))
        n = len(arch_ids)
        return Ranks(
            seed=seed,
            about=f"Test accuracy of {n} subnets drawn at random: with the supernet's weights, and trained alone twice.",
            supernet=entry.supernet_id,
            arch_ids=arch_ids,
            names=tuple(short_name(entry.space, i) for i in arch_ids),
            inside=tuple(round(v, 6) for v in inside(entry, arch_ids)),
            first=tuple(net.accuracy for net in nets[:n]),
            second=tuple(net.accuracy for net in nets[n:]),
        )

    def text(self, evidence: Ranks) -> tuple[str, ...]:
        return (
            "A search believes the supernet: it takes the subnet that answers best **with shared weights**. But is that "
            "the one that would be best if each were trained **alone**? (In names, w stands for widths, k for kernels.)",
            f"At the left, {len(evidence.arch_ids)} subnets are ranked by the supernet. Each was also trained alone, twice "
            "from different weights. A pair whose lines cross is in the wrong order. **Kendall's tau** sums it up: 1 if no "
            "pair is wrong, 0 if as many are wrong as right.",
        )

    def action(self, evidence: Ranks) -> str:
        return "Predict first, then reveal the right column and switch to two trainings against each other."

    def controls(self, evidence: Ranks) -> dict[str, Ask]:
        left = {"supernet": "The supernet and training alone", "again": "Two trainings alone"}
        return {
            "compared": Choose("Which two orders stand beside each other", options=left, start="supernet"),
            "shown": Choose(
                "How many subnets are shown",
                options={"few": f"The first {SHOWN}", "all": "All"},
                start="few",
            ),
        }

    def figure(self, evidence: Ranks, shown: Shown) -> Slopes:
        again = shown.revealed and shown.controls["compared"] == "again"
        n = len(evidence.arch_ids) if shown.controls["shown"] == "all" else SHOWN
        left, right = evidence.inside[:n], self._alone(evidence)[:n]
        if again:
            left, right = evidence.first[:n], evidence.second[:n]
        if not shown.revealed:
            right = (float("nan"),) * len(left)
        crossings = self._pairs(left, right)[1]
        first, second = ("alone", "alone again") if again else ("in the supernet", "alone")
        says = (
            f"{crossings} pairs of {len(left)} subnets cross."
            if shown.revealed
            else "The right is not revealed."
        )
        return Slopes(
            says=f"Ranks of {len(left)} subnets, {first} and {second}. {says}",
            left=first,
            right=second,
            names=evidence.names[:n],
            left_ranks=mean_ranks(left),
            right_ranks=mean_ranks(right),
        )

    def prediction(self, evidence: Ranks, controls: Set) -> Ask:
        return Number(
            f"Of all pairs of the {len(evidence.arch_ids)} subnets, what share does the supernet put in the right order? "
            "A coin gets 50 %.",
            unit="%",
            tolerance=5,
        )

    def truth(self, evidence: Ranks, controls: Set) -> float:
        right, wrong = self._pairs(evidence.inside, self._alone(evidence))
        return 100 * right / max(right + wrong, 1)

    def found(self, evidence: Ranks, controls: Set, prediction: Answer) -> str:
        share = self.truth(evidence, controls)
        tau, ceiling, (low, high), apart = self._taus(evidence)
        said = f"{share:.0f} % of the pairs are in the right order. "
        if np.isnan(tau) or np.isnan(ceiling):
            return f"{said}Too few subnets differ here for a tau."
        said += f"Against one training alone, tau is {tau:.2f} (95 % interval {low:.2f} to {high:.2f}). "
        again = (
            f"two trainings of the same subnets agree by {ceiling:.2f} only"
            if ceiling < 0.95
            else (f"two trainings of the same subnets agree by {ceiling:.2f}")
        )
        if apart[0] > _SETTLED:
            return (
                f"{said}And {again}: here the supernet agrees with them better than they do with each other."
            )
        if apart[1] < -_SETTLED:
            return f"{said}But {again}: beyond chance, sharing weights costs part of the order."
        return (
            f"{said}But {again}: that is the ceiling, because no judge is better than the noise it is judged by. With so few "
            "subnets the two taus cannot be told apart."
        )

    def question(self, evidence: Ranks, controls: Set) -> Ask:
        n = min(SHOWN, len(evidence.arch_ids))
        return Number(
            f"With the first {n} shown, supernet at the left: how many pairs are in the wrong order? Pairs that are level on a "
            "side do not count.",
            high=n * (n - 1) // 2,
            unit="pairs",
        )

    def answer(self, evidence: Ranks, controls: Set) -> float:
        return float(self._pairs(evidence.inside[:SHOWN], self._alone(evidence)[:SHOWN])[1])

    def explain(self, evidence: Ranks, controls: Set, given: Answer) -> str:
        few, alone = evidence.inside[:SHOWN], self._alone(evidence)[:SHOWN]
        right, wrong = self._pairs(few, alone)
        before, after = mean_ranks(few), mean_ranks(alone)
        moved = sum(a != b for a, b in zip(before, after, strict=True) if np.isfinite(b))
        if given == wrong:
            told = (
                f" So tau of these is ({right} \N{MINUS SIGN} {wrong}) / {right + wrong}, ties aside."
                if right + wrong
                else ""
            )
            return f"{wrong} pairs cross and {right} do not.{told}"
        if given == moved:
            return f"{moved} subnets change their rank, but tau counts pairs: one that passes three others makes three."
        if given == right:
            return "Those are the pairs in the right order. Count the lines that cross."
        return "Take each subnet in turn and count the lines that cross its own; every crossing is then met twice."

    def further(self, evidence: Ranks) -> tuple[Further, ...]:
        best = int(np.argmax(evidence.inside))
        return (
            Further(
                "front",
                {"supernet": evidence.supernet, "sid": evidence.arch_ids[best]},
                "Open the subnet that the supernet ranks first, and train it alone with seeds of your own.",
                {"test_accuracy": evidence.inside[best]},
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Ranks:
        n = int(rng.integers(SHOWN, 24))
        samples = int(rng.choice([6, 40, 2000]))  # few samples: many ties

        def seen(quality: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
            shares = np.clip(quality + noise * rng.normal(size=n), 0, 1)
            return np.asarray(np.round(np.round(shares * samples) / samples, 6))

        quality, noise = rng.random(n), float(rng.choice([0.01, 0.1, 0.5]))
        shared = [quality, rng.random(n), 1 - quality][int(rng.integers(3))]
        inside, first, second = (
            seen(shared, float(rng.choice([0.0, 0.1, 0.5]))),
            seen(quality, noise),
            seen(quality, noise),
        )
        if rng.random() < 0.2:  # what was not trained
            first[int(rng.integers(n))] = np.nan
        if rng.random() < 0.1:
            inside[:] = 0.5
        return Ranks(
            supernet="example",
            arch_ids=tuple(f"a{i}" for i in range(n)),
            names=tuple(f"subnet {i}" for i in range(n)),
            inside=tuple(inside.tolist()),
            first=tuple(first.tolist()),
            second=tuple(second.tolist()),
        )

    @staticmethod
    def _alone(evidence: Ranks) -> tuple[float, ...]:
        """The mean of the two trainings, the better estimate of what a subnet can do."""
        return tuple(round((a + b) / 2, 9) for a, b in zip(evidence.first, evidence.second, strict=True))

    @staticmethod
    def _pairs(left: tuple[float, ...], right: tuple[float, ...]) -> tuple[int, int]:
        """(pairs in the same order, pairs in opposite order); level or unknown ones are neither."""
        orders = [(left[i] - left[j]) * (right[i] - right[j]) for i, j in combinations(range(len(left)), 2)]
        return sum(o > 0 for o in orders), sum(o < 0 for o in orders)

    @staticmethod
    def _taus(evidence: Ranks) -> tuple[float, float, tuple[float, float], tuple[float, float]]:
        return _taus(evidence.inside, evidence.first, evidence.second)


@lru_cache(maxsize=8)
def _taus(
    inside: tuple[float, ...], first: tuple[float, ...], second: tuple[float, ...]
) -> tuple[float, float, tuple[float, float], tuple[float, float]]:
    """Tau of supernet and one training, tau of two trainings, interval of the first, and of their difference.

    The same resamples of the subnets serve all of them, so what these subnets share does not count as chance.
    """
    numbers = np.array([inside, first, second])
    shared, one, other = numbers[:, np.isfinite(numbers).all(axis=0)]
    pairs = ((shared, one), (shared, other), (one, other))
    a, b, ceiling = (float("nan") if tau is None else tau for tau in (kendall(*pair) for pair in pairs))
    draws = [resampled_kendall(*pair, draws=_DRAWS) for pair in pairs]
    tau = (draws[0] + draws[1]) / 2
    return (a + b) / 2, ceiling, middle(tau), middle(tau - draws[2])
