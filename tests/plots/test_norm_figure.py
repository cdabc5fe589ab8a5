"""The figure of evolved layers: every expression at its generation, the best so far never falls, names are escaped."""

from __future__ import annotations

from core.plots.norm_search import Tried, norm_figure

TRIED = [
    Tried(0, "x", 0.5),
    Tried(0, "x + 0", 0.7),
    Tried(1, "<b>x</b>", None, "diverges"),
    Tried(2, "tanh(x)", 0.6),
    *[Tried(2, f"x · {n}", None, "learns nothing") for n in range(12)],
]


def test_points_means_range_and_best_are_those_of_the_generations() -> None:
    traces = {trace.name: trace for trace in norm_figure(TRIED, best="x + 0").data}
    assert list(traces["expression"].x) == [0, 0, 2]
    assert list(traces["expression"].y) == [50, 70, 60]
    assert list(traces["mean of the generation"].x) == [0, 2]
    assert list(traces["mean of the generation"].y) == [60, 60]
    assert list(traces["range of the generation"].y) == [70, 60, 60, 50]
    assert (list(traces["best so far"].x), list(traces["best so far"].y)) == ([0, 1, 2], [70, 70, 70])
    gone = traces["rejected before training"]
    assert (list(gone.x), list(gone.text)) == ([1, 2], ["1", "12"])
    assert max(gone.y) < 50
    assert "<b>" not in gone.customdata[0][0]
    assert "and 4 more" in gone.customdata[1][0]


def test_while_nothing_can_be_trained_only_crosses_are_drawn() -> None:
    figure = norm_figure(TRIED[2:3], best="")
    assert {trace.name for trace in figure.data if len(trace.x)} == {"rejected before training"}
    assert figure.layout.title.text is None
