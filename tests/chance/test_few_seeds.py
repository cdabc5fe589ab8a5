"""Student's t for three to five seeds: its tail, its level, and that questions are corrected together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from core.chance.few_seeds import compared, compared_all, paired_p
from core.over_seeds import exact_p


@pytest.mark.parametrize("n", [3, 4, 5])
def test_the_tail_is_students(n: int) -> None:
    rng = np.random.default_rng(n)
    for scale in (0.01, 1.0, 30.0):
        differences = rng.normal(scale, 1.0, n)
        assert paired_p(differences) == pytest.approx(stats.ttest_1samp(differences, 0.0).pvalue, rel=1e-9)


def test_where_nothing_differs_one_in_twenty_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    for n in (3, 5):
        wrong = np.mean([paired_p(rng.normal(0.0, 1.0, n)) <= 0.05 for _ in range(4000)])
        assert 0.04 < wrong < 0.06


def test_equal_differences_are_known_no_better_than_their_grain() -> None:
    assert paired_p([0.01, 0.01, 0.01], grain=0.01) > 0.02
    assert paired_p([0.0, 0.0, 0.0], grain=0.01) == paired_p([0.0, 0.0, 0.0]) == 1.0
    with pytest.raises(ValueError, match="3 to 5"):
        paired_p([0.1] * 6)


def test_two_seeds_have_no_p_and_six_have_the_exact_one() -> None:
    two = {"a": {0: 1.0, 1: 2.0}, "b": {0: 0.5, 1: 0.1}}
    [pair] = compared(two)
    assert (pair.n, pair.above) == (2, 2)
    assert math.isnan(pair.p)
    assert not pair.differs
    six = {"a": {s: 1.0 + s / 9 for s in range(6)}, "b": dict.fromkeys(range(6), 0.5)}
    [pair] = compared(six)
    assert pair.p == exact_p([1.0 + s / 9 - 0.5 for s in range(6)])
    assert pair.differs


def test_all_pairs_of_all_questions_are_one_family() -> None:
    clear = {"a": {0: 1.0, 1: 1.1, 2: 1.2}, "b": {0: 0.0, 1: 0.05, 2: 0.3}}
    [alone] = compared(clear)
    many = compared_all([clear, clear, clear, clear])
    assert alone.differs
    assert [pair.p for [pair] in many] == [pytest.approx(4 * alone.p)] * 4
