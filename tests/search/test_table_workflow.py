"""Measuring a whole space: every row once, whatever is cut where. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import numpy as np
import pytest

from core.chance.bits import bits_column
from core.errors import CoreError, InvalidInput
from core.store import MemoryLedger
from core.workflows.evaluate_table import fill
from tests.helpers.planted import Planted, flat_space

NAMES = ["quality", "cost"]
PLANTED = Planted(flat_space(6))
ROWS = PLANTED.space.array()


def measure(rows: np.ndarray) -> Iterator[tuple[list[int], Mapping[str, np.ndarray]]]:
    """Values of five rows at a time, in an order that is not the rows' own."""
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    for start in range(0, len(rows), 5):
        part = order[start : start + 5].tolist()
        values = [PLANTED.values(tuple(rows[i].tolist())) for i in part]
        yield part, {name: np.array([v[name] for v in values]) for name in NAMES}


def ticking(seconds_per_row: float) -> tuple[Callable[[np.ndarray], Any], Callable[[], float], list[int]]:
    """A measure whose rows take a known time, its clock, and the numbers of rows it has measured."""
    now, sizes = [0.0], []

    def timed(rows: np.ndarray) -> Iterator[tuple[list[int], Mapping[str, np.ndarray]]]:
        for part, values in measure(rows):
            sizes.append(len(part))
            now[0] += seconds_per_row * len(part)
            yield part, values

    def clock() -> float:
        return now[0]

    timed.advance = lambda seconds: now.__setitem__(0, now[0] + seconds)  # type: ignore[attr-defined]
    return timed, clock, sizes


def expected(name: str) -> np.ndarray:
    return np.array([PLANTED.values(tuple(row))[name] for row in ROWS.tolist()])


def finish(steps: Any) -> dict[str, np.ndarray]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return dict(end.value)


def test_every_row_gets_its_own_values() -> None:
    table = finish(fill(ROWS, NAMES, measure, "net", MemoryLedger()))
    for name in NAMES:
        np.testing.assert_array_equal(table[name], expected(name))


@pytest.mark.parametrize("seconds", [1e-6, 0.01, 0.5, 30.0])
def test_reports_a_few_times_a_second_at_most(seconds: float) -> None:
    timed, clock, sizes = ticking(seconds)
    reports = []
    for progress in fill(ROWS, NAMES, timed, "net", MemoryLedger(), clock):
        reports.append((clock(), progress.fraction))
    assert sum(sizes) == len(ROWS)
    assert reports[-1][1] == 1.0
    assert len(reports) <= max(1, clock() / 0.2) + 1
    assert len(reports) == len(sizes) or seconds < 0.1


def test_resuming_after_any_yield_gives_the_uninterrupted_table() -> None:
    timed, clock, _ = ticking(0.05)
    whole = finish(fill(ROWS, NAMES, timed, "net", MemoryLedger(), clock))
    for cut in range(1, 30, 4):
        ledger = MemoryLedger()
        timed, clock, first = ticking(0.05)
        steps = fill(ROWS, NAMES, timed, "net", ledger, clock)
        for _ in range(cut):
            next(steps)
        steps.close()
        timed, clock, second = ticking(0.02)
        resumed = finish(fill(ROWS, NAMES, timed, "net", ledger, clock))
        for name in NAMES:
            np.testing.assert_array_equal(resumed[name], whole[name])
        assert sum(first) + sum(second) == len(ROWS)  # what was checkpointed was not measured again


def test_what_was_measured_is_kept_when_who_measures_goes_away() -> None:
    measured: list[int] = []

    def gone(rows: np.ndarray) -> Iterator[tuple[list[int], Mapping[str, np.ndarray]]]:
        for part, values in measure(rows):
            measured.append(len(part))
            yield part, values
            if sum(measured) >= 30:
                raise CoreError("The head has gone.")

    ledger = MemoryLedger()
    seconds = count()  # each look at the clock takes one, so that the second checkpoint is far away
    steps = fill(ROWS, NAMES, gone, "net", ledger, lambda: float(next(seconds)))
    with pytest.raises(CoreError, match=r"^The head has gone\.$"):
        list(steps)
    asked: list[int] = []
    again = finish(fill(ROWS, NAMES, lambda rows: asked.append(len(rows)) or measure(rows), "net", ledger))
    assert asked == [len(ROWS) - 30]
    for name in NAMES:
        np.testing.assert_array_equal(again[name], expected(name))


