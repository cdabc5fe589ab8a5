"""Ridge regression, its encoding and its scales against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from core.predictors import PREDICTORS
from core.predictors.encodings import Encoding, GroupSummaries, OneHot, Standardized
from core.predictors.scales import Scale
from core.records import SHARE, Objective, Source
from core.spaces import Choice, SearchSpace
from tests.helpers.planted import QUALITY, flat_space, large_space, small_space

ACCURACY = Objective("accuracy", "Accuracy", "", True, Source.MEASURED, "", shown=SHARE)
SECONDS = Objective("seconds", "Seconds", "s", False, Source.MEASURED, "")


def test_one_hot_has_one_column_per_option_and_nothing_for_what_does_not_matter() -> None:
    space = small_space()
    one_hot = OneHot(space)
    assert one_hot.width == 3 + 2 + 2 + 3 + 2  # the choice of one option says nothing
    rows = space.array()
    columns = one_hot(rows)
    assert set(np.unique(columns)) == {0.0, 1.0}
    told = space.active(rows)[:, :5]
    assert (columns.sum(axis=1) == told.sum(axis=1)).all()
    for row, here in zip(rows, columns, strict=True):
        for choice, option, value in zip(one_hot.choice, one_hot.option, here, strict=True):
            active = space.is_active(row, space.names[choice])
            assert value == float(active and row[choice] == option)
    assert len(np.unique(columns, axis=0)) == space.size


def test_group_summaries_follow_the_kind_of_choices_not_their_names() -> None:
    def named(*names: str) -> SearchSpace:
        kinds = ("width", "kernel", "width", "kernel")
        return SearchSpace([Choice(n, (1, 2, 4), k) for n, k in zip(names, kinds, strict=True)])

    ours, theirs = named("a", "b", "c", "d"), named("d", "c", "b", "a")
    weights = [GroupSummaries(space, OneHot(space)).weights for space in (ours, theirs)]
    assert (weights[0] == weights[1]).all()
    assert weights[0].shape == (12, 4)
    # One summary per kind and part of the chain: no column speaks of two kinds.
    kinds = np.repeat([0, 1, 0, 1], 3)
    for summary in weights[0].T:
        assert len(set(kinds[summary > 0])) == 1


@pytest.mark.parametrize(
    "space", [flat_space(45), large_space(30), small_space()], ids=["45", "deep", "small"]
)
def test_products_stay_few_however_long_the_chain(space: SearchSpace) -> None:
    one_hot = OneHot(space)
    assert 0 < GroupSummaries(space, one_hot).weights.shape[1] <= 12
    rows = space.sample_array(50, np.random.default_rng(0))
    assert Encoding(space).fit(rows).shape == (
        50,
        one_hot.width + len(GroupSummaries(space, one_hot).products(one_hot(rows))[0]),
    )


def test_costs_beside_are_written_as_logarithms_where_they_can_be() -> None:
    space = small_space()
    rows = space.array()
    known = np.stack([np.arange(1, 37) * 1e6, np.arange(36) - 3.0], axis=1)
    encoded = Encoding(space).fit(rows, known)
    assert encoded[:, -2] == pytest.approx(np.log(known[:, 0]))
    assert encoded[:, -1] == pytest.approx(known[:, 1])
    assert Encoding(space, costs=False).fit(rows, known).shape[1] == encoded.shape[1] - 2


def test_a_share_is_learned_as_its_logit_kept_half_a_sample_from_the_ends() -> None:
    values = np.array([1.0, 0.99, 0.5, 0.98])  # of 100 samples
    scale = Scale.of(ACCURACY, values)
    assert scale.kind == "share"
    assert scale.clip == pytest.approx(0.005)
    raw = np.array([np.log(0.995 / 0.005), np.log(99), 0.0, np.log(49)])
    assert scale.learned(values) == pytest.approx((raw - raw.mean()) / raw.std())
    assert scale.said(scale.learned(values)).mean == pytest.approx([0.995, 0.99, 0.5, 0.98])
    # Far off guesses stay within reach of what was measured, and their deviations are finite.
    said = scale.said(np.array([-1e9, 1e9]), np.array([1e9, 0.0]))
    assert np.isfinite(said.mean).all()
    assert said.deviation is not None
    assert said.deviation[1] == 0


def test_costs_are_learned_as_logarithms_and_other_numbers_as_they_are() -> None:
    assert Scale.of(SECONDS, np.array([1.0, 10.0])).kind == "positive"
    assert Scale.of(SECONDS, np.array([0.0, 10.0])).kind == "plain"
    assert Scale.of(QUALITY, np.array([0.5, 10.0])).kind == "plain"
    assert Scale.of(ACCURACY, np.array([50.0, 90.0])).kind == "plain"  # percent
    scale = Scale.of(SECONDS, np.array([1.0, 100.0]))
    said = scale.said(np.zeros(1), np.array([0.5]))
    assert said.mean == pytest.approx([10.0])
    step = np.exp(0.5 * np.log(100) / 2)
    assert said.deviation == pytest.approx([10 * (step - 1 / step) / 2])


def test_equals_the_closed_form_with_the_penalty_that_cross_validation_likes_best() -> None:
    space, rng = flat_space(8), np.random.default_rng(0)
    rows = np.unique(space.sample_array(80, rng), axis=0)
    values = rows @ rng.standard_normal(8) + 0.3 * rng.standard_normal(len(rows))
    ridge = PREDICTORS.create("ridge", space=space, objective=QUALITY, seed=0)
    ridge.fit(rows, values)
    columns = Encoding(space).fit(rows)
    x, y = Standardized(columns)(columns), (values - values.mean()) / values.std()

    def judged(penalty: float) -> tuple[float, np.ndarray]:
        """Generalized cross-validation from the definition: the hat matrix, written out."""
        inverse = np.linalg.inv(x.T @ x + penalty * np.eye(x.shape[1]))
        hat = x @ inverse @ x.T + 1 / len(x)
        left = y - hat @ y
        return float(left @ left / len(x) / (1 - np.trace(hat) / len(x)) ** 2), inverse @ x.T @ y

    size = float((x**2).sum()) / len(x)
    penalties = np.logspace(-4, 3, 50) * size
    best = min(penalties, key=lambda p: judged(p)[0])
    expected = x @ judged(best)[1] * values.std() + values.mean()
    assert ridge.predict(rows).mean == pytest.approx(expected, rel=1e-6)


def test_learns_what_choices_do_together_only_with_products() -> None:
    space, rng = flat_space(9), np.random.default_rng(1)
    rows, fresh = (np.unique(space.sample_array(n, rng), axis=0) for n in (150, 400))

    def together(rows: np.ndarray) -> np.ndarray:
        early, late = rows[:, :3].astype(float).sum(axis=1), rows[:, 6:].astype(float).sum(axis=1)
        return (early - 3) * (late - 3)

    off = {}
    for products in (True, False):
        ridge = PREDICTORS.create("ridge", {"products": products}, space=space, objective=QUALITY, seed=0)
        ridge.fit(rows, together(rows))
        off[products] = np.mean((ridge.predict(fresh).mean - together(fresh)) ** 2) / np.var(together(fresh))
    assert off[True] < 0.2 < 0.8 < off[False]
