"""Lesson 11: what the rounds cannot tell apart is not asked for, and a restless measurement says so."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.latency.protocol import Patience
from core.lessons.base import LESSONS, Shown, controls_of
from core.lessons.latency_and_macs import LatencyAndMacs, Timed, Timing
from core.library.library import Library
from tests.lessons.computing import Cut, CutLedger, computed


def _timed(ms: tuple[float, ...], spread: float) -> Timed:
    macs = (10_000, 20_000, 30_000, 40_000, 50_000)
    timings = tuple(Timing(batch=b, ms=ms, spread=(spread,) * 5, rounds=20, agreement=1.0) for b in (1, 64))
    ids = tuple(f"a{i}" for i in range(5))
    return Timed(supernet="example", arch_ids=ids, names=ids, macs=macs, timings=timings)


def test_level_pairs_are_no_inversions_and_too_many_of_them_are_said() -> None:
    lesson = LESSONS.create("latency_and_macs")
    ms = (0.020, 0.019, 0.040, 0.041, 0.060)
    sharp, blurred, hopeless = (_timed(ms, spread) for spread in (0.0005, 0.005, 1.0))
    at = controls_of(lesson, sharp, {})
    assert [lesson.answer(each, at) for each in (sharp, blurred, hopeless)] == [1, 0, 0]
    assert "busy" not in lesson.found(blurred, at, ("A", "B", "C", "D", "E"))
    assert "measure again" in lesson.found(hopeless, at, ("A", "B", "C", "D", "E"))
    assert "should be repeated" in lesson.question(hopeless, at).text


def test_the_five_have_no_time_before_the_reveal() -> None:
    lesson = LESSONS.create("latency_and_macs")
    evidence = lesson.example(np.random.default_rng(2))
    at = controls_of(lesson, evidence, {})
    before, after = (lesson.figure(evidence, Shown(at, None, revealed)) for revealed in (False, True))
    five = set(evidence.arch_ids[:5])
    assert not five & {key for group in before.groups for key in group.keys}
    assert five <= {key for group in after.groups for key in group.keys}


@pytest.mark.slow
def test_what_was_timed_before_a_cut_is_kept() -> None:
    lesson = LESSONS.create("latency_and_macs")
    assert isinstance(lesson, LatencyAndMacs)
    brief, ledger = Patience(agreement=0.0, least_rounds=2, most_rounds=2), CutLedger(after=1)

    def work(ledger):  # type: ignore[no-untyped-def]
        return lesson._computed(0, ledger, Library(), 6, brief)

    with pytest.raises(Cut):
        computed(work, ledger)
    first = ledger.latest_checkpoint()
    whole = computed(work, ledger)
    assert first is not None
    assert list(whole.timings[0].ms) == pytest.approx(
        list(Timing.model_validate_json(first[first.index(b"[") + 1 : first.rindex(b"]")]).ms)
    )
    assert [t.batch for t in whole.timings] == [1, 64]
    assert min(whole.timings[1].ms) > min(whole.timings[0].ms)
