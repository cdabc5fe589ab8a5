"""Curves, losses by size and the film of a training: what they draw of numbers that are known."""

from __future__ import annotations

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from core.objectives.base import objective
from core.plots.training_watch import accuracy_figure, film_figure, losses_figure
from core.records import Metrics
from core.training.film import Film, empty_film
from core.views.training_watch import MOST_SHOWN, numbers, strip, watched

MACS, ACCURACY = objective("macs"), objective("accuracy")


def row(epoch: int, **changes: float) -> Metrics:
    plain: Metrics = {
        "step": epoch,
        "epoch": epoch,
        "loss": 1.0,
        "smallest": 0.1 * epoch,
        "largest": 0.2 * epoch,
    }
    plain |= {"random": 0.12 * epoch, "random_low": 0.11 * epoch, "random_high": 0.19 * epoch, "seconds": 2.0}
    plain |= {"median": 0.15 * epoch, "learning_rate": 0.1 / epoch, "passes": 12.0 * epoch, "memory": 5e8}
    plain |= {"macs_1": 1000, "macs_2": 9000, "drawn_1": 3, "drawn_2": 0, "loss_1": 2.0 / epoch}
    return {**plain, **changes}


OLD: Metrics = {"step": 1, "epoch": 1, "random": 0.3, "random_low": 0.2, "random_high": 0.4, "seconds": 1.0}


def test_curves_are_percent_by_epoch_with_the_rate_below() -> None:
    figure = accuracy_figure(watched([row(1), row(2), row(3)]))
    drawn = {t.name: t for t in figure.data}
    assert list(drawn["smallest"].y) == pytest.approx([10, 20, 30])
    assert list(drawn["median of random subnets"].y) == pytest.approx([15, 30, 45])
    assert list(drawn["largest"].y) == pytest.approx([20, 40, 60])
    assert list(drawn["highest of the random subnets"].y) == pytest.approx([19, 38, 57])
    assert drawn["highest of the random subnets"].fill == "tonexty"
    assert (drawn["learning rate"].yaxis, list(drawn["learning rate"].y)) == ("y2", [0.1, 0.05, 0.1 / 3])
    assert len({t.line.dash for t in figure.data if t.showlegend is not False}) == 3


def test_a_training_of_an_earlier_release_shows_what_it_has() -> None:
    found = watched([OLD])
    figure = accuracy_figure(found)
    assert [t.name for t in figure.data if t.showlegend is not False] == ["random subnets, mean"]
    assert "learning rate" not in [t.name for t in figure.data]
    assert len(found.sizes.epochs) == 0
    assert numbers(found, running=True, allowed=10**9) == ["1 s in 1 epoch"]


def test_what_it_took_is_said_and_memory_only_while_it_runs() -> None:
    found = watched([row(1), row(2)])
    assert numbers(found, running=False, allowed=10**9) == [
        "4 s in 2 epochs",
        "24 forward passes with a gradient",
    ]
    assert numbers(found, running=True, allowed=2 * 10**9)[-1] == "500 MB of memory in use, 1.5 GB left"


def test_losses_by_size_leave_gaps_where_nothing_was_drawn() -> None:
    figure = losses_figure(watched([row(1), row(2)]), MACS)
    assert [t.name for t in figure.data] == ["up to 1 k MACs", "up to 9 k MACs"]
    assert list(figure.data[0].y) == [2.0, 1.0]
    assert np.isnan(figure.data[1].y).all()
    assert list(figure.data[0].customdata) == [3, 3]


def film(frames: int = 3) -> Film:
    """Five subnets; the dearest is never the best, and the second is overtaken by the first in the end."""
    found = empty_film(
        np.arange(5, dtype=np.uint8)[:, None], np.array([10, 20, 30, 40, 50]), exact=True, samples=100
    )
    for n in range(frames):
        accuracy = np.array([0.1 + 0.2 * n, 0.3 + 0.05 * n, 0.5, 0.7, 0.6])
        found = found.with_frame(n * n + 1, accuracy)
    return found


def test_the_film_shows_the_front_of_every_frame() -> None:
    seen = strip(film())
    assert seen.epochs == (1, 2, 5)
    assert [members.tolist() for members in seen.fronts] == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 3]]
    figure = film_figure(seen, MACS, ACCURACY)
    assert [t.name for t in figure.data] == ["front after epoch 1", "measured subnets", "front"]
    assert list(figure.data[2].x) == [10, 40, 50], "to the dearest subnet, as far as the front holds"
    assert list(figure.data[2].y) == pytest.approx([50, 70, 70])
    assert [frame.name for frame in figure.frames] == ["1", "2", "5"]
    assert list(figure.frames[0].data[1].y) == pytest.approx([10, 30, 50, 70, 70])
    assert [frame.traces for frame in figure.frames] == [(1, 2)] * 3
    assert figure.layout.sliders[0].active == 2
    # Every step of the slider and both buttons name frames that exist, and nothing moves between two frames.
    assert [step.args[0] for step in figure.layout.sliders[0].steps] == [("1",), ("2",), ("5",)]
    assert [b.label for b in figure.layout.updatemenus[0].buttons] == ["Play", "Pause"]
    assert '"transition":{"duration":0}' in figure.to_json().replace(" ", "")
    low, high = figure.layout.yaxis.range
    assert low < 10 < 70 < high


def test_a_frame_by_itself_has_nothing_to_play_and_any_may_come_first() -> None:
    assert film_figure(strip(film(1)), MACS, ACCURACY).layout.sliders == ()
    figure = film_figure(strip(film()), MACS, ACCURACY, at=1)
    assert figure.layout.sliders[0].active == 1
    assert list(figure.data[1].y) == pytest.approx([30, 35, 50, 70, 60])


def test_a_film_of_many_subnets_is_drawn_in_few_bytes() -> None:
    rng = np.random.default_rng(0)
    found = empty_film(
        np.zeros((20_000, 3), np.uint8), rng.integers(1, 10**6, 20_000), exact=False, samples=100
    )
    for n in range(24):
        found = found.with_frame(n + 1, rng.random(20_000))
    seen = strip(found)
    assert len(seen.shown) == MOST_SHOWN
    assert len(json.dumps(json.loads(film_figure(seen, MACS, ACCURACY).to_json()))) < 400_000
    assert "A sample" in seen.sentence
    assert "Exact: after each of these epochs all 5 subnets" in strip(film()).sentence


def test_figures_are_what_plotly_takes() -> None:
    found = watched([row(1), row(2)])
    for figure in (
        accuracy_figure(found),
        losses_figure(found, MACS),
        film_figure(strip(film()), MACS, ACCURACY),
    ):
        go.Figure(json.loads(figure.to_json()))
