"""Lesson 11: whether a subnet with fewer MACs answers sooner, measured on the machine that is there."""

from __future__ import annotations

from collections.abc import Generator
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from core.evaluation.latency.device import this_device
from core.evaluation.latency.protocol import Patience, time_rounds
from core.lessons.asking import Answer, Ask, Choose, Number, Order
from core.lessons.base import LESSONS, SUPERNET, ComputedLesson, Evidence, ForTeachers, Further, Set, Shown
from core.lessons.charts import Group, Scatter
from core.lessons.naming import short_name
from core.library import supernets
from core.library.ranking import deal
from core.library.results import Part, Record
from core.objectives.timing import Race
from core.rank_correlation import kendall
from core.records import Progress
from core.seeding import stream

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

SUBNETS, FIVE = 40, 5
BATCHES = (1, 64)
PATIENCE = Patience(agreement=0.99, least_rounds=20, most_rounds=120, most_seconds=8.0)
_LETTERS = "ABCDE"
_ENOUGH = 5
"""Pairs of the ten that must be told apart; with fewer the measurement is not believed."""
_ALIKE = 0.05
"""Differences of tau below this are not spoken of."""
_EXPORTED = 0.4


class Timing(Part):
    """Subnets that were timed against each other.

    Attributes:
        batch: samples of one answer.
        ms: per subnet the fastest of all rounds, milliseconds per answer.
        spread: interquartile range of the rounds.
        rounds: how many there were.
        agreement: rank correlation of what even and odd rounds say.
    """

    batch: int
    ms: tuple[float, ...]
    spread: tuple[float, ...]
    rounds: int
    agreement: float


class Timed(Evidence):
    """MACs and latency of some subnets; the first five are asked about.

    Attributes:
        supernet: its id.
        arch_ids, names, macs: of each.
        timings: one per batch.
    """

    supernet: str
    arch_ids: tuple[str, ...]
    names: tuple[str, ...]
    macs: tuple[int, ...]
    timings: tuple[Timing, ...]


class _SoFar(Record):
    """What is timed until now."""

    FILE: ClassVar[str] = "timed-so-far.json"
    timings: tuple[Timing, ...] = ()


