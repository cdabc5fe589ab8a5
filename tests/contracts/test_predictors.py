"""What every predictor promises, checked on all that are registered."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
from pydantic import BaseModel

from core.errors import InvalidInput
from core.predictors import PREDICTORS, Predictor
from core.records import SHARE, Objective, Source
from core.spaces import Archs, SearchSpace
from tests.helpers.planted import COST, QUALITY, Planted, large_space, small_space

ACCURACY = Objective("accuracy", "Accuracy", "", True, Source.MEASURED, "Larger is better.", shown=SHARE)
SECONDS = Objective("seconds", "Seconds", "s", False, Source.MEASURED, "Smaller is better.")
NAMES = PREDICTORS.names()
SPACE = large_space(8)
PLANTED = Planted(SPACE)

# Promises do not hang on how long a network is trained; it is trained for less here than by default.
QUICK = {
    "gp": {"chosen_by": 48},
    "gradient_boosting": {"trees": 40},
    "mlp": {"steps": 40},
    "parzc": {"steps": 25, "width": 8},
    "pfn": {"orders": 2},
    "random_forest": {"trees": 30},
}

every_predictor = pytest.mark.parametrize("name", NAMES)


def made(name: str, **given: object) -> Predictor:
    return PREDICTORS.create(name, QUICK.get(name), **given)


def distinct(n: int, seed: int) -> Archs:
    rng = np.random.default_rng(seed)
    return rng.permutation(np.unique(SPACE.sample_array(4 * n, rng), axis=0))[:n]


def truth(rows: Archs, objective: Objective, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Values of an objective, planted as a sum over the choices that matter, on its own scale."""
    planted = [PLANTED.values(tuple(row)) for row in rows.tolist()]
    plain = np.array([v["quality"] - 0.05 * v["cost"] for v in planted])
    plain = (plain - 5) / 2 + noise * np.random.default_rng(seed).standard_normal(len(rows))
    if objective is ACCURACY:
        # Of 300 samples, as accuracies are.
        return np.asarray(np.round(300 / (1 + np.exp(-plain - 2))) / 300)
    return np.exp(plain) if objective is SECONDS else plain


def fitted(
    name: str, objective: Objective = QUALITY, n: int = 150, noise: float = 0.0, seed: int = 0
) -> Predictor:
    predictor = made(name, space=SPACE, objective=objective, seed=seed)
    rows = distinct(n, 1)
    predictor.fit(rows, truth(rows, objective, noise), beside(rows))
    return predictor


def beside(rows: Archs) -> np.ndarray:
    return np.array([[PLANTED.values(tuple(row))["cost"]] for row in SPACE.canonicalize(rows).tolist()])


@every_predictor
@pytest.mark.parametrize("objective", [QUALITY, ACCURACY, SECONDS], ids=["plain", "share", "positive"])
def test_guesses_better_than_the_mean(name: str, objective: Objective) -> None:
    rows = distinct(300, 2)
    values = truth(rows, objective)
    said = fitted(name, objective).predict(rows, beside(rows))
    assert said.mean.shape == (300,)
    assert np.mean((said.mean - values) ** 2) < 0.5 * np.var(values)


@every_predictor
def test_says_how_far_off_it_may_be(name: str) -> None:
    rows = distinct(300, 3)
    said = fitted(name, noise=0.2).predict(rows, beside(rows))
    if said.deviation is None:
        pytest.skip("gives no deviation")
    assert (said.deviation > 0).all()
    off = (truth(rows, QUALITY, noise=0.2, seed=9) - said.mean) / said.deviation
    # For normal errors 0.68 and 0.95; what is measured anew is noisy, too.
    assert 0.45 < np.mean(np.abs(off) < 1) < 0.9
    assert np.mean(np.abs(off) < 2) > 0.8


@every_predictor
def test_a_share_is_never_guessed_outside_0_and_1(name: str) -> None:
    rows = SPACE.sample_array(400, np.random.default_rng(4))
    predictor = made(name, space=SPACE, objective=ACCURACY, seed=0)
    few = distinct(12, 5)
    predictor.fit(few, np.array([1.0, 0.0] * 6), beside(few))
    said = predictor.predict(rows, beside(rows))
    assert ((said.mean >= 0) & (said.mean <= 1)).all()


