"""Several seeds together: bands that invent nothing, and a verdict only where a test can give one."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from core.over_seeds import FEWEST_PAIRS, Comparison, band, comparisons, exact_p, spread, verdict

numbers = st.lists(st.integers(-4, 4).map(lambda k: k / 4), min_size=1, max_size=8)


def test_one_seed_has_no_spread() -> None:
    one = spread([0.7])
    assert (one.n, one.mean, one.band) == (1, 0.7, "")
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    nothing = spread([math.nan, math.nan])
    assert (nothing.n, nothing.band) == (0, "")
    assert math.isnan(nothing.mean)


@given(numbers)
def test_few_seeds_are_shown_as_they_are_and_more_by_their_deviation(values: list[float]) -> None:
    found = spread([*values, math.nan])
    assert found.n == len(values)
    assert found.mean == pytest.approx(np.mean(values))
    if 2 <= len(values) < 5:
        assert (found.low, found.high, found.band) == (min(values), max(values), "min to max")
    elif len(values) >= 5:
        half = np.std(values, ddof=1)
        assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half))
        assert found.band == "± standard deviation"


def test_a_place_that_one_seed_reached_has_a_mean_and_no_band() -> None:
    found = band([[1.0, 2.0, math.nan], [3.0, math.nan, math.nan]])
    np.testing.assert_array_equal(found.mean, [2.0, 2.0, math.nan])
    np.testing.assert_array_equal(found.low, [1.0, math.nan, math.nan])
    np.testing.assert_array_equal(found.high, [3.0, math.nan, math.nan])


@given(numbers)
def test_p_counts_every_pattern_of_signs(values: list[float]) -> None:
    sums = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True)))
        for signs in product((1, -1), repeat=len(values))
    ]
    assert exact_p(values) == pytest.approx(np.mean([each >= abs(sum(values)) - 1e-12 for each in sums]))


def test_p_is_scipys_and_many_pairs_are_drawn() -> None:
    rng = np.random.default_rng(3)
    few, many = rng.normal(0.4, 1, 9), rng.normal(0.4, 1, 25)
    theirs = permutation_test((few,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert exact_p(few) == pytest.approx(theirs.pvalue)
    drawn = permutation_test((many,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1)
    assert exact_p(many) == pytest.approx(drawn.pvalue, abs=0.015)
    assert exact_p(many) == exact_p(many)


def test_below_six_pairs_there_are_counts_and_no_verdict() -> None:
    five = {"A": dict.fromkeys(range(5), 2.0), "B": dict.fromkeys(range(5), 1.0)}
    [found] = comparisons(five)
    assert (found.n, found.above, found.below) == (5, 5, 0)
    assert math.isnan(found.p)
    assert not found.differs
    assert "in 5 of 5 equal seeds" in verdict(found, "hypervolume")
    assert "no test can decide" in verdict(found, "hypervolume")
    assert "better" not in verdict(found, "hypervolume")
    [six] = comparisons({name: values | {5: values[0]} for name, values in five.items()})
    assert six.n == FEWEST_PAIRS
    assert six.p == pytest.approx(2 / 64)
    assert "A is better on average (exact sign-flip test, two-sided, p = 0.031)" in verdict(
        six, "hypervolume"
    )


def test_only_equal_seeds_are_pairs() -> None:
    [found] = comparisons({"A": {0: 1.0, 1: 5.0, 7: math.nan}, "B": {1: 4.0, 7: 1.0, 9: 0.0}})
    assert (found.n, found.difference) == (1, 1.0)
    [apart] = comparisons({"A": {0: 1.0}, "B": {1: 1.0}})
    assert "share no seed" in verdict(apart, "hypervolume")


def test_several_pairs_are_corrected() -> None:
    values = {name: {s: place + 0.001 * s for s in range(8)} for place, name in enumerate("ABC")}
    found = comparisons(values)
    assert [each.p for each in found] == pytest.approx([3 * 2 / 256] * 3)
    mixed = comparisons(values | {"D": {s: values["A"][s] + (-1) ** s for s in range(8)}})
    raw = {
        (c.a, c.b): exact_p([values[c.a][s] - (values | {"D": {}})[c.b].get(s, 0) for s in range(8)])
        for c in mixed
        if c.b != "D"
    }
    assert all(c.p >= raw[c.a, c.b] for c in mixed if c.b != "D")


def test_a_tie_is_called_one() -> None:
    equal = Comparison("A", "B", 8, 0.01, 5, 2, 1, 0.4)
    assert "5 of 8 equal seeds, 1 equal. A tie" in verdict(equal, "hypervolume")


def test_curves_have_two_dimensions() -> None:
    with pytest.raises(ValueError, match="seeds, places"):
        band([1.0, 2.0])


def test_pairs_with_one_setting_alone_are_corrected_for_their_own_number() -> None:
    values = {
        name: {seed: base + seed / 1000 for seed in range(8)}
        for name, base in zip("abcd", (4, 3, 2, 1), strict=True)
    }
    everything, alone = comparisons(values), comparisons(values, of="a")
    assert [(pair.a, pair.b) for pair in alone] == [("a", "b"), ("a", "c"), ("a", "d")]
    single = 2 / 2**8
    assert {pair.p for pair in alone} == {3 * single}
    assert {pair.p for pair in everything} == {6 * single}
