"""Kendall's tau-b by its definition, pair by pair, in whole numbers until the last division."""

from __future__ import annotations

from math import isnan, sqrt
from typing import Any

from core.lessons.predictors_and_proxies import Judges


def tau(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    same = of_a = of_b = 0
    a = tuple(float("-inf") if isnan(v) else v for v in a)
    for i in range(len(a)):
        for j in range(i):
            one = (a[i] > a[j]) - (a[i] < a[j])
            other = (b[i] > b[j]) - (b[i] < b[j])
            same += one * other
            of_a += one * one
            of_b += other * other
    return same / sqrt(of_a * of_b) if of_a and of_b else 0.0


def mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def truth(evidence: Judges, controls: dict[str, Any]) -> str:
    found = {name: tau(evidence.scores[name], evidence.measured) for name in ("macs", "naswot", "grad_norm")}
    for n, taus in zip(evidence.labels, evidence.taus, strict=True):
        if str(n) == controls["labels"]:
            found["predictor"] = mean(taus)
    best = max(found.values())
    return next(name for name, value in found.items() if value == best)


def answer(evidence: Judges, controls: dict[str, Any]) -> str:
    macs = tau(evidence.scores["macs"], evidence.measured)
    return min(
        (str(n) for n, taus in zip(evidence.labels, evidence.taus, strict=True) if mean(taus) > macs),
        key=int,
        default="none",
    )
