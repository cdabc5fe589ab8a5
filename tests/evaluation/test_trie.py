"""The trie's numbers and order, against the slow and plain way, for tables of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation import trie as module
from core.evaluation.trie import Trie
from tests.helpers.nets import small_cnn


@pytest.mark.parametrize("dense", [1 << 16, 0])
@pytest.mark.parametrize("largest", [1 << 62, 0])
@pytest.mark.parametrize("n", [1, 7, 400])
def test_equal_keys_have_equal_numbers_and_equal_beginnings_stand_together(
    dense: int, largest: int, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_DENSE", dense)
    monkeypatch.setattr(module, "_LARGEST_KEY", largest)
    net = small_cnn()
    rows = np.unique(net.space.sample_array(n, np.random.default_rng(n)), axis=0)
    rows = np.random.default_rng(1).permutation(rows)
    trie = Trie.of(net, rows)
    np.testing.assert_array_equal(np.sort(trie.order), np.arange(len(rows)))
    for stage, codes in zip(net.chain, trie.codes, strict=True):
        keys = [stage.key(arch) for arch in rows[trie.order].tolist()]
        assert [key is None for key in keys] == (codes < 0).tolist()
        assert len(set(zip(keys, codes.tolist(), strict=True))) == len(set(keys)) == len(set(codes.tolist()))
    for level in range(1, len(trie.codes) + 1):
        beginnings = [tuple(each) for each in trie.codes[:level].T.tolist()]
        changes = sum(a != b for a, b in zip(beginnings[1:], beginnings[:-1], strict=True))
        assert changes == len(set(beginnings)) - 1


@given(
    codes=st.integers(1, 30).flatmap(
        lambda n: st.lists(st.lists(st.integers(-1, 5), min_size=n, max_size=n), min_size=1, max_size=30)
    )
)
def test_the_order_is_that_of_lexsort(codes: list[list[int]]) -> None:
    given_codes = np.array(codes, np.int32)
    np.testing.assert_array_equal(module._sorted_by(given_codes), np.lexsort(given_codes[::-1]))
