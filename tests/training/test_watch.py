"""What is written down of every epoch: sizes drawn, their losses, rate, passes and memory; and that watching changes nothing."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from core.evaluation.costs import CostTable
from core.store import MemoryLedger
from core.training.loop import train
from core.training.watch import CLASSES, SizeClasses, by_size, memory_in_use
from tests.training.small import RecordingLedger, digits, fresh_net, settings

COSTS = np.arange(1, 101, dtype=np.int64)


def test_classes_hold_equally_many_subnets_and_are_a_property_of_the_space() -> None:
    classes = SizeClasses(COSTS)
    assert classes.most.tolist() == [20, 40, 60, 80, 100]
    assert np.bincount(classes.of_costs(COSTS)).tolist() == [20] * CLASSES
    net = fresh_net()
    table = CostTable.of(net)
    own = SizeClasses.of(net.space, lambda archs: table.total("macs", np.asarray(archs, np.uint8)))
    every = table.total("macs", net.space.array())
    shares = np.bincount(own.of_costs(every)) / len(every)
    assert len(shares) == CLASSES
    assert shares.max() < 0.35
    assert own.most[-1] == every.max()
    [least, most] = own.of_costs(table.total("macs", np.array(net.space.ends, np.uint8)))
    assert (least, most) == (0, CLASSES - 1)


def test_few_different_costs_are_few_classes() -> None:
    classes = SizeClasses(np.array([7, 7, 7, 9], np.int64))
    assert classes.most.tolist() == [7, 9]
    assert classes.of_costs(np.array([7, 9, 8, 1])).tolist() == [0, 1, 1, 0]


def test_what_was_drawn_comes_back_as_it_was() -> None:
    classes = SizeClasses(COSTS)

    def macs(archs: object) -> np.ndarray:
        return np.array([arch[0] for arch in archs], np.int64)

    drawn = [((5,), 2.0), ((100,), 0.5), ((5,), 4.0), ((41,), 1.0)]
    first = {"epoch": 1} | classes.metrics(drawn, macs)
    second = {"epoch": 2} | classes.metrics([], macs)
    found = by_size([{"epoch": 0, "loss": 1.0}, first, second])
    assert found.epochs.tolist() == [1, 2], "an epoch of an earlier release does not say it"
    assert found.most.tolist() == [20, 40, 60, 80, 100]
    assert found.counts.tolist() == [[2, 0, 1, 0, 1], [0] * 5]
    np.testing.assert_array_equal(found.losses[0], [3.0, np.nan, 1.0, np.nan, 0.5])
    assert np.isnan(found.losses[1]).all()
    assert by_size([]).counts.shape == (0, 0)


def test_memory_grows_with_what_is_held() -> None:
    before = memory_in_use()
    # Asked of the system itself: an allocator may have such a piece left from tests before.
    with mmap.mmap(-1, 40_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
        assert memory_in_use() - before > 30e6


@pytest.mark.slow
def test_every_epoch_says_what_was_drawn_and_a_resumed_run_counts_on() -> None:
    whole, cut = MemoryLedger(), RecordingLedger()
    config = settings(strategy="sandwich", epochs=4)
    list(train(fresh_net(), digits(), config, whole))
    for progress in train(fresh_net(), digits(), config, cut):
        if progress.metrics.get("epoch") == 2:
            break
    list(train(fresh_net(seed=9), digits(), config, cut))
    rows, again = whole.metrics(), cut.metrics()
    # Three steps of four subnets an epoch; sandwich draws the smallest and the largest in each.
    assert [row["passes"] for row in rows] == [12, 24, 36, 48]
    found = by_size(rows)
    assert found.counts.sum(1).tolist() == [12] * 4
    assert found.counts[:, 0].min() >= 3
    assert found.counts[:, -1].min() >= 3
    assert all(row["random_low"] <= row["median"] <= row["random_high"] for row in rows)
    assert rows[-1]["learning_rate"] < rows[1]["learning_rate"]
    assert all(row["memory"] > 1e6 for row in rows)
    assert [plain(row) for row in again] == [plain(row) for row in rows]


def plain(row: dict[str, object]) -> dict[str, object]:
    """Without what the machine decides."""
    return {name: value for name, value in row.items() if name not in ("seconds", "memory")}
