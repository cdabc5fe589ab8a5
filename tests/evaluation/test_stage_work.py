"""Modeled work of stages, against the evaluator's own trie."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from core.evaluation.costs import CostTable
from core.evaluation.stage_work import ORDINARY, CountedWork
from core.evaluation.trie import Trie
from core.evaluation.work import parts_of, walk_parts
from core.supernets import FAMILIES
from tests.helpers.nets import small_cnn


def rows_of(space, n: int, seed: int = 0) -> np.ndarray:
    return np.unique(space.sample_array(n, np.random.default_rng(seed)), axis=0)


@pytest.mark.parametrize("family", FAMILIES.names())
def test_prefixes_are_equal_exactly_where_the_evaluator_computes_once(family) -> None:
    for config in FAMILIES.get(family).examples():
        with torch.device("meta"):
            net = FAMILIES.get(family)(config)
        rows = rows_of(net.space, 80)
        found = CountedWork(CostTable.of(net)).prefixes(rows)
        trie = Trie.of(net, rows)
        codes = np.empty((len(rows), len(trie.codes)), np.int64)
        codes[trie.order] = trie.codes.T
        assert ((found < 0) == (codes < 0)).all()
        prefixes = [
            [tuple(c for c in row[: level + 1] if c >= 0) for level in range(len(row))] for row in codes
        ]
        for level in range(codes.shape[1]):
            told: dict[object, int] = {}
            for at in np.flatnonzero(codes[:, level] >= 0):
                key = (level, *codes[at, : level + 1].tolist())
                assert told.setdefault(key, int(found[at, level])) == found[at, level], (family, prefixes[at])
            assert len(set(told.values())) == len(told)


def test_numbers_stay_the_same_over_calls() -> None:
    net = small_cnn()
    work, rows = CountedWork(CostTable.of(net)), rows_of(net.space, 100)
    whole = work.prefixes(rows)
    for part in np.array_split(np.random.default_rng(1).permutation(len(rows)), 5):
        assert (work.prefixes(rows[part]) == whole[part]).all()
    # Stages of different depth in the chain never share a number.
    assert all(
        len(set(whole[:, i]) & set(whole[:, j]) - {-1}) == 0 for i in range(3) for j in range(i + 1, 3)
    )


def test_seconds_and_bytes_are_those_of_the_stored_rates() -> None:
    net = small_cnn()
    table = CostTable.of(net)
    work, rows = CountedWork(table, samples=700), rows_of(net.space, 60)
    np.testing.assert_allclose(work.seconds(rows).sum(1), parts_of(table, rows, 700) @ ORDINARY)
    # What no earlier row has computed, in the order of the walk, is what the walk takes.
    order = Trie.of(net, rows).order
    prefixes, seconds = work.prefixes(rows)[order], work.seconds(rows)[order]
    seen: set[int] = {-1}
    spent = 0.0
    for ids, cost in zip(prefixes.tolist(), seconds, strict=True):
        spent += sum(c for i, c in zip(ids, cost, strict=True) if i not in seen)
        seen.update(ids)
    assert spent == pytest.approx(float((walk_parts(net, table, rows, 700) @ ORDINARY).sum()))
    written = work.bytes(rows)
    assert ((written > 0) == (prefixes >= 0)[np.argsort(order)]).all()
    stage = net.chain[0].cost(rows[0].tolist())
    assert written[0, 0] == 4 * 700 * stage.output_size


def test_needs_no_torch() -> None:
    code = "import sys, core.evaluation.stage_work; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
