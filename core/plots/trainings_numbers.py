"""A comparison of trainings as tables for people."""

from __future__ import annotations

import math

from core.library.comparisons import ComparisonRecord
from core.objectives.base import objective
from core.plots.over_seeds import in_words, objective_in_words
from core.training.watch_rows import SIZES
from core.views.trainings_compared import JUDGED, TrainingsCompared
from core.words import format_seconds, format_share, format_value

_TIED = "not told apart"


def method_rows(record: ComparisonRecord, found: TrainingsCompared) -> list[dict[str, str]]:
    """One row per method: what it was given, what it took, how accurate its subnets are."""
    judged = objective(JUDGED)
    rows = []
    for each in found.methods:
        passes = f"{each.passes:,.0f}"
        if record.budget == "passes":
            passes = f"{passes} ({format_share(each.share)} of the budget)"
        rows.append(
            {
                "Method": each.label,
                "Epochs": str(each.epochs),
                "Passes": passes,
                "Time each": format_seconds(each.seconds.mean) if each.seconds.n else "not trained yet",
                "All measured": objective_in_words(each.mean, judged),
                **{
                    size.capitalize(): objective_in_words(value, judged)
                    for size, value in zip(SIZES, each.sizes, strict=True)
                },
            }
        )
    return rows


def class_rows(found: TrainingsCompared) -> list[dict[str, str]]:
    """One row per class of cost: the best method's accuracy, and how far behind it the others are."""
    judged = objective(JUDGED)
    rows = []
    for each in found.classes:
        row = {"MACs": each.label, "Subnets": f"{each.n:,}"}
        for method in each.methods:
            if method.label == each.best or not each.best:
                told = format_value(method.accuracy.mean, judged)
                row[method.label] = f"{told}, best" if each.best else told
            elif not math.isfinite(method.behind):
                row[method.label] = format_value(method.accuracy.mean, judged)
            else:
                behind = format_value(method.behind, judged, signed=True)
                row[method.label] = behind if method.differs else f"{behind}, {_TIED}"
        rows.append(row)
    return rows


def agreement_rows(found: TrainingsCompared) -> list[dict[str, str]]:
    """One row per pair of methods, and per method with itself: Kendall's tau of the order of subnets."""
    return [
        {
            "Order of": f"two seeds of {each.a}" if each.a == each.b else f"{each.a} and {each.b}",
            "Kendall's τ": in_words(each.tau, digits=2),
        }
        for each in found.agreements
    ]
