"""Bands of MACs: who is listed in which, and what can be drawn."""

from __future__ import annotations

import numpy as np

from core.evaluation.costs import CostTable
from core.spaces import Choice, SearchSpace
from core.supernets.nas_bench_201 import NASBench201, NASBench201Config
from core.training.bands import Bands
from tests.training.small import fresh_net


def bands_of(net, **changes: int) -> Bands:
    table = CostTable.of(net)
    given = {"bands": 5, "listed": 20, **changes}
    return Bands.of(
        net.space,
        lambda archs: table.total("macs", np.asarray(archs, np.uint8)),
        rng=np.random.default_rng(0),
        **given,
    )


def test_bands_share_out_the_range_and_hold_what_costs_as_much() -> None:
    net = fresh_net()
    found, table = bands_of(net), CostTable.of(net)
    every = table.total("macs", net.space.array())
    assert len(found) == 5
    assert (found.low[0], found.high[-1]) == (every.min(), every.max())
    np.testing.assert_allclose(found.high - found.low, (every.max() - every.min()) / 5)
    for band, (rows, macs) in enumerate(zip(found.listed, found.macs, strict=True)):
        assert len(np.unique(rows, axis=0)) == len(rows) <= 20
        assert (table.total("macs", rows) == macs).all()
        assert (np.diff(macs) >= 0).all()
        inside = (every >= found.low[band]) & (every <= found.high[band])
        assert macs[0] == every[inside & (every < found.high[band])].min()
        assert ((macs >= found.low[band]) & (macs <= found.high[band])).all()
        drawn = {found.draw(band, np.random.default_rng(i)) for i in range(200)}
        assert drawn <= set(map(tuple, rows.tolist()))
        assert len(drawn) > 0.8 * len(rows)


def test_cells_that_compute_nothing_are_in_no_band() -> None:
    net = NASBench201(NASBench201Config(channels=2, cells_per_stage=1))
    found = bands_of(net)
    assert all(net.space.computes(arch) for rows in found.listed for arch in rows.tolist())


def test_bands_without_an_architecture_are_left_out() -> None:
    space = SearchSpace([Choice("a", (0, 1, 100))])
    costs = {0: 0, 1: 1, 2: 100}
    found = Bands.of(
        space,
        lambda archs: np.array([costs[int(a[0])] for a in archs]),
        bands=10,
        listed=5,
        rng=np.random.default_rng(0),
    )
    assert [rows.ravel().tolist() for rows in found.listed] == [[0, 1], [2]]
    assert found.low.tolist() == [0, 90]
