"""Time left: within a factor of 1.5 from the first tenth on, whatever the parts of a job cost. With a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jobs.remaining import RemainingTime
from core.training.work import EpochWork, Plan

FACTOR = 1.5


def ratios(reports: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float, float]]:
    """(share of the time that is over, predicted, true) for reports of (seconds, fraction) until the last."""
    now = [0.0]
    remaining = RemainingTime(lambda: now[0])
    end, begin = (
        reports[-1][0],
        next(t for (t, f), (_, g) in pairwise(reports) if g > f),
    )
    for now[0], fraction in reports:
        left = remaining.update(fraction)
        over = (now[0] - begin) / (end - begin)
        if left is not None and over < 1:
            yield over, left, end - now[0]


def epochs(plan: Plan, work: Sequence[EpochWork], start: float, speed: float) -> list[tuple[float, float]]:
    """What a training reports whose work costs what it says, on a machine of some speed, after a slow start."""
    now, reports = start, [(0.0, 0.0), (start, 0.0)]
    for epoch, each in enumerate(work):
        for step in range(1, each.steps + 1):
            now += each.step / speed
            reports.append((now, plan.share(epoch, step)))
        now += each.after / speed
        reports.append((now, plan.share(epoch + 1)))
    return reports


@given(
    phases=st.lists(
        st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 5.0), st.integers(1, 12)), min_size=1, max_size=6
    ),
    misjudged=st.floats(0.85, 1.15),
    start=st.floats(0.0, 60.0),
    speed=st.floats(0.2, 3.0),
)
def test_within_a_factor_from_the_first_tenth_on(
    phases: list[tuple[float, float, int]], misjudged: float, start: float, speed: float
) -> None:
    planned = [EpochWork(step, 16, after) for step, after, length in phases for _ in range(length)]
    # The first phase costs a little more or less than was thought.
    real = [
        EpochWork(e.step * misjudged, 16, e.after) if i < phases[0][2] else e for i, e in enumerate(planned)
    ]
    for over, left, true in ratios(epochs(Plan(planned), real, start, speed)):
        # Within the last piece of work nobody can tell.
        if over >= 0.1 and true > 2 * max(e.step + e.after for e in real) / speed:
            assert true / FACTOR <= left <= true * FACTOR, (over, left, true)


def test_counting_epochs_alone_would_be_wrong() -> None:
    """The fault this was made for: four times the work per step in the later phases."""
    work = [EpochWork(0.1, 16, 0.2)] * 6 + [EpochWork(0.4, 16, 0.2)] * 14
    naive = [EpochWork(1.0, 16, 0.0)] * 20
    first = next(r for r in ratios(epochs(Plan(naive), work, 5.0, 1.0)) if r[0] >= 0.1)
    assert first[1] < first[2] / FACTOR


def test_the_start_is_no_work() -> None:
    """Forty seconds of imports, then a second per hundredth: it was said to take over an hour."""
    reports = [(0.0, 0.0), (20.0, 0.0), (40.0, 0.0), *((40.0 + i, i / 100) for i in range(1, 100))]
    for _, left, true in ratios([*reports, (140.0, 1.0)]):
        assert left == pytest.approx(true)


def test_the_first_piece_carries_what_is_done_once() -> None:
    reports = [(0.0, 0.0), *((5.0 + i, i / 100) for i in range(1, 101))]
    later = [(left, true) for over, left, true in ratios(reports) if over > 0.1]
    assert later
    for left, true in later:
        assert left == pytest.approx(true)


def test_it_goes_on_from_where_a_run_was_resumed() -> None:
    reports = [(0.0, 0.5), (10.0, 0.5), *((10.0 + i, 0.5 + i / 200) for i in range(1, 101))]
    for _, left, true in ratios(reports):
        assert left == pytest.approx(true)


def test_a_machine_that_slows_down_is_noticed() -> None:
    """Twice as slow after 100 s: two minutes later the memory of it is gone."""
    now = [0.0]
    remaining = RemainingTime(lambda: now[0])
    fraction, left = 0.0, None
    for second in range(400):
        now[0] = float(second)
        fraction += 0.001 if second < 100 else 0.0005
        left = remaining.update(fraction)
    assert left == pytest.approx((1 - fraction) / 0.0005, rel=0.01)


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 1)), min_size=1, max_size=25))
def test_it_is_never_negative_and_unknown_without_progress(steps: list[tuple[float, float]]) -> None:
    now = [0.0]
    remaining = RemainingTime(lambda: now[0])
    for wait, fraction in steps:
        now[0] += wait
        left = remaining.update(fraction)
        assert left is None or left >= 0
    still = RemainingTime(lambda: now[0])
    for now[0] in range(0, 100, 5):
        assert still.update(0.2) is None
