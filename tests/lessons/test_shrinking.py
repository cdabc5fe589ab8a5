"""Lesson 6: phases and all at once, from the same first weights, wherever it was cut."""

from __future__ import annotations

import numpy as np
import pytest

from core.lessons.base import SUPERNET, Shown, shipped
from core.lessons.shrinking import Shrinking
from core.lessons.trainings import SIZES, space_of
from core.training.strategies import STRATEGIES
from tests.lessons.small import few_images, resumed

LESSON = Shrinking()


@pytest.mark.slow
def test_it_goes_on_from_a_checkpoint_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    few_images(monkeypatch)
    # Four epochs are four phases; the cut lies where a frozen teacher is part of the state.
    assert resumed("shrinking", (2,), epochs=4) == [7]


def test_every_epoch_has_its_phase_and_lines_stand_between_them() -> None:
    evidence = shipped(LESSON)
    assert list(dict.fromkeys(evidence.phases)) == [
        "full network",
        "kernels, all",
        "widths, larger half",
        "widths, all",
    ]
    chart = LESSON.figure(evidence, Shown(revealed=True))
    names = list(dict.fromkeys(evidence.phases))
    for label, axis, at in chart.bounds:
        assert axis == "x"
        # Epochs are drawn at 1, 2, ...
        assert evidence.phases[int(at - 0.5)] == names[int(label) - 1]
        assert evidence.phases[int(at - 1.5)] == names[int(label) - 2]
    assert len(chart.bounds) == 3
    assert all(len(line.x) == len(evidence.phases) for line in chart.lines)


def test_before_the_reveal_only_the_largest_is_drawn() -> None:
    evidence = LESSON.example(np.random.default_rng(0))
    before, after = (LESSON.figure(evidence, Shown(revealed=seen)) for seen in (False, True))
    assert {line.panel for line in before.lines} == {"largest"}
    assert {line.panel for line in after.lines} == set(SIZES)


def test_both_lessons_show_the_same_sandwich() -> None:
    from core.lessons.sandwich import SandwichLesson

    other = shipped(SandwichLesson())
    assert shipped(LESSON).sandwich == (other.smallest[2], other.middle[2], other.largest[2])


def test_steps_train_as_many_subnets_as_the_texts_say() -> None:
    space, rng = space_of(SUPERNET), np.random.default_rng(0)
    said = " ".join(LESSON.text(shipped(LESSON)))
    assert "one at first and four once widths are unlocked" in said
    strategy = STRATEGIES.create("progressive_shrinking")
    draws = [len(strategy.draws(space, phase, rng)) for phase in strategy.phases(space)]
    assert draws == [1, 1, 4, 4]
    sandwich = STRATEGIES.create("sandwich")
    assert len(sandwich.draws(space, sandwich.phases(space)[0], rng)) == 4
