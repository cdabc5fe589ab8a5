"""The work of architectures in the walk: every distinct prefix counts once, for the first that needs it."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.costs import CostTable
from core.evaluation.work import ORDINARY, fitted, parts_of, walk_parts
from tests.helpers.nets import small_cnn


def test_every_distinct_prefix_counts_once() -> None:
    net = small_cnn()
    rows = net.space.sample_array(60, np.random.default_rng(0))
    rows = np.unique(rows, axis=0)
    seen, expected = set(), np.zeros(3)
    for arch in map(tuple, rows.tolist()):
        prefix: tuple[object, ...] = ()
        for stage in net.chain:
            key = stage.key(arch)
            prefix = (*prefix, key)
            if key is not None and prefix not in seen:
                seen.add(prefix)
                cost = stage.cost(arch)
                expected += (1, 7 * cost.macs, 7 * cost.output_size)
    found = walk_parts(net, CostTable.of(net), rows, 7)
    np.testing.assert_allclose(found.sum(0), expected)
    assert (found >= 0).all()
    # Alone, an architecture shares nothing.
    one = rows[5:6]
    np.testing.assert_allclose(
        walk_parts(net, CostTable.of(net), one, 7), parts_of(CostTable.of(net), one, 7)
    )


def test_a_fit_finds_the_speed_of_a_machine() -> None:
    net = small_cnn()
    table = CostTable.of(net)
    rng = np.random.default_rng(1)
    parts = np.stack(
        [
            walk_parts(net, table, np.unique(net.space.sample_array(n, rng), axis=0), 50).sum(0)
            for n in range(5, 25)
        ]
    )
    true = ORDINARY * (2.0, 0.5, 3.0)
    found = fitted(parts, (parts @ true).tolist())
    np.testing.assert_allclose(parts @ found, parts @ true, rtol=0.05)
    assert (found >= 0).all()
    assert fitted(parts[:1], [1.0]) @ parts[0] == pytest.approx(1.0)
