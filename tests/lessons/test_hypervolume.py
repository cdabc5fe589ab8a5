"""Lesson 8: its front and its knees are those of the Front page, and the reference point decides what ends add."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import InvalidInput
from core.lessons.base import LESSONS, Shown, controls_of
from core.library import supernets
from core.library.fronts import front
from core.library.library import Library


def test_front_and_knees_are_those_of_the_page() -> None:
    entry = Library().supernet("digits-lesson")
    table = supernets.table(entry)
    assert table is not None
    shown = front(table, ["macs", "accuracy"])
    evidence = LESSONS.create("hypervolume").read(Library(), entry, 0)
    assert set(evidence.arch_ids) <= set(shown.members["arch_id"])
    assert evidence.members == len(shown.members)
    knees = LESSONS.create("hypervolume")._knees(evidence).values()
    assert {evidence.arch_ids[i] for i in knees} == set(shown.knees.values())


def test_an_end_gains_as_the_reference_point_moves_away_and_a_subnet_between_does_not() -> None:
    lesson = LESSONS.create("hypervolume")
    evidence = lesson.read(Library(), Library().supernet("digits-lesson"), 0)
    low, high = ({"reference_macs": x, "reference_accuracy": y} for x, y in ((260, 80), (380, 45)))
    near, far = (lesson._gains(evidence, controls) for controls in (low, high))
    assert near["A"] < far["A"]
    assert near["D"] < far["D"]
    assert (near["B"], near["C"]) == (far["B"], far["C"])


def test_the_shaded_area_is_the_hypervolume() -> None:
    lesson = LESSONS.create("hypervolume")
    for seed in range(20):
        evidence = lesson.example(np.random.default_rng(seed))
        controls = controls_of(lesson, evidence, {})
        chart = lesson.figure(evidence, Shown(controls))
        for _, x, y in chart.areas:
            shoelace = sum(
                x[i - 1] * y[i] - x[i] * y[i - 1] for i in range(len(x))
            )  # of a closed polygon, twice its area
            corner = controls["reference_macs"], controls["reference_accuracy"]
            assert abs(shoelace) / 2 == pytest.approx(lesson._volume(evidence, evidence.found, corner))


def test_a_supernet_without_a_table_is_refused_in_a_sentence() -> None:
    entry = replace(Library().supernet("digits-lesson"), read_table=None)
    with pytest.raises(InvalidInput, match="measure all of them"):
        LESSONS.create("hypervolume").read(Library(), entry, 0)
