"""Lesson 10: what orders subnets without measuring them all: counting, zero-cost proxies, or learning from a few."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.chance.rank_intervals import middle, resampled_kendall
from core.lessons.asking import Answer, Ask, Choose
from core.lessons.base import LESSONS, SUPERNET, ComputedLesson, Evidence, ForTeachers, Further, Set, Shown
from core.lessons.charts import Bars
from core.library import supernets
from core.library.results import Record
from core.objectives.base import objective
from core.predictors.base import PREDICTORS
from core.proxies.base import PROXIES
from core.rank_correlation import kendall
from core.records import Progress
from core.search import ALGORITHMS
from core.search.problem import Problem
from core.seeding import stream
from core.spaces import Arch, Archs

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library
    from core.library.supernets import SupernetEntry

SUBNETS, SAMPLES, RESAMPLES = 100, 64, 10
LABELS = (5, 10, 20, 50, 100)
PREDICTOR, BASELINE, ZERO_COST = "random_forest", "macs", ("naswot", "grad_norm")
QUALITY = "accuracy"
_TAU = "tau with measured accuracy"
_DRAWS = 250
_SCORED = 0.6


class Judges(Evidence):
    """Subnets that nobody learned from, and what several judges say of them.

    Attributes:
        supernet: its id.
        measured: their accuracy.
        scores: judge -> one score per subnet; NaN where it has none, which ranks last.
        labels: numbers of subnets that a predictor learned from.
        taus: per number of labels, Kendall's tau of each resample.
    """

    supernet: str
    measured: tuple[float, ...]
    scores: dict[str, tuple[float, ...]]
    labels: tuple[int, ...]
    taus: tuple[tuple[float, ...], ...]


class _SoFar(Record):
    """What is scored and learned until now."""

    FILE: ClassVar[str] = "judges-so-far.json"
    scores: tuple[tuple[float, ...], ...] = ()
    taus: tuple[float, ...] = ()


@LESSONS.register("predictors_and_proxies")
class PredictorsAndProxies(ComputedLesson[Judges]):
    """Rank correlations of MACs, two zero-cost proxies, and a predictor with more and more labels."""

    label = "What is a cheap guess worth?"
    source = "Abdelfattah et al., 'Zero-cost proxies for lightweight NAS', ICLR 2021; White et al., 'How powerful are performance predictors', 2021"
    place = 10
    teacher = ForTeachers(
        goal="Holds every clever judge against counting MACs, and asks how many labels it cost.",
        typical_error="Trusts a proxy because its paper does. Ask: what would counting MACs have said?",
        minutes=7,
    )
    seconds = 25.0
    Evidence: ClassVar[type[Judges]] = Judges

    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, Judges]:
        return (yield from self._computed(seed, ledger, library, SUBNETS, RESAMPLES))

    def _computed(
        self, seed: int, ledger: Ledger, library: Library, n: int, resamples: int
    ) -> Generator[Progress, None, Judges]:
        entry = library.supernet(SUPERNET)
        kept = ledger.latest_checkpoint()
        so_far = _SoFar.decode(kept) if kept else _SoFar()
        scores, taus = list(so_far.scores), list(so_far.taus)
        # The subnets and the batch of a run of `score_proxies` with this seed.
        problem = Problem(entry.space, (objective(QUALITY),))
        archs = ALGORITHMS.create("random_search", problem=problem, seed=seed).ask(n)
        score = _scorer(entry, seed)
        for done in range(len(scores), n):
            scores.append(score(archs[done]))
            at = _SCORED * (done + 1) / n
            if (done + 1) % 10 == 0 or done + 1 == n:
                ledger.checkpoint(_SoFar(scores=tuple(scores), taus=tuple(taus)).encode(), fraction=at)
            yield Progress(at, f"{done + 1} of {n} untrained subnets scored.")
        rows = np.array(archs, np.uint8)
        learn = _learner(entry, rows, seed)
        plan = [(labels, k) for labels in LABELS for k in range(resamples)]
        for done, (labels, k) in enumerate(plan[len(taus) :], len(taus)):
            taus.append(learn(labels, k))
            at = _SCORED + (1 - _SCORED) * (done + 1) / len(plan)
            ledger.checkpoint(_SoFar(scores=tuple(scores), taus=tuple(taus)).encode(), fraction=at)
            yield Progress(at, f"Learned from {labels} subnets, {k + 1} of {resamples} times.")
        names = (BASELINE, *ZERO_COST)
        return Judges(
            seed=seed,
            about=f"Kendall's tau with the validation accuracy of {n} subnets drawn at random, measured in {entry.title}; proxies score "
            f"untrained networks on {SAMPLES} samples, the predictor is a {PREDICTORS.info(PREDICTOR).label.lower()}.",
            supernet=entry.supernet_id,
            measured=tuple(round(v, 6) for v in _measured(entry, rows)),
            scores={name: tuple(row[i] for row in scores) for i, name in enumerate(names)},
            labels=LABELS,
            taus=tuple(tuple(taus[i * resamples : (i + 1) * resamples]) for i in range(len(LABELS))),
        )

    def text(self, evidence: Judges) -> tuple[str, ...]:
        return (
            "Measuring every subnet is dear. A **zero-cost proxy** looks at an untrained network once: NASWOT at which ReLUs "
            "switch on, the gradient norm at how steep the loss is. A **predictor** learns from subnets that were measured: its labels.",
            f"Each is asked to order {len(evidence.measured)} subnets that nobody learned from. **Kendall's tau** is 1 for the right "
            "order, 0 for chance. The bar to beat is the cheapest judge of all: counting MACs.",
        )

    def action(self, evidence: Judges) -> str:
        return "Choose how many labels you would pay for, and predict."

    def controls(self, evidence: Judges) -> dict[str, Ask]:
        options = {str(n): f"{n} labels" for n in evidence.labels}
        return {"labels": Choose("Labels for the predictor", options=options, start=str(evidence.labels[1]))}

    def figure(self, evidence: Judges, shown: Shown) -> Bars:
        judged, names = _intervals(evidence), [BASELINE, *ZERO_COST]
        places = [*(PROXIES.info(name).label for name in names), *(f"{n} labels" for n in evidence.labels)]
        means = [float(np.mean(taus)) for taus in evidence.taus]
        taus = (*(judged[name].tau for name in names), *means)
        said = "How well each orders the subnets is hidden."
        if shown.revealed:
            said = ", ".join(f"{place} {tau:.2f}" for place, tau in zip(places, taus, strict=True)) + "."
        lows = (*(judged[name].low for name in names), *(min(taus) for taus in evidence.taus))
        highs = (*(judged[name].high for name in names), *(max(taus) for taus in evidence.taus))
        return Bars(
            "whiskers: 95 % interval; with labels, least and most of all draws",
            "Kendall's tau  ·  more is better",
            said,
            names=tuple(places),
            series={_TAU: taus if shown.revealed else (float("nan"),) * len(places)},
            low={_TAU: lows} if shown.revealed else {},
            high={_TAU: highs} if shown.revealed else {},
            hidden=() if shown.revealed else (_TAU,),
        )

    def prediction(self, evidence: Judges, controls: Set) -> Ask:
        options = {name: PROXIES.info(name).label for name in (BASELINE, *ZERO_COST)}
        options["predictor"] = f"the predictor with {controls['labels']} labels"
        return Choose("Which of them orders the subnets best?", options=options)

    def truth(self, evidence: Judges, controls: Set) -> str:
        taus = self._taus(evidence, controls)
        return max(taus, key=lambda name: taus[name])

    def found(self, evidence: Judges, controls: Set, prediction: Answer) -> str:
        taus, best = self._taus(evidence, controls), self.truth(evidence, controls)
        ask = self.prediction(evidence, controls)
        said = f"Best is {ask.words(best)} with tau {taus[best]:.2f}"
        if prediction != best:
            said += f"; {ask.words(prediction)} has {taus[str(prediction)]:.2f}"
        judged = _intervals(evidence)
        beaten = [PROXIES.info(name).label for name in ZERO_COST if judged[name].gain[1] < 0]
        better = [PROXIES.info(name).label for name in ZERO_COST if judged[name].gain[0] > 0]
        if better:
            proxies = f"Beyond chance, {' and '.join(better)} beats counting MACs here. On another space that may turn: keep the baseline beside it."
        elif len(beaten) == len(ZERO_COST):
            proxies = "Beyond chance, counting MACs beats both proxies here: a proxy without that baseline proves nothing."
        elif beaten:
            tied = next(
                PROXIES.info(name).label for name in ZERO_COST if PROXIES.info(name).label not in beaten
            )
            proxies = f"Counting MACs beats {beaten[0]} beyond chance; {tied} and MACs are a tie."
        else:
            proxies = "Neither proxy differs from counting MACs by more than chance: they are ties."
        few, many = (float(np.mean(evidence.taus[i])) for i in (0, -1))
        pays = (
            f"From {evidence.labels[0]} to {evidence.labels[-1]} labels the predictor goes from {few:.2f} to {many:.2f}, and each "
            "label is a measurement."
        )
        return f"{said}. {proxies} {pays}"

    def question(self, evidence: Judges, controls: Set) -> Ask:
        options = {str(n): str(n) for n in evidence.labels} | {"none": "None of these"}
        return Choose(
            "What is the smallest number of labels with which the predictor beats MACs in the mean of its resamples?",
            options=options,
        )

    def answer(self, evidence: Judges, controls: Set) -> str:
        macs = _intervals(evidence)[BASELINE].tau
        enough = (
            str(n) for n, taus in zip(evidence.labels, evidence.taus, strict=True) if np.mean(taus) > macs
        )
        return next(enough, "none")

    def explain(self, evidence: Judges, controls: Set, given: Answer) -> str:
        expected, macs = self.answer(evidence, controls), _intervals(evidence)[BASELINE].tau
        of = {str(n): taus for n, taus in zip(evidence.labels, evidence.taus, strict=True)}
        if given == expected:
            if expected == "none":
                return f"MACs have tau {macs:.2f}, and no number of labels here gets there in the mean."
            return f"With {expected} labels the mean tau is {np.mean(of[expected]):.2f}, and MACs have {macs:.2f}."
        if given == "none" or (expected != "none" and int(str(given)) > int(expected)):
            return f"Fewer are enough: with {expected} labels the mean is {np.mean(of[expected]):.2f}, and MACs have {macs:.2f}."
        mean, most = float(np.mean(of[str(given)])), max(of[str(given)])
        if most > macs:
            return f"One lucky draw of {given} labels gets to {most:.2f}, but the mean is {mean:.2f}, and MACs have {macs:.2f}."
        return f"With {given} labels the mean is {mean:.2f}; MACs have {macs:.2f}."

    def further(self, evidence: Judges) -> tuple[Further, ...]:
        return (
            Further(
                "search",
                {"supernet": evidence.supernet},
                f"Score {len(evidence.measured)} subnets with all proxies there, or cross-validate every predictor.",
                {f"tau of {name}": _intervals(evidence)[name].tau for name in (BASELINE, *ZERO_COST)},
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Judges:
        n = int(rng.integers(6, 25))
        measured = np.round(rng.random(n), int(rng.choice([1, 6])))
        noise = dict(zip((BASELINE, *ZERO_COST), rng.choice([0.02, 0.3, 1.0, 5.0], 3), strict=True))
        scores = {name: measured + spread * rng.normal(size=n) for name, spread in noise.items()}
        if rng.random() < 0.2:
            scores[ZERO_COST[0]][int(rng.integers(n))] = np.nan
        if rng.random() < 0.05:
            scores[BASELINE][:] = 1.0
        rise = np.sort(rng.random(len(LABELS))) * rng.choice([0.4, 1.0])
        taus = np.clip(rise[:, None] + 0.1 * rng.normal(size=(len(LABELS), 4)), -1, 1)
        return Judges(
            supernet="example",
            measured=tuple(measured.tolist()),
            scores={name: tuple(values.tolist()) for name, values in scores.items()},
            labels=LABELS,
            taus=tuple(map(tuple, taus.tolist())),
        )

    @staticmethod
    def _taus(evidence: Judges, controls: Set) -> dict[str, float]:
        """Tau of each judge, of the predictor the mean with the labels chosen."""
        judged = _intervals(evidence)
        taus = {name: judged[name].tau for name in (BASELINE, *ZERO_COST)}
        at = evidence.labels.index(int(str(controls["labels"])))
        return taus | {"predictor": float(np.mean(evidence.taus[at]))}


@dataclass(frozen=True)
class _Judged:
    """Tau of one judge, its 95 % interval over the subnets, and that of how much more it is than the tau of MACs."""

    tau: float
    low: float
    high: float
    gain: tuple[float, float]


def _intervals(evidence: Judges) -> Mapping[str, _Judged]:
    return _judged(evidence.measured, tuple(evidence.scores.items()))


@lru_cache(maxsize=8)
def _judged(
    measured: tuple[float, ...], scores: tuple[tuple[str, tuple[float, ...]], ...]
) -> Mapping[str, _Judged]:
    # A judge without a number puts the subnet last; equal seeds draw equal subnets, so differences are paired.
    known = {name: np.nan_to_num(np.array(values), nan=-np.inf) for name, values in scores}
    draws = {name: resampled_kendall(values, measured, draws=_DRAWS) for name, values in known.items()}
    return {
        name: _Judged(
            kendall(values, measured) or 0.0, *middle(draws[name]), gain=middle(draws[name] - draws[BASELINE])
        )
        for name, values in known.items()
    }


def _measured(entry: SupernetEntry, rows: Archs) -> NDArray[np.float64]:
    """(n,) accuracy of subnets, from the table."""
    table = supernets.table(entry)
    assert table is not None
    return np.asarray(table.set_index("arch_id").loc[entry.space.arch_ids(rows), QUALITY].to_numpy(float))


def _scorer(entry: SupernetEntry, seed: int) -> Callable[[Arch], tuple[float, ...]]:
    """Scores of an architecture, untrained, by the baseline and each proxy; as `score_proxies` gives them. Loads torch."""
    from core.networks.chain import fresh_like
    from core.tasks.base import task_of

    dataset, supernet = supernets.dataset(entry), supernets.load(entry)
    rows = stream(seed, "proxies", "batch").permutation(len(dataset.train))[:SAMPLES]
    batch = task_of(dataset).batch(dataset, dataset.train.rows(np.sort(rows)))
    proxies = [PROXIES.create(name) for name in (BASELINE, *ZERO_COST)]

    def score(arch: Arch) -> tuple[float, ...]:
        statistics = supernet.calibrate(arch, batch.inputs, len(batch))
        net = fresh_like(supernet.extract(arch, statistics), seed)
        found = (proxy.score(net, batch, seed) for proxy in proxies)
        return tuple(float(f"{value:.8g}") if np.isfinite(value) else float("nan") for value in found)

    return score


def _learner(entry: SupernetEntry, held: Archs, seed: int) -> Callable[[int, int], float]:
    """Tau on `held` of a predictor that learned from so many other subnets, drawn anew for each resample."""
    table = supernets.table(entry)
    assert table is not None
    names = set(entry.space.arch_ids(held))
    ids = [arch_id for arch_id in table["arch_id"] if arch_id not in names]
    rows = entry.space.from_ids(ids)
    values, truth = _measured(entry, rows), _measured(entry, held)

    def learn(labels: int, resample: int) -> float:
        rng = stream(seed, "lesson", "labels", labels, resample)
        some = rng.choice(len(rows), labels, replace=False)
        predictor = PREDICTORS.create(
            PREDICTOR, space=entry.space, objective=objective(QUALITY), seed=seed + resample
        )
        predictor.fit(rows[some], values[some])
        tau = kendall(predictor.predict(held).mean, truth)
        return round(tau or 0.0, 6)

    return learn
