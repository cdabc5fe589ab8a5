"""Lesson 4 computes what the one loop trains, wherever it was cut."""

from __future__ import annotations

import numpy as np
import pytest

from core.lessons.base import LESSONS, SUPERNET, Shown, shipped
from core.lessons.charts import Curves
from core.lessons.sandwich import SandwichLesson
from core.lessons.trainings import SIZES, drawn, middle, space_of
from core.library import supernets
from tests.lessons.small import few_images, resumed

LESSON = SandwichLesson()


@pytest.mark.slow
def test_it_goes_on_from_a_checkpoint_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    few_images(monkeypatch)
    # Three trainings of one epoch, and one checkpoint more at the end of each: cut within the second.
    assert resumed("sandwich", (2,), epochs=1) == [3]


def test_its_sandwich_is_the_shipped_supernet() -> None:
    """The same preset, epochs and seed: the lesson's last epoch is what the Front page shows of these subnets."""
    entry = supernets.find(None, SUPERNET)
    table = supernets.table(entry)
    assert table is not None
    known = dict(zip(table["arch_id"], table["accuracy"], strict=True))
    (said,) = [link.numbers for link in LESSON.further(shipped(LESSON)) if link.numbers]
    space = entry.space
    archs = dict(zip(SIZES, (space.smallest, middle(space), space.largest), strict=True))
    for size, arch in archs.items():
        assert said[size] == pytest.approx(known[space.arch_id(arch)], abs=5e-5)
    sampled = [known[arch_id] for arch_id in drawn(space, 20, 0)]
    assert shipped(LESSON).sampled[-1] == pytest.approx(sampled, abs=5e-5)


def test_before_the_reveal_only_the_largest_is_drawn() -> None:
    evidence = LESSON.example(np.random.default_rng(0))
    before, after = (LESSON.figure(evidence, Shown(revealed=seen)) for seen in (False, True))
    assert isinstance(before, Curves)
    assert {line.label for line in before.lines} == {"largest"}
    assert {line.label for line in after.lines} == set(SIZES)


def test_drawn_subnets_are_different_ones() -> None:
    ids = drawn(space_of(SUPERNET), 20, 3)
    assert len(set(ids)) == 20
    assert ids != drawn(space_of(SUPERNET), 20, 4)
    assert LESSONS.create("sandwich").config.epochs == 20
