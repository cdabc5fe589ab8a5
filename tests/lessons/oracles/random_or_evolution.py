"""Seed by seed, by hand."""

from __future__ import annotations

from typing import Any

from core.lessons.random_or_evolution import Races, Searched


def ahead(space: Searched, controls: dict[str, Any]) -> int:
    count, step = 0, 10
    for seed in range(len(space.random)):
        measured = 0
        for evolution, chance in zip(space.evolution[seed], space.random[seed], strict=True):
            measured += step
            if measured == controls["budget"] and evolution > chance:
                count += 1
    return count


def truth(evidence: Races, controls: dict[str, Any]) -> str:
    more = [2 * ahead(space, controls) > len(space.random) for space in (evidence.small, evidence.large)]
    if more[0]:
        return "both" if more[1] else "small"
    return "large" if more[1] else "neither"


def answer(evidence: Races, controls: dict[str, Any]) -> int:
    return ahead(evidence.small, controls)
