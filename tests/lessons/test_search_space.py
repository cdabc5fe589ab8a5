"""Lesson 1: what its controls leave, and what its draws see, against an enumeration by hand."""

from __future__ import annotations

import itertools

import pytest

from core.lessons.base import SUPERNET, Shown, controls_of
from core.lessons.search_space import SearchSpaceLesson
from core.library import supernets
from core.library.library import Library

LESSON = SearchSpaceLesson()
ENTRY = supernets.find(None, SUPERNET)


def test_counters_are_what_an_enumeration_finds() -> None:
    evidence = LESSON.read(Library(), ENTRY, 0)
    table = supernets.table(ENTRY)
    assert table is not None
    limit = list(LESSON.controls(evidence)["budget"].options)[1]  # type: ignore[attr-defined]
    given = {"forbidden": ["0.3", "5.0"], "budget": limit, "draws": "100"}
    chart = LESSON.figure(evidence, Shown(controls_of(LESSON, evidence, given)))
    left = table[(table["width1"] != 8) & (table["kernel3_1"] != 3) & (table["macs"] < float(limit))]
    counters = dict(chart.counters)
    assert counters["subnets left"] == f"{len(left)} of 512"
    assert [sum(each) for each in chart.allowed] == [3, 2, 4, 2, 4, 1]
    seen, expected = chart.curve
    assert seen.y[-1] == float(counters["seen"])
    assert all(b - a in (0, 1) for a, b in itertools.pairwise(seen.y))
    assert max(seen.y) <= len(left)
    # The mean number of different ones after n draws; chance moves it by its root at most a few times.
    assert abs(seen.y[-1] - expected.y[-1]) < 3 * expected.y[-1] ** 0.5


def test_where_nothing_is_left_nothing_is_drawn() -> None:
    evidence = LESSON.read(Library(), ENTRY, 0)
    given = {"forbidden": [f"1.{j}" for j in range(2)], "draws": "1000"}
    chart = LESSON.figure(evidence, Shown(controls_of(LESSON, evidence, given)))
    assert chart.counters == (("subnets left", "0 of 512"),)
    assert chart.curve == ()


@pytest.mark.parametrize("seed", [0, 1])
def test_once_and_a_hundred_times_are_the_same_draws(seed: int) -> None:
    evidence = LESSON.read(Library(), ENTRY, seed)
    curves = [
        LESSON.figure(evidence, Shown(controls_of(LESSON, evidence, {"draws": n}))).curve[0].y
        for n in ("1", "100", "1000")
    ]
    assert curves[1][:1] == curves[0]
    assert curves[2][:100] == curves[1]
