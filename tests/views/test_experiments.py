"""Rows become curves: means and spread over seeds, training images once, single points drawn across."""

from __future__ import annotations

import numpy as np

from core.pruning.experiments.base import Row
from core.views.experiments import curves


def test_means_and_spread_over_seeds() -> None:
    rows = [Row("a", seed, x, y) for seed, x, y in ((0, 1, 0.2), (1, 1, 0.4), (0, 2, 0.5))]  # seed 1 stopped
    found = curves(rows)
    assert found.conditions == ("a",)
    assert found.x[0].tolist() == [1, 2]
    np.testing.assert_allclose(found.mean[0], [0.3, 0.45])
    np.testing.assert_allclose(found.low[0], [0.2, 0.4])
    np.testing.assert_allclose(found.high[0], [0.4, 0.5])


def test_training_images_are_never_averaged_with_test_images() -> None:
    rows = [
        Row(c, 0, x, y, split)
        for c in ("dense", "ticket")
        for x in (0, 50)
        for split, y in (("train", 1.0), ("test", 0.1))
    ]
    found = curves(rows)
    assert set(found.conditions) == {"dense", "dense, training images", "ticket"}
    by_name = dict(zip(found.conditions, found.mean, strict=True))
    assert by_name["dense"].tolist() == by_name["ticket"].tolist() == [0.1, 0.1]
    assert by_name["dense, training images"].tolist() == [1, 1]


def test_a_single_point_is_drawn_across_the_others() -> None:
    rows = [Row("dense", s, 0.0, y) for s, y in ((0, 0.9), (1, 0.8))] + [
        Row("ticket", 0, x, 0.7) for x in (0.8, 0.95)
    ]
    found = curves(rows)
    assert found.x[0].tolist() == [0.8, 0.95]
    assert found.high[0].tolist() == [0.9, 0.9]
    assert found.low[0].tolist() == [0.8, 0.8]


def test_nothing_measured_is_no_curve() -> None:
    assert curves([]).conditions == ()
