"""Lesson 7: it goes on where it was cut, and a text that blames the supernet only where chance does not explain it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from core.lessons.base import LESSONS, Shown, controls_of
from core.lessons.ranking import Ranking, Ranks
from core.library import ranking, trainings
from core.library.library import Library
from tests.lessons.computing import computed, resumed


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "training_of", partial(trainings.training_of, epochs=1))


@pytest.mark.slow
def test_what_was_cut_goes_on_to_the_same_bits(brief: None) -> None:
    lesson = LESSONS.create("ranking")
    assert isinstance(lesson, Ranking)

    def work(ledger):  # type: ignore[no-untyped-def]
        return lesson._computed(3, ledger, Library(), 2)

    whole = computed(work)
    assert resumed(work, after=3) == whole
    assert whole.arch_ids == ranking.deal(Library().supernet("digits-lesson"), 2, 3)
    assert whole.first != whole.second, "each training has weights of its own"


def _ranks(inside: np.ndarray, first: np.ndarray, second: np.ndarray) -> Ranks:
    n = len(inside)
    return Ranks(
        supernet="example",
        arch_ids=tuple(f"a{i}" for i in range(n)),
        names=tuple(f"subnet {i}" for i in range(n)),
        inside=tuple(inside.tolist()),
        first=tuple(first.tolist()),
        second=tuple(second.tolist()),
    )


@pytest.mark.parametrize(
    ("shared", "said"),
    [(np.arange(20)[::-1], "beyond chance"), (np.arange(20), "cannot be told apart")],
)
def test_it_blames_sharing_only_beyond_chance(shared: np.ndarray, said: str) -> None:
    order = np.arange(20) / 20
    evidence = _ranks(shared / 20, order, order)
    lesson = LESSONS.create("ranking")
    controls = controls_of(lesson, evidence, {})
    assert said in lesson.found(evidence, controls, 50.0)


def test_the_right_column_is_empty_before_the_reveal() -> None:
    lesson = LESSONS.create("ranking")
    evidence = lesson.example(np.random.default_rng(1))
    for compared in ("supernet", "again"):
        controls = {"compared": compared, "shown": "all"}
        before, after = (
            lesson.figure(evidence, Shown(controls, 50.0, revealed)) for revealed in (False, True)
        )
        assert np.isnan(before.right_ranks).all()
        assert not np.isnan(after.right_ranks).all()
        assert len(before.names) == len(evidence.arch_ids)
