"""Figures of lessons by their traces: every kind is drawn, roles are named and told apart by shape, nothing hidden is told."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from core.lessons.charts import Bars, Blocks, Chart, Curves, Group, Heat, Line, Role, Scatter, Slopes
from core.plots.lessons import QUADRANT, draw
from core.plots.lessons.marks import MARKS

NAN = math.nan
ROLES: tuple[Role, ...] = ("plain", "front", "mine", "right", "wrong", "missed", "reference", "faint")


def group(role: Role, n: int = 2) -> Group:
    places = tuple(float(i + 1) for i in range(n))
    return Group(f"the {role}", role, tuple(f"{role}-{i}" for i in range(n)), places, places)


SCATTER = Scatter(
    "MACs",
    "Accuracy",
    groups=tuple(group(role) for role in ROLES),
    lines=(
        Line("front", (1, 2, 3), (1, 2, 3), "front", steps=True),
        Line("one", (1, 2), (1, 2)),
        Line("other", (1, 2), (2, 1)),
    ),
    areas=(("beaten", (0, 0, 1, 1), (0, 1, 1, 0)),),
    bounds=(("budget", "x", 2.0), ("chance", "y", 0.1)),
    log_x=True,
    markable=True,
    quadrant=True,
)
CURVES = Curves(
    "Epoch",
    "Accuracy",
    lines=tuple(
        Line(label, (1, 2, 3), (1.0, NAN, 3.0), low=(0, NAN, 2), high=(2, NAN, 4), panel=panel)
        for panel in ("big only", "sandwich")
        for label in ("smallest", "largest")
    ),
)
BARS = Bars(
    names=("1", "2"),
    series={"before": (1.0, NAN), "after": (7.25, 8.5)},
    low={"after": (7.0, 8.0)},
    high={"after": (7.5, 9.0)},
)
SLOPES = Slopes(
    left="in the supernet",
    right="alone",
    names=("a", "b", "c", "d"),
    left_ranks=(1, 2.5, 2.5, 4),
    right_ranks=(2, 1, 2.5, NAN),
)
HEAT = Heat(values=((0.1, NAN), (-0.5, 0.25)), active=((True, False), (False, False)), diverging=True)
BLOCKS = Blocks(
    x_title="drawn",
    y_title="seen so far",
    names=("width", "kernel"),
    options=(("2", "4"), ("3",)),
    allowed=((True, False), (True,)),
    counters=(("subnets left", "1"),),
    curve=(Line("seen", (0, 1), (0, 1)),),
)
ALL: tuple[Chart, ...] = (SCATTER, CURVES, BARS, SLOPES, HEAT, BLOCKS)


def spec(chart: Chart) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(draw(chart).to_json())
    return made


def traces(chart: Chart) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in spec(chart)["data"] if "name" in trace}


@pytest.mark.parametrize("kind", Chart.__subclasses__())
def test_every_kind_is_drawn(kind: type[Chart]) -> None:
    assert draw(kind()).to_dict()["layout"], "empty, too"
    drawn = [chart for chart in ALL if isinstance(chart, kind)]
    assert drawn
    assert all(spec(chart) == spec(chart) for chart in drawn)


def test_a_kind_that_nobody_draws_is_refused() -> None:
    with pytest.raises(TypeError, match="Chart"):
        draw(Chart())


def test_roles_are_named_and_differ_in_shape() -> None:
    found = traces(SCATTER)
    assert set(MARKS) == set(ROLES)
    looks = {
        (found[f"the {role}"]["marker"]["symbol"], found[f"the {role}"]["marker"]["size"]) for role in ROLES
    }
    assert len(looks) == len(ROLES)
    assert all(found[f"the {role}"].get("showlegend", True) for role in ROLES)
    assert found["the mine"]["customdata"] == ["mine-0", "mine-1"]
    assert len({found[name]["line"]["dash"] for name in ("front", "one", "other")}) == 3
    assert spec(SCATTER)["layout"]["meta"] == QUADRANT
    assert "meta" not in spec(replace(SCATTER, quadrant=False))["layout"]


def test_bounds_stand_with_their_names() -> None:
    layout = spec(SCATTER)["layout"]
    assert {each["text"] for each in layout["annotations"]} == {"budget", "chance"}
    assert len(layout["shapes"]) == 2


def test_small_multiples_share_axes_and_a_label_keeps_its_look() -> None:
    made = spec(CURVES)
    named = [trace for trace in made["data"] if "name" in trace]
    assert [trace["name"] for trace in named if trace["showlegend"]] == ["smallest", "largest"]
    for label in ("smallest", "largest"):
        looks = {json.dumps(trace["line"], sort_keys=True) for trace in named if trace["name"] == label}
        assert len(looks) == 1
    assert {each["text"] for each in made["layout"]["annotations"]} == {"big only", "sandwich"}
    assert made["layout"]["yaxis2"]["matches"] == "y"
    bands = [trace for trace in made["data"] if trace.get("fill") == "tonexty"]
    assert [trace["y"] for trace in bands] == [[2, 4]] * 4, "a band has no gap in it"


def test_hidden_bars_keep_their_place_and_tell_nothing() -> None:
    made = json.dumps(spec(replace(BARS, hidden=("after",)))["data"])
    for value in ("7.25", "8.5", "array"):
        assert value not in made
    hidden = traces(replace(BARS, hidden=("after",)))["after (not revealed yet)"]
    assert hidden["text"] == ["?", "?"]
    shown = traces(BARS)["after"]
    assert shown["y"] == [7.25, 8.5]
    assert shown["error_y"]["array"] == [0.25, 0.5]
    assert shown["error_y"]["arrayminus"] == [0.25, 0.5]


def test_slopes_say_who_rises_and_who_is_not_known() -> None:
    found = traces(SLOPES)
    assert set(found) == {"comes higher", "stays", "falls lower", "not known yet"}
    assert found["comes higher"]["y"][:2] == [2.5, 1]
    assert found["not known yet"]["y"][:2] == [4, None]
    assert len({each["marker"]["symbol"] for each in found.values()}) == 4
    names = {each["text"] for each in spec(SLOPES)["layout"]["annotations"]}
    assert names == {"a", "b · c", "d"}, "of equal rank share a line"
    ends = spec(SLOPES)["layout"]["yaxis"]["range"]
    assert ends[0] > ends[1], "rank 1 is on top"


def test_cells_that_are_not_in_use_are_dimmed_and_fenced_off() -> None:
    found = traces(HEAT)
    assert found["in use"]["z"] == [[0.1, None], [None, None]]
    assert found["not in use"]["z"] == [[None, None], [-0.5, 0.25]]
    assert found["not in use"]["opacity"] < 0.3
    assert (found["in use"]["zmin"], found["in use"]["zmax"]) == (-0.5, 0.5), "zero is in the middle"
    fence = found["in use (within the line)"]
    assert len(fence["x"]) == 4 * 3, "four sides"
    assert "not in use" not in traces(replace(HEAT, active=()))


def test_options_that_are_left_are_filled() -> None:
    found = traces(BLOCKS)
    assert found["allowed"]["text"] == ["2", "3"]
    assert found["not allowed"]["text"] == ["4"]
    assert found["not allowed"]["marker"]["symbol"].endswith("open")
    texts = [each["text"] for each in spec(BLOCKS)["layout"]["annotations"]]
    assert texts == ["<b>1</b><br><span style='font-size:13px'>subnets left</span>"]
    assert found["seen"]["xaxis"] == "x2"
    layout = spec(BLOCKS)["layout"]
    assert layout["xaxis2"]["title"]["text"] == BLOCKS.x_title


def test_texts_of_a_lesson_are_no_markup() -> None:
    made = draw(replace(BARS, names=("<b>1</b>", "$x$"), x_title="<i>x</i>")).to_json()
    assert "<b>" not in made.replace("\\u003c", "<")
    assert "$x$" not in made


def test_a_letter_stands_beside_its_point_and_the_name_of_a_line_at_the_line() -> None:
    named = replace(group("front"), names=("A", "B"))
    chart = Scatter("MACs", "Latency", groups=(named,), bounds=(("A", "x", 1000.0),), log_x=True)
    figure = draw(chart)
    assert figure.data[0].mode == "markers+text"
    assert list(figure.data[0].text) == ["A", "B"]
    assert figure.layout.annotations[0].x == pytest.approx(3.0), (
        "a logarithmic axis places texts by the logarithm"
    )
    assert draw(replace(chart, log_x=False)).layout.annotations[0].x == 1000.0