@every_predictor
@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("same", [True, False], ids=["all equal", "different"])
def test_what_it_says_is_finite_however_little_it_knows(name: str, n: int, same: bool) -> None:
    predictor = made(name, space=SPACE, objective=SECONDS, seed=0)
    rows = distinct(n, 6)
    predictor.fit(rows, np.ones(n) if same else truth(rows, SECONDS))
    said = predictor.predict(distinct(50, 7))
    assert np.isfinite(said.mean).all()
    assert said.deviation is None or np.isfinite(said.deviation).all()


@every_predictor
def test_a_space_of_one_architecture(name: str) -> None:
    space = SearchSpace(small_space().choices[-1:])
    predictor = made(name, space=space, objective=QUALITY, seed=0)
    one = np.zeros((1, 1), np.uint8)
    predictor.fit(one, np.array([3.0]))
    assert predictor.predict(one).mean == pytest.approx([3.0], abs=1e-6)


@every_predictor
def test_choices_that_do_not_matter_teach_nothing(name: str) -> None:
    predictor, rng = fitted(name), np.random.default_rng(8)
    rows = distinct(60, 8)
    free = ~SPACE.active(rows)
    assert free.any(axis=1).sum() > 30
    other = np.where(free, rng.integers(0, SPACE.cardinalities, size=rows.shape), rows).astype(np.uint8)
    assert (other != rows).any()
    assert predictor.predict(other, beside(rows)).mean == pytest.approx(
        predictor.predict(rows, beside(rows)).mean, rel=1e-9
    )


@every_predictor
def test_the_same_seed_says_the_same(name: str) -> None:
    rows = distinct(40, 9)
    first, second = (fitted(name, n=60, seed=3).predict(rows, beside(rows)) for _ in range(2))
    assert (first.mean == second.mean).all()
    if first.deviation is not None:
        assert second.deviation is not None
        assert (first.deviation == second.deviation).all()


@every_predictor
def test_fitting_again_forgets_what_was_learned_before(name: str) -> None:
    rows = distinct(40, 9)
    predictor = fitted(name, COST, n=60)
    few = distinct(50, 10)
    predictor.fit(few, truth(few, QUALITY), beside(few))
    fresh = made(name, space=SPACE, objective=COST, seed=0)
    fresh.fit(few, truth(few, QUALITY), beside(few))
    assert predictor.predict(rows, beside(rows)).mean == pytest.approx(fresh.predict(rows, beside(rows)).mean)


@every_predictor
def test_one_guess_does_not_depend_on_the_others(name: str) -> None:
    predictor, rows = fitted(name, n=60), distinct(40, 11)
    together = predictor.predict(rows, beside(rows)).mean
    alone = np.concatenate([predictor.predict(rows[[i]], beside(rows[[i]])).mean for i in range(5)])
    # Some compute in single precision.
    assert alone == pytest.approx(together[:5], rel=1e-5, abs=1e-6)


@every_predictor
def test_touches_no_global_random_state_and_none_of_its_inputs(name: str) -> None:
    numpy_before, python_before = np.random.get_state(), random.getstate()
    rows = distinct(60, 12)
    values, known = truth(rows, QUALITY), beside(rows)
    copies = rows.copy(), values.copy(), known.copy()
    predictor = made(name, space=SPACE, objective=QUALITY, seed=0)
    predictor.fit(rows, values, known)
    predictor.predict(rows, known)
    assert all(np.array_equal(a, b) for a, b in zip((rows, values, known), copies, strict=True))
    numpy_after = np.random.get_state()
    assert all(np.array_equal(a, b) for a, b in zip(numpy_before, numpy_after, strict=True))
    assert random.getstate() == python_before


@every_predictor
def test_settings_are_described_and_unknown_ones_refused(name: str) -> None:
    predictor = PREDICTORS.get(name)
    assert issubclass(predictor.Config, BaseModel)
    predictor.Config()
    assert all(field.description for field in predictor.Config.model_fields.values())
    info = PREDICTORS.info(name)
    assert info.label
    assert info.source
    assert info.summary.endswith(".")
    with pytest.raises(InvalidInput, match="no_such_setting"):
        PREDICTORS.create(name, {"no_such_setting": 1}, space=SPACE, objective=QUALITY, seed=0)


def test_listing_the_predictors_imports_none() -> None:
    code = (
        "import sys; from core.predictors import PREDICTORS; assert PREDICTORS.describe(); "
        "assert not {'sklearn', 'scipy', 'torch', 'core.predictors.ridge'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