@LESSONS.register("latency_and_macs")
class LatencyAndMacs(ComputedLesson[Timed]):
    """Counted work beside measured time, for one sample and for sixty-four at once."""

    label = "Are fewer MACs faster?"
    source = "Cai et al., 'ProxylessNAS', ICLR 2019 (latency is measured, not counted); Ma et al., 'ShuffleNet V2', ECCV 2018"
    place = 11
    teacher = ForTeachers(
        goal="Measures latency on the machine that counts, and says which differences the measurement can tell.",
        typical_error="Orders by MACs. Ask: what else does the machine do for each answer, however small the subnet?",
        minutes=7,
    )
    weight_class: ClassVar[Literal["training", "measuring"]] = "measuring"
    seconds = 15.0
    Evidence: ClassVar[type[Timed]] = Timed

    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, Timed]:
        return (yield from self._computed(seed, ledger, library, SUBNETS, PATIENCE))

    def _computed(
        self, seed: int, ledger: Ledger, library: Library, n: int, patience: Patience
    ) -> Generator[Progress, None, Timed]:
        from core.export.onnx_parts import OnnxParts

        entry = library.supernet(SUPERNET)
        dealt = deal(entry, n, seed)
        arch_ids = _five_first(dealt, supernets.counted(entry, entry.space.from_ids(dealt), "macs"), seed)
        rows = entry.space.from_ids(arch_ids)
        kept = ledger.latest_checkpoint()
        timings = list(_SoFar.decode(kept).timings) if kept else []
        parts, files = OnnxParts(supernets.load(entry)), []
        for done, row in enumerate(rows.tolist(), 1):
            files.append(parts.file(tuple(row)))
            yield Progress(_EXPORTED * done / n, f"{done} of {n} subnets exported.")
        for batch in BATCHES[len(timings) :]:
            race = Race(files, parts.sample(batch), seed=seed)
            at = _EXPORTED + (1 - _EXPORTED) * len(timings) / len(BATCHES)
            for found in time_rounds(race, patience):
                said = f"Batch {batch}, round {found.rounds}: two halves agree by {found.agreement:.3f}."
                yield Progress(at, said)
            timings.append(
                Timing(
                    batch=batch,
                    ms=tuple(np.round(found.ms, 5).tolist()),
                    spread=tuple(np.round(found.spread, 5).tolist()),
                    rounds=found.rounds,
                    agreement=round(found.agreement, 4),
                )
            )
            done_share = _EXPORTED + (1 - _EXPORTED) * len(timings) / len(BATCHES)
            ledger.checkpoint(_SoFar(timings=tuple(timings)).encode(), fraction=done_share)
        return Timed(
            seed=seed,
            about=f"{n} subnets drawn at random, timed against each other on {this_device().name}: onnxruntime, one thread, the "
            "fastest of all rounds counts.",
            supernet=entry.supernet_id,
            arch_ids=arch_ids,
            names=tuple(short_name(entry.space, i) for i in arch_ids),
            macs=tuple(int(v) for v in supernets.counted(entry, rows, "macs")),
            timings=tuple(timings),
        )

    def text(self, evidence: Timed) -> tuple[str, ...]:
        return (
            "MACs are counted in a moment and are the same everywhere. What a user waits for is **latency**, and that is "
            "measured, on the machine that will answer. (In names, w stands for widths and k for kernels, block by block.)",
            f"The dots are {len(evidence.arch_ids) - FIVE} subnets that were timed. Five more, A to E, near each other in MACs, stand as "
            "lines. Each was timed in many rounds among the others. Where two differ by less than the rounds scatter, the "
            "measurement **cannot tell** them apart.",
        )

    def action(self, evidence: Timed) -> str:
        return "Put the five in order, then switch from one sample at a time to sixty-four."

    def controls(self, evidence: Timed) -> dict[str, Ask]:
        options = {
            str(t.batch): "One sample at a time" if t.batch == 1 else f"{t.batch} samples at once"
            for t in evidence.timings
        }
        return {"batch": Choose("One answer is for", options=options, start=str(evidence.timings[0].batch))}

    def figure(self, evidence: Timed, shown: Shown) -> Scatter:
        timing, n = self._timing(evidence, shown.controls), len(evidence.macs)
        groups = [self._group(evidence, timing, "timed", range(FIVE, n))] if n > FIVE else []
        bounds: list[tuple[str, Literal["x", "y"], float]] = []
        if shown.revealed:
            groups.append(self._group(evidence, timing, "the five", range(FIVE)))
        else:
            bounds = [(letter, "x", float(evidence.macs[i])) for i, letter in enumerate(_LETTERS)]
        times = "revealed" if shown.revealed else "hidden"
        return Scatter(
            "MACs  ·  less is better",
            f"Latency of {timing.batch} {'sample' if timing.batch == 1 else 'samples'} (ms)  ·  less is better",
            f"Latency against MACs of {n} subnets; the times of A to E are {times}.",
            groups=tuple(groups),
            bounds=tuple(bounds),
            log_x=True,
        )

    def prediction(self, evidence: Timed, controls: Set) -> Ask:
        options = {
            letter: f"{letter} ({evidence.macs[i] / 1000:.0f} k MACs)" for i, letter in enumerate(_LETTERS)
        }
        return Order(
            "Which answers soonest? Order the five from the fastest to the slowest.", options=options
        )

    def truth(self, evidence: Timed, controls: Set) -> tuple[str, ...]:
        ms = self._timing(evidence, controls).ms
        return tuple(_LETTERS[i] for i in sorted(range(FIVE), key=lambda i: (ms[i], i)))

    def found(self, evidence: Timed, controls: Set, prediction: Answer) -> str:
        timing = self._timing(evidence, controls)
        told, place = (
            self._told(timing),
            {letter: i for i, letter in enumerate(prediction if isinstance(prediction, tuple) else ())},
        )
        kept = sum(
            (place[_LETTERS[i]] < place[_LETTERS[j]]) == (timing.ms[i] < timing.ms[j]) for i, j in told
        )
        said = (
            f"{len(told)} of the 10 pairs can be told apart, and you ordered {kept} of them rightly. Among all {len(evidence.macs)}, "
            f"MACs differ {_times(evidence.macs)}, and time {_times(timing.ms)}. "
        )
        if len(told) < _ENOUGH:
            said += "That is too few: this machine was too busy while it measured, so measure again. "
        if max(timing.ms) / min(timing.ms) < 0.5 * max(evidence.macs) / min(evidence.macs):
            said += "Much of the time is spent on every answer, however little there is to count. "
        first, last = (self._tau(evidence, t) for t in (evidence.timings[0], evidence.timings[-1]))
        one, many = evidence.timings[0].batch, evidence.timings[-1].batch
        taus = f"Kendall's tau of MACs and time is {first:.2f} for batch {one} and {last:.2f} for {many}"
        if last - first > _ALIKE:
            return f"{said}{taus}: the more work there is in one answer, the more counting it says."
        if first - last > _ALIKE:
            return f"{said}{taus}: more work in one answer does not bring time nearer to MACs here."
        return f"{said}{taus}: here the batch hardly changes how well MACs order."

    def question(self, evidence: Timed, controls: Set) -> Ask:
        timing = self._timing(evidence, controls)
        told = len(self._told(timing))
        doubt = (
            ""
            if told >= _ENOUGH
            else " With so few pairs told apart the answer says little: this measurement should be repeated."
        )
        return Number(
            f"Batch {timing.batch}: of the {told} pairs among A to E that can be told apart, how many have the one with fewer MACs "
            f"slower?{doubt}",
            high=FIVE * (FIVE - 1) // 2,
            unit="pairs",
        )

    def answer(self, evidence: Timed, controls: Set) -> float:
        timing = self._timing(evidence, controls)
        return float(len(self._inverted(evidence, timing, self._told(timing))))

    def explain(self, evidence: Timed, controls: Set, given: Answer) -> str:
        timing = self._timing(evidence, controls)
        told = self._told(timing)
        here = self._inverted(evidence, timing, told)
        names = ", ".join(f"{_LETTERS[i]} and {_LETTERS[j]}" for i, j in here)
        level = 10 - len(told)
        apart = f"{level} of the 10 pairs {'is' if level == 1 else 'are'} level"
        if given == len(here):
            which = f"It is {names}" if here else "MACs order these five rightly"
            return f"{which}. {apart}: closer than the rounds scatter."
        if given == len(self._inverted(evidence, timing, list(combinations(range(FIVE), 2)))):
            return f"That counts pairs that differ by less than the rounds scatter. {apart}."
        return "Take the pairs one by one: which has fewer MACs, and is it the lower dot? Leave out pairs that are level."

    def further(self, evidence: Timed) -> tuple[Further, ...]:
        return (
            Further(
                "front",
                {"supernet": evidence.supernet, "sid": evidence.arch_ids[0]},
                "Time the subnets on this machine there, and see who stays on the front of accuracy and latency.",
                {"macs": float(evidence.macs[0])},
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Timed:
        n = int(rng.integers(FIVE, 30))
        macs = rng.integers(1, 30, n) * 4000 if rng.random() < 0.3 else rng.integers(8_000, 300_000, n)
        work = macs / macs.max()
        timings = []
        for batch in BATCHES:
            fixed, noise = float(rng.choice([0.0, 1.0, 5.0])), float(rng.choice([0.0, 0.1, 1.0]))
            ms = np.round(0.02 * (fixed + work + noise * rng.random(n)) + 0.001, int(rng.choice([3, 5])))
            scatter = float(rng.choice([0.0, 0.0005, 0.003, 1.0]))
            spread = np.round(scatter * rng.random(n), 5)
            timings.append(
                Timing(
                    batch=batch,
                    ms=tuple(ms.tolist()),
                    spread=tuple(spread.tolist()),
                    rounds=20,
                    agreement=0.9,
                )
            )
        return Timed(
            supernet="example",
            arch_ids=tuple(f"a{i}" for i in range(n)),
            names=tuple(f"subnet {i}" for i in range(n)),
            macs=tuple(macs.tolist()),
            timings=tuple(timings),
        )

    @staticmethod
    def _timing(evidence: Timed, controls: Set) -> Timing:
        return next(t for t in evidence.timings if str(t.batch) == controls["batch"])

    @staticmethod
    def _told(timing: Timing) -> list[tuple[int, int]]:
        """Pairs of the five that differ by more than either's rounds scatter."""
        ms, spread = timing.ms, timing.spread
        return [
            (i, j) for i, j in combinations(range(FIVE), 2) if abs(ms[i] - ms[j]) > max(spread[i], spread[j])
        ]

    @staticmethod
    def _inverted(evidence: Timed, timing: Timing, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those of the pairs whose member with fewer MACs is the slower one."""
        macs, ms = evidence.macs, timing.ms
        return [(i, j) for i, j in pairs if (macs[i] - macs[j]) * (ms[i] - ms[j]) < 0]

    @staticmethod
    def _tau(evidence: Timed, timing: Timing) -> float:
        return kendall(evidence.macs, timing.ms) or 0.0

    @staticmethod
    def _group(evidence: Timed, timing: Timing, label: str, rows: range) -> Group:
        return Group(
            label,
            "plain" if label == "timed" else "front",
            keys=tuple(evidence.arch_ids[i] for i in rows),
            x=tuple(float(evidence.macs[i]) for i in rows),
            y=tuple(timing.ms[i] for i in rows),
            texts=tuple(evidence.names[i] for i in rows),
            names=() if label == "timed" else tuple(_LETTERS),
        )


def _five_first(arch_ids: tuple[str, ...], macs: NDArray[np.float64], seed: int) -> tuple[str, ...]:
    """Five that are near each other in MACs, in no order, before the others: every second one from a place drawn at random."""
    rng, order = stream(seed, "lesson", "latency_and_macs"), np.argsort(macs, kind="stable")
    step = 2 if len(order) >= 2 * FIVE else 1
    start = int(rng.integers(0, len(order) - step * (FIVE - 1)))
    five = rng.permutation(order[start : start + step * FIVE : step][:FIVE]).tolist()
    return tuple(arch_ids[i] for i in [*five, *(i for i in range(len(arch_ids)) if i not in five)])


def _times(values: tuple[float, ...] | tuple[int, ...]) -> str:
    """How far the largest is from the smallest: `25 times`, `1.3 times`."""
    ratio = max(values) / min(values)
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.1f} times"
