"""Predictors side by side: how well each orders what it did not see, and what its intervals hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.library.csv_tables import csv_bytes
from core.library.judged import JudgedPredictor, JudgedRecord
from core.objectives.base import objective
from core.over_seeds import Spread, spread
from core.predictors.judging import LEVELS, Judged
from core.words import count_of, format_count, format_share, format_value, within_sentence

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class PredictorRow:
    """One predictor.

    Attributes:
        name, label: of the predictor.
        taus: Kendall's tau of each fold.
        error: mean absolute error in the objective's unit.
        coverage: level -> share of rows within the interval of that level; empty where it gives none.
        seconds: of processor time, all fits together.
        refused: why there is nothing, "" if there is.
    """

    name: str
    label: str
    taus: tuple[float, ...]
    error: float
    coverage: Mapping[float, float]
    seconds: float
    refused: str = ""

    @property
    def over_folds(self) -> Spread:
        """Mean tau with its band."""
        return spread(self.taus)


@dataclass(frozen=True, eq=False)
class Guessed:
    """What one predictor said of rows it had not seen.

    Attributes:
        arch_ids: of the rows.
        values: what was measured.
        guesses, deviations: what was said; None where no deviation is given.
    """

    arch_ids: tuple[str, ...]
    values: NDArray[np.float64]
    guesses: NDArray[np.float64]
    deviations: NDArray[np.float64] | None


def rows(record: JudgedRecord) -> list[PredictorRow]:
    """The predictors judged so far, the best order first; those without a result last."""
    found = [_row(record, each) for each in record.predictors]
    return sorted(found, key=lambda row: (bool(row.refused), -row.over_folds.mean if row.taus else 0.0))


def _row(record: JudgedRecord, one: JudgedPredictor) -> PredictorRow:
    if one.refused:
        return PredictorRow(one.name, one.label, (), float("nan"), {}, one.seconds, one.refused)
    judged = _judged(record, one)
    return PredictorRow(one.name, one.label, tuple(judged.taus), judged.error, judged.coverage, one.seconds)


def _judged(record: JudgedRecord, one: JudgedPredictor) -> Judged:
    deviations = np.array(one.deviations) if one.deviations else None
    return Judged(np.array(one.guesses), deviations, np.array(record.folds), np.array(record.values))


def guessed(record: JudgedRecord, name: str) -> Guessed | None:
    """What one predictor said; None where it was refused or has not been judged."""
    for one in record.predictors:
        if one.name == name and not one.refused:
            judged = _judged(record, one)
            return Guessed(record.arch_ids, judged.values, judged.guesses, judged.deviations)
    return None


def sentence(found: Sequence[PredictorRow]) -> str:
    """Which order is best, and whether the spread over folds tells it from the next."""
    good = [row for row in found if row.taus]
    if not good:
        return ""
    best = good[0].over_folds
    said = f"{good[0].label} orders unseen architectures best: mean τ {best.mean:.2f}"
    near = [row.label for row in good[1:] if row.over_folds.high >= best.mean]
    if near:
        return f"{said}. Within the spread over folds of it: {', '.join(near)}."
    return f"{said}; no other reaches that mean within its spread over folds."


def how_measured(record: JudgedRecord, searched: str = "") -> str:
    """What the numbers are of, in a sentence or two.

    Args:
        record: the result.
        searched: title of the search the rows come from; "" for a random sample.
    """
    n, folds = len(record.values), max(record.folds) + 1
    goal = within_sentence(objective(record.objective).label)
    which = (
        f"the first {count_of(n, 'architecture')} of {searched}"
        if searched
        else f"{format_count(n)} random architectures"
    )
    told = " Predictors were told MACs and parameters." if record.beside else ""
    biased = " A search prefers good architectures: they are not a sample of the space." if searched else ""
    return (
        f"Learned: {goal} ({record.source}) of {which}, divided into {folds} folds (seed {record.seed}); each fold was "
        f"guessed by a fit to the others. τ is Kendall's tau-b within a fold: mean over folds, in brackets "
        f"{spread(range(folds)).band}. Intervals are normal ones around each guess.{told}{biased}"
    )


def table(found: Sequence[PredictorRow], goal: str) -> list[dict[str, str]]:
    """Cells for people.

    Args:
        found: what `rows` gave.
        goal: name of the objective.
    """
    return [
        {
            "Predictor": row.label,
            "Kendall's τ": _tau(row),
            "Mean error": format_value(row.error, objective(goal), signed=True).lstrip("+")
            if row.taus
            else "",
            **{
                f"{format_share(level)} interval holds": format_share(row.coverage.get(level))
                if row.coverage
                else "none given"
                for level in LEVELS
            },
            "Processor time": f"{row.seconds:.2g} s" if row.taus else row.refused,
        }
        for row in found
    ]


def _tau(row: PredictorRow) -> str:
    if not row.taus:
        return "none"
    over = row.over_folds
    return f"{over.mean:.2f} ({over.low:.2f} to {over.high:.2f})"


def csv(record: JudgedRecord) -> bytes:
    """One row per predictor; coverage is a share, the error in the objective's unit."""
    lines = []
    for row in rows(record):
        over = row.over_folds
        line: dict[str, object] = {
            "predictor": row.name,
            "label": row.label,
            "kendall_tau": over.mean,
            "tau_low": over.low,
            "tau_high": over.high,
            "tau_band": over.band,
            "mean_absolute_error": row.error,
        }
        line |= {f"coverage_{round(100 * level)}": row.coverage.get(level, float("nan")) for level in LEVELS}
        line |= {
            "seconds": row.seconds,
            "rows": len(record.values),
            "folds": max(record.folds) + 1,
            "objective": record.objective,
            "refused": row.refused,
        }
        lines.append(line)
    return csv_bytes(lines)
