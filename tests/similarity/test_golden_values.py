"""The numbers of the method card, each confirmed there by an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.similarity import MEASURES, between


def card_layers() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 20)) @ rng.standard_normal((20, 20))
    return x, np.maximum(x @ rng.standard_normal((20, 15)), 0)


X, Y = card_layers()

# Linear CKA: ReSi, platonic-rep, netrep, rsatoolbox. Mean CCA: google/svcca. Shape metrics: ReSi, netrep.
# RSA: rsatoolbox, ReSi. Neighbors: platonic-rep, ReSi. Matching, regression, distance correlation: ReSi.
# SVCCA and PWCCA have no trustworthy reference code: see test_definitions.py for their oracles.
GOLDEN = {
    "cka_biased": 0.63344269,
    "cka": 0.62842031,
    "cca_mean": 0.67678881,
    "svcca": 0.68682272,
    "pwcca": 0.74379616,
    "procrustes": 0.73432017,
    "angular": 0.75190804,
    "rsa": 0.63393240,
    "mutual_knn": 0.26280000,
    "jaccard_knn": 0.15983821,
    "hard_match": 0.44219490,
    "soft_match": 0.44249564,
    "linear_regression": 0.62335481,
    "distance_correlation": 0.81258803,
}


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_value_of_the_card(name: str) -> None:
    assert between(X, Y, MEASURES.create(name)).value == pytest.approx(GOLDEN[name], abs=5.1e-9)


def test_gaussian_kernel_to_the_digits_of_the_card() -> None:
    assert round(between(X, Y, MEASURES.create("cka_rbf")).value, 4) == 0.6425


def test_pwcca_from_the_other_side() -> None:
    assert between(Y, X, MEASURES.create("pwcca")).value == pytest.approx(0.76347898, abs=5.1e-9)


@pytest.mark.parametrize(
    ("n", "biased", "unbiased", "cca"), [(25, 0.49, 0.08, None), (500, 0.036, -0.002, 0.17)]
)
def test_few_samples_mislead_the_biased_measures(
    n: int, biased: float, unbiased: float, cca: float | None
) -> None:
    """Finding 3 of the card: independent layers of 20 units (its draws are not given, so neither are ours)."""
    values: dict[str, list[float]] = {"cka_biased": [], "cka": [], "cca_mean": []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((n, 20)), rng.standard_normal((n, 20))
        for name, found in values.items():
            found.append(between(x, y, MEASURES.create(name)).value)
    assert np.mean(values["cka_biased"]) == pytest.approx(biased, abs=0.06)
    # One draw of the card against the spread of ours.
    assert abs(unbiased - np.mean(values["cka"])) < 3 * np.std(values["cka"])
    assert abs(np.mean(values["cka"])) < 0.02
    if cca is None:
        assert np.isnan(values["cca_mean"]).all(), (
            "25 samples are fewer than 41: refused, where the card has 0.85"
        )
    else:
        assert np.mean(values["cca_mean"]) == pytest.approx(cca, abs=0.02)
