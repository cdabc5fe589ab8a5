"""The shared experiment: what is dealt covers everything before it repeats, and tau is what a slow count says."""

from __future__ import annotations

import math

import numpy as np

from core.chance.rank_intervals import middle, resampled_kendall
from core.classes import experiment as shared
from core.lessons.base import SUPERNET
from core.library import supernets
from core.store.class_rows import Deal

ENTRY = supernets.find(None, SUPERNET)


def inside() -> dict[str, float]:
    rows = supernets.table(ENTRY)
    assert rows is not None
    return dict(zip(rows["arch_id"], rows["test_accuracy"], strict=True))


def done(number: int, accuracy: float | None, finished: int | None, seed: int = 9) -> Deal:
    arch_id, training = shared.dealt(ENTRY, seed, number)
    return Deal(number, "s" * 32, arch_id, training, "r" * 32, finished, accuracy, 0.0)


def test_twenty_subnets_are_covered_and_then_repeated_with_other_seeds() -> None:
    deals = [shared.dealt(ENTRY, 3, number) for number in range(60)]
    assert len(set(deals)) == 60
    first = [arch_id for arch_id, _ in deals[:20]]
    assert len(set(first)) == 20
    assert [arch_id for arch_id, _ in deals[20:40]] == first
    assert [seed for _, seed in deals] == [1] * 20 + [2] * 20 + [3] * 20
    assert [arch_id for arch_id, _ in (shared.dealt(ENTRY, 4, n) for n in range(20))] != first
    known = inside()
    accuracies = sorted(known[arch_id] for arch_id in first)
    ranks = np.searchsorted(np.sort(list(known.values())), accuracies)
    assert max(np.diff(ranks)) < 3 * 512 / 20, "the whole range of accuracies is covered"


def test_tau_is_counted_pair_by_pair_and_its_interval_is_of_the_subnets() -> None:
    rng = np.random.default_rng(1)
    deals = [done(n, float(np.round(0.8 + 0.2 * rng.random(), 2)), 100 - n) for n in range(25)]
    deals += [done(25, None, None)]
    found = shared.experiment(ENTRY, deals, seed=9)
    assert (sum(found.nets), len(found.arch_ids)) == (25, 20)
    known = inside()
    for arch_id, mean in zip(found.arch_ids, found.alone, strict=True):
        mine = [d.test_accuracy or 0 for d in deals if d.arch_id == arch_id and d.finished]
        assert math.isclose(mean, sum(mine) / len(mine))
        assert known[arch_id] == found.inside[found.arch_ids.index(arch_id)]
    same = opposite = tied_inside = tied_alone = 0
    n = len(found.arch_ids)
    for a in range(n):
        for b in range(a):
            x, y = found.inside[a] - found.inside[b], found.alone[a] - found.alone[b]
            same, opposite = same + (x * y > 0), opposite + (x * y < 0)
            tied_inside, tied_alone = tied_inside + (x == 0), tied_alone + (y == 0)
    pairs = n * (n - 1) / 2
    tau = (same - opposite) / math.sqrt((pairs - tied_inside) * (pairs - tied_alone))
    assert found.now.tau is not None
    assert math.isclose(found.now.tau, tau)
    low, high = middle(resampled_kendall(found.inside, found.alone, draws=500, seed=9))
    assert (found.now.low, found.now.high) == (low, high)
    assert low <= tau <= high


def test_the_history_follows_the_order_of_results_and_tightens() -> None:
    known = inside()
    deals = [done(n, known[shared.dealt(ENTRY, 9, n)[0]], 50 - n) for n in range(20)]
    found = shared.experiment(ENTRY, deals, seed=9)
    assert found.arch_ids[0] == deals[-1].arch_id
    assert [each.networks for each in found.history] == list(range(shared.LEAST, 21))
    assert found.now.tau == 1
    noisy = [done(n, known[shared.dealt(ENTRY, 9, n)[0]] + 0.05 * math.sin(7 * n), n + 1) for n in range(20)]
    widths = [each.high - each.low for each in shared.experiment(ENTRY, noisy, seed=9).history]
    assert widths[-1] < 0.6 * max(widths[:4])


def test_ranks_and_pictures_are_there_from_the_first_network_on() -> None:
    nothing = shared.experiment(ENTRY, [], seed=9)
    assert nothing.now.tau is None
    assert f"from {shared.LEAST} subnets" in shared.said(nothing)
    one = shared.experiment(ENTRY, [done(0, 0.9, 1)], seed=9)
    assert shared.slopes(one).left_ranks == shared.slopes(one).right_ranks == (1.0,)
    tied = shared.experiment(ENTRY, [done(n, 0.9, n + 1) for n in range(7)], seed=9)
    assert shared.slopes(tied).right_ranks == (4.0,) * 7
    assert tied.now.tau is None  # a constant has no order
    assert shared.history(tied).lines == ()
