"""Maps and swarms: an id under every dot, nothing hidden, the same picture every time."""

from __future__ import annotations

import numpy as np
import pytest

from core.plots import style
from core.plots.maps import model_map, sample_map
from core.plots.rashomon import beeswarm, swarm_figure

IDS = ["subnet:net:00", "subnet:net:01", "alone:run:0"]
TITLES = ["first", "<b>second", "third, alone"]
POINTS = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])


def test_every_network_has_its_id() -> None:
    figure = model_map(POINTS, IDS, TITLES, [0.9, float("nan"), 0.8], label="Accuracy", percent=True)
    found = {c[0]: (x, y) for t in figure.data for c, x, y in zip(t.customdata, t.x, t.y, strict=True)}
    assert found == {i: tuple(p) for i, p in zip(IDS, POINTS.tolist(), strict=True)}


def test_a_number_that_was_not_measured_is_grey_and_accuracy_is_percent() -> None:
    figure = model_map(
        POINTS,
        IDS,
        TITLES,
        [0.9, float("nan"), 0.8],
        label="Accuracy",
        percent=True,
        alone=[False, False, True],
    )
    known, unknown = figure.data
    assert list(known.marker.color) == pytest.approx([90, 80])
    assert list(known.marker.symbol) == ["circle", "star"]
    assert known.marker.colorbar.title.text == "Accuracy (%)"
    assert unknown.marker.color == style.DOMINATED
    assert "not measured" in unknown.hovertext[0]
    assert "<b>second" not in unknown.hovertext[0]


def test_options_are_sorted_as_numbers_and_differ_in_shape() -> None:
    figure = model_map(POINTS, IDS, TITLES, ["10", "9", "not used"], label="width")
    assert [t.name for t in figure.data] == ["width 9", "width 10", "width not used"]
    assert len({t.marker.symbol for t in figure.data}) == 3


def test_named_networks_are_ringed() -> None:
    figure = model_map(
        POINTS, IDS, TITLES, [1, 2, 3], label="x", named={IDS[1]: "A", IDS[0]: "B", "gone": "C"}
    )
    rings = figure.data[-1]
    assert list(rings.text) == ["A", "B"]
    assert list(rings.x) == [2, 0]
    assert rings.customdata is None


def samples(**changes: object) -> object:
    rng = np.random.default_rng(0)
    settings: dict = {
        "points": rng.standard_normal((30, 2)),
        "y": np.arange(30) % 10,
        "ids": np.arange(100, 130),
        "classes": [str(k) for k in range(10)],
        "ringed": np.arange(30) < 3,
        "bounds": (-3, 3, -2, 2),
        "title": "A: net",
    }
    return sample_map(**(settings | changes))


def test_ten_classes_are_told_apart() -> None:
    figure = samples()
    looks = {(t.marker.color, t.marker.symbol) for t in figure.data[:10]}  # type: ignore[attr-defined]
    assert len(looks) == 10
    assert {c[0] for t in figure.data[:10] for c in t.customdata} == {str(i) for i in range(100, 130)}  # type: ignore[attr-defined]
    assert list(figure.layout.xaxis.range) == [-3, 3]  # type: ignore[attr-defined]
    assert len(figure.data[10].x) == 3  # type: ignore[attr-defined]


def test_a_selection_made_elsewhere_is_shown() -> None:
    figure = samples(selected=(100, 110, 129))
    chosen = {
        t.customdata[k][0]
        for t in figure.data[:10]  # type: ignore[attr-defined]
        for k in t.selectedpoints
    }
    assert chosen == {"100", "110", "129"}
    assert samples().data[0].selectedpoints is None  # type: ignore[attr-defined]


def test_another_edition_is_another_chart() -> None:
    assert samples(edition=1).to_json() != samples().to_json()  # type: ignore[attr-defined]
    assert samples().to_json() == samples().to_json()  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", ["spread", "equal", "ties", "none"])
def test_no_dot_hides_another(case: str) -> None:
    rng = np.random.default_rng(1)
    x = {
        "spread": rng.standard_normal(200),
        "equal": np.full(50, 2.5),
        "ties": rng.integers(0, 5, 120) / 7,
        "none": np.zeros(0),
    }[case]
    reach = 0.012 * float(np.ptp(x)) if len(x) else 0.0
    offsets = beeswarm(x, reach=reach)
    near = np.abs(x[:, None] - x) <= reach
    np.fill_diagonal(near, False)
    assert not (near & np.isclose(offsets[:, None], offsets)).any()
    assert np.abs(offsets).max(initial=0) <= 0.42 + 1e-12
    assert np.array_equal(offsets, beeswarm(x, reach=reach))


def test_far_dots_stay_in_the_middle() -> None:
    assert (beeswarm(np.arange(10.0), reach=0.5) == 0).all()


def swarm() -> object:
    importance = np.array([[0.01, -0.002, np.nan], [0.02, 0.0, np.nan], [0.03, 0.002, 0.001]])
    return swarm_figure(
        ["width", "kernel", "depth"], importance, np.array([0.99, 0.98, 0.98]), ["a", "b", "c"]
    )


def test_the_swarm_holds_every_value_once() -> None:
    dots, stars = swarm().data  # type: ignore[attr-defined]
    assert sorted(dots.x) == pytest.approx([0.0, 0.1, 0.2, 2.0, 3.0])
    assert sorted(stars.x) == pytest.approx([-0.2, 1.0])
    assert {c[0] for c in stars.customdata} == {"a"}
    assert {c[0] for c in dots.customdata} == {"b", "c"}


def test_the_most_important_choice_is_on_top() -> None:
    figure = swarm()
    assert list(figure.layout.yaxis.ticktext) == ["kernel", "depth", "width"]  # type: ignore[attr-defined]
    dots = figure.data[0]  # type: ignore[attr-defined]
    rows = {round(float(y)) for x, y in zip(dots.x, dots.y, strict=True) if x > 1}
    assert rows == {2}


def test_a_swarm_of_one_member_or_of_no_importance() -> None:
    alone = swarm_figure(["a"], np.array([[np.nan]]), np.array([0.5]), ["x"])
    assert [len(t.x or ()) for t in alone.data] == [0, 0]
    assert swarm_figure(["a"], np.array([[0.1]]), np.array([0.5]), ["x"]).to_json()
