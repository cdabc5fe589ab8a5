"""The figure and the tables of shared against alone: what they show, read from their data."""

from __future__ import annotations

import json
import math

import pytest

from core.plots.shared_or_alone import (
    ALONE,
    EXPECTED,
    NULL,
    OUTSIDE,
    SHARED,
    accuracy_table,
    shared_or_alone_figure,
    values_table,
)
from core.similarity.seed_spread import StageResult, Verdict
from core.views.shared_or_alone import SharedOrAlone
from tests.plots.test_number_formats import HOSTILE

NAN = math.nan
STAGES = [
    StageResult(
        "0", "stem", (0.5, 0.7, 0.6), (0.8, 0.9, 0.7), 0.01, 0.02, 359, 4, (0.3, 1.3), Verdict.AS_ALIKE, ""
    ),
    StageResult(
        "1",
        "block",
        (0.1, NAN, 0.3),
        (0.8, 0.9, 0.8),
        0.0,
        0.02,
        359,
        8,
        (0.6, 1.1),
        Verdict.LESS,
        "one is dead",
    ),
    StageResult("2", "block", (NAN,) * 3, (NAN,) * 3, NAN, NAN, 359, 8, (NAN, NAN), Verdict.UNKNOWN, "dead"),
    StageResult("3", "head", (0.9,) * 3, (0.5,) * 3, -0.012, 0.02, 359, 10, (0.5, 0.5), Verdict.MORE, ""),
]


def traces(stages: list[StageResult] = STAGES) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for trace in json.loads(shared_or_alone_figure(stages, "CKA").to_json())["data"]:
        found.setdefault(trace["name"], []).append(trace)
    return found


def test_each_line_shows_mean_and_range_of_every_stage() -> None:
    [shared], [alone], [null] = (traces()[name] for name in (SHARED, ALONE, NULL))
    assert shared["y"] == pytest.approx([0.6, 0.2, None, 0.9])
    assert alone["y"] == pytest.approx([0.8, (0.8 + 0.9 + 0.8) / 3, None, 0.5])
    assert null["y"] == pytest.approx([0.01, 0.0, None, -0.012])
    assert shared["error_y"]["array"] == pytest.approx([0.1, 0.1, None, 0.0])
    assert shared["error_y"]["arrayminus"] == pytest.approx([0.1, 0.1, None, 0.0])


def test_a_triangle_marks_each_stage_that_is_no_tie() -> None:
    [outside], [shared] = traces()[OUTSIDE], traces()[SHARED]
    assert outside["marker"]["symbol"] == ["triangle-down-open", "triangle-up-open"]
    assert (outside["x"], outside["y"]) == ([shared["x"][1], shared["x"][3]], pytest.approx([0.2, 0.9]))
    assert "less alike than two seeds are" in shared["hovertext"][1]
    assert "0.100, none, 0.300" in shared["hovertext"][1]
    [none] = traces(STAGES[:1])[OUTSIDE]
    assert not none["showlegend"]


def test_the_band_leaves_out_what_is_not_known() -> None:
    low, high = traces()[EXPECTED]
    assert (low["x"], low["y"]) == ([0, 1, 3], [0.3, 0.6, 0.5])
    assert (high["x"], high["y"]) == ([0, 1, 3], [1.3, 1.1, 0.5])
    assert high["fill"] == "tonexty"


def test_stages_of_one_name_stay_apart() -> None:
    figure = shared_or_alone_figure(STAGES, "CKA")
    assert list(figure.layout.xaxis.ticktext) == ["stem", "block", "block", "head"]
    assert list(figure.layout.xaxis.tickvals) == [0, 1, 2, 3]


def test_nothing_and_one_seed_can_be_drawn() -> None:
    assert len(shared_or_alone_figure([], "CKA").data) == 6
    one = StageResult("0", "stem", (0.5,), (), 0.0, 0.1, 359, 4, (NAN, NAN), Verdict.UNKNOWN, "one seed")
    [shared], [alone] = (traces([one])[name] for name in (SHARED, ALONE))
    assert (shared["y"], alone["y"]) == ([0.5], [None])


def test_equal_stages_give_equal_bytes() -> None:
    assert shared_or_alone_figure(STAGES, "CKA").to_json() == shared_or_alone_figure(STAGES, "CKA").to_json()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_labels_stay_text(name: str) -> None:
    stage = StageResult("0", name, (0.5,) * 3, (0.5,) * 3, 0.0, 0.1, 9, 4, (0.4, 0.6), Verdict.AS_ALIKE, "")
    drawn = shared_or_alone_figure([stage], name)
    text = drawn.layout.xaxis.ticktext[0] + drawn.layout.yaxis.title.text + drawn.data[0].hovertext[0]
    assert "<script" not in text
    assert "<img" not in text
    [_, _, line] = values_table([stage], "stage").split("\n")
    assert line.count(" | ") == 4
    assert "](" not in line
    assert "<" not in line.replace("\\<", "")


def test_tables_state_values_as_people_read_them() -> None:
    answer = SharedOrAlone(
        tuple(STAGES),
        (),
        "CKA",
        False,
        "pooled",
        "359 images",
        (1, 2),
        100,
        {"accuracy": 0.9, "test_accuracy": 0.9415},
        {"accuracy": (0.9, 0.8), "test_accuracy": (0.98882, 0.98)},
        "lower inside",
        "",
    )
    assert accuracy_table(answer).split("\n")[2:] == [
        "| inside the supernet | 90.0 % | 94.2 % |",
        "| alone, seed 1 | 90.0 % | 98.9 % |",
        "| alone, seed 2 | 80.0 % | 98.0 % |",
        "| **alone, mean (min to max, n)** | 85.0 % (80.0 to 90.0, n = 2) | 98.4 % (98.0 to 98.9, n = 2) |",
    ]
    lines = values_table(STAGES, "stage").split("\n")
    assert (
        lines[2]
        == "| stem | 0.600 (0.500 to 0.700) | 0.800 (0.700 to 0.900) | 0.010 | as alike as two seeds |"
    )
    assert lines[4] == "| block | none | none | none | cannot be said |"
    assert "\N{MINUS SIGN}0.012" in lines[5]
