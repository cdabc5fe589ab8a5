"""Measuring a whole space, slice by slice. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidInput
from core.store import MemoryLedger
from core.workflows.evaluate_table import fill
from tests.helpers.planted import Planted, flat_space

NAMES = ["quality", "cost"]
PLANTED = Planted(flat_space(6))
ROWS = PLANTED.space.array()


def measure(rows: np.ndarray) -> Mapping[str, np.ndarray]:
    values = [PLANTED.values(tuple(row)) for row in rows.tolist()]
    return {name: np.array([v[name] for v in values]) for name in NAMES}


def ticking(seconds_per_row: float) -> tuple[Callable[[np.ndarray], Any], Callable[[], float], list[int]]:
    """A measure whose rows take a known time, its clock, and the sizes of the slices it was given."""
    now, sizes = [0.0], []

    def timed(rows: np.ndarray) -> Mapping[str, np.ndarray]:
        sizes.append(len(rows))
        now[0] += seconds_per_row * len(rows)
        return measure(rows)

    return timed, lambda: now[0], sizes


def finish(steps: Any) -> dict[str, np.ndarray]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return dict(end.value)


def test_every_row_gets_its_own_values() -> None:
    table = finish(fill(ROWS, NAMES, measure, "net", MemoryLedger()))
    for name in NAMES:
        np.testing.assert_array_equal(table[name], measure(ROWS)[name])


@pytest.mark.parametrize("seconds", [1e-6, 0.01, 0.5, 30.0])
def test_slices_take_about_a_second_whatever_a_subnet_takes(seconds: float) -> None:
    timed, clock, sizes = ticking(seconds)
    finish(fill(ROWS, NAMES, timed, "net", MemoryLedger(), clock))
    assert sum(sizes) == len(ROWS)
    settled = sizes[4:-1]
    assert all(0.5 <= n * seconds <= 2.0 or n == 1 for n in settled if seconds >= 0.01)
    assert len(sizes) <= 6 or seconds >= 0.01


def test_resuming_after_any_yield_gives_the_uninterrupted_table() -> None:
    timed, clock, sizes = ticking(0.02)
    whole = finish(fill(ROWS, NAMES, timed, "net", MemoryLedger(), clock))
    for cut in range(1, len(sizes) + 1):
        ledger = MemoryLedger()
        timed, clock, first = ticking(0.02)
        steps = fill(ROWS, NAMES, timed, "net", ledger, clock)
        for _ in range(cut):
            next(steps)
        steps.close()
        timed, clock, second = ticking(0.05)  # other slices than before
        resumed = finish(fill(ROWS, NAMES, timed, "net", ledger, clock))
        for name in NAMES:
            np.testing.assert_array_equal(resumed[name], whole[name])
        assert sum(first) + sum(second) == len(ROWS)  # what was checkpointed was not measured again


def test_checkpoints_take_a_small_share_of_the_time() -> None:
    timed, clock, _ = ticking(0.02)
    writes: list[float] = []

    class Slow(MemoryLedger):
        def checkpoint(self, data: bytes, *, fraction: float) -> None:
            writes.append(clock())
            timed(ROWS[:50])  # a write takes a second of this clock
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
