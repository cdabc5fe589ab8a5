"""Figures of predictors and proxies: what stands where, and what is hollow."""

from __future__ import annotations

import numpy as np

from core.objectives.base import objective
from core.plots.predictors import correlation_figure, guessed_figure, tau_figure
from core.views.predictors import Guessed, PredictorRow
from core.views.proxies import ProxyRow

ROWS = [
    PredictorRow("gp", "Gaussian <b>process", (0.8, 0.9), 0.01, {0.5: 0.5}, 1.0),
    PredictorRow("svr", "Support vectors", (0.5, 0.7), 0.02, {}, 1.0),
    PredictorRow("none", "None", (), float("nan"), {}, 0.0, "It needs more."),
]


def test_the_best_predictor_is_on_top_and_every_fold_is_drawn() -> None:
    figure = tau_figure(ROWS)
    folds, means = figure.data
    assert list(means.x) == [0.8500000000000001, 0.6]
    assert len(means.y) == 2, "what was refused is not drawn"
    assert "<b>" not in means.y[0]
    assert list(folds.x) == [0.8, 0.9, 0.5, 0.7]
    assert figure.layout.yaxis.autorange == "reversed"
    assert tau_figure(ROWS[2:]).layout.annotations[0].text == "No predictor has been judged yet."


def test_guesses_are_hollow_with_their_intervals_in_percent() -> None:
    found = Guessed(("a", "b"), np.array([0.9, 0.95]), np.array([0.91, 0.93]), np.array([0.01, 0.02]))
    equal, guessed = guessed_figure(found, objective("accuracy")).data
    assert (list(guessed.x), list(guessed.y)) == ([90.0, 95.0], [91.0, 93.0])
    assert guessed.marker.symbol == "circle-open"
    assert np.allclose(guessed.error_y.array, [1.96, 3.92])
    assert list(equal.x) == list(equal.y) == [90.0, 95.0]
    assert [row[0] for row in guessed.customdata] == ["a", "b"]
    plain = Guessed(found.arch_ids, found.values, found.guesses, None)
    assert guessed_figure(plain, objective("accuracy")).data[1].name == "guessed"


def test_baselines_have_a_mark_of_their_own_and_intervals_reach_from_low_to_high() -> None:
    rows = [
        ProxyRow("macs", "MACs", "baseline", tau=0.5, low=0.4, high=0.7, n=9),
        ProxyRow("snip", "SNIP", "proxy", tau=-0.2, low=-0.5, high=0.1, n=9),
        ProxyRow("zen", "Zen", "proxy", refused="No images."),
    ]
    figure = correlation_figure(rows)
    proxy, baseline = figure.data
    assert proxy.marker.symbol != baseline.marker.symbol
    assert (list(proxy.y), list(baseline.y)) == (["SNIP"], ["MACs"])
    assert np.allclose(proxy.error_x.array, [0.3])
    assert np.allclose(proxy.error_x.arrayminus, [0.3])
    assert list(figure.layout.yaxis.categoryarray) == ["MACs", "SNIP"], "the strongest first"