def test_it_can_be_stopped_while_nothing_comes() -> None:
    timed, clock, _ = ticking(1e-6)

    def slow(rows: np.ndarray) -> Iterator[tuple[list[int], Mapping[str, np.ndarray]]]:
        for part, values in timed(rows):
            for _ in range(4):
                timed.advance(0.5)  # type: ignore[attr-defined]
                yield [], {name: np.empty(0) for name in NAMES}
            yield part, values

    steps = fill(ROWS, NAMES, slow, "net", MemoryLedger(), clock)
    said = [next(steps).message for _ in range(9)]
    assert said[:4] == [f"0 of {len(ROWS)} architectures measured."] * 4
    assert f"5 of {len(ROWS)} architectures measured." in said


def test_checkpoints_take_a_small_share_of_the_time() -> None:
    timed, clock, _ = ticking(0.02)
    writes: list[float] = []

    class Slow(MemoryLedger):
        def checkpoint(self, data: bytes, *, fraction: float) -> None:
            writes.append(clock())
            timed.advance(1.0)  # a write takes a second of this clock
            super().checkpoint(data, fraction=fraction)

    finish(fill(ROWS, NAMES, timed, "net", Slow(), clock))
    gaps = np.diff(writes[:-1])
    assert len(writes) == 2 or (gaps >= 20).all()
    assert writes[-1] > len(ROWS) * 0.02 - 1e-9  # the last one holds everything


@pytest.mark.parametrize(("names", "identity"), [(NAMES, "other net"), (["cost", "quality"], "net")])
def test_a_checkpoint_of_something_else_is_refused(names: list[str], identity: str) -> None:
    ledger = MemoryLedger()
    finish(fill(ROWS, NAMES, measure, "net", ledger))
    with pytest.raises(InvalidInput, match="new run"):
        finish(fill(ROWS, names, measure, identity, ledger))


def with_bits(rows: np.ndarray) -> Iterator[tuple[list[int], Mapping[str, np.ndarray]]]:
    """`measure`, with twelve bits of each row's own."""
    for part, values in measure(rows):
        yield part, values | {bits_column("quality"): rows[part][:, :2]}


def test_which_samples_were_right_is_kept_wherever_the_run_is_cut() -> None:
    for cut in (1, 5, 11):
        ledger = MemoryLedger()
        clock = map(float, count()).__next__
        steps = fill(ROWS, NAMES, with_bits, "net", ledger, clock, samples={"quality": 12})
        for _ in range(cut):
            next(steps)
        steps.close()
        table = finish(fill(ROWS, NAMES, with_bits, "net", ledger, samples={"quality": 12}))
        np.testing.assert_array_equal(table[bits_column("quality")], ROWS[:, :2])
        np.testing.assert_array_equal(table["cost"], expected("cost"))


def test_a_checkpoint_of_a_release_that_kept_no_bits_is_measured_again() -> None:
    ledger = MemoryLedger()
    finish(fill(ROWS, NAMES, measure, "net", ledger))
    seen: list[int] = []

    def counted(rows: np.ndarray) -> Iterator[tuple[list[int], Mapping[str, np.ndarray]]]:
        seen.append(len(rows))
        yield from with_bits(rows)

    table = finish(fill(ROWS, NAMES, counted, "net", ledger, samples={"quality": 12}))
    assert seen == [len(ROWS)]
    np.testing.assert_array_equal(table[bits_column("quality")], ROWS[:, :2])
    # And the other way round: nothing is measured twice where no bits are asked for.
    assert set(finish(fill(ROWS, NAMES, counted, "net", ledger))) == set(NAMES)
    assert seen == [len(ROWS)]
