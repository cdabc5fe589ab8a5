"""How sure members are, drawn: sizes, the broad line, whiskers, for either direction of an axis."""

from __future__ import annotations

import pandas as pd
import pytest

from core.objectives.base import objective
from core.plots.front import front_figure
from core.plots.front_chance import LARGEST, SMALLEST, ChanceMarks

MACS, ACCURACY = objective("macs"), objective("accuracy")
ROWS = pd.DataFrame(
    {
        "arch_id": ["a", "b", "c", "d", "e"],
        "on_front": [True, True, True, True, False],
        "macs": [100.0, 200.0, 300.0, 400.0, 350.0],
        "accuracy": [0.80, 0.85, 0.86, 0.90, 0.70],
    }
)


def named(figure: object) -> dict[str, object]:
    return {trace.name: trace for trace in figure.data}  # type: ignore[attr-defined]


def test_members_are_as_large_as_they_are_sure() -> None:
    marks = ChanceMarks(share={"a": 1.0, "b": 0.0, "c": 0.5})
    front = named(front_figure(ROWS, MACS, ACCURACY, chance=marks))["front"]
    assert front.marker.size[:3] == pytest.approx((LARGEST, SMALLEST, (0.5 * (25 + 225)) ** 0.5))
    assert SMALLEST < front.marker.size[3] < LARGEST, "of whom nothing is known is drawn as usual"
    assert front.text[0].endswith("on the front in 100 % of resamples")
    assert front.text[3] == ""
    assert "%{text}<extra>" in front.hovertemplate


def test_the_sure_steps_lie_below_the_front_and_reach_its_end() -> None:
    figure = front_figure(ROWS, MACS, ACCURACY, chance=ChanceMarks(steps=["a", "b"]))
    names = [trace.name for trace in figure.data]
    assert names.index("sure steps") == names.index("front") - 1
    sure = named(figure)["sure steps"]
    assert list(sure.x) == [100, 200, 400]
    assert list(sure.y) == pytest.approx([80, 85, 85])
    assert sure.line.shape == "hv"
    assert "sure steps" not in named(front_figure(ROWS, MACS, ACCURACY, chance=ChanceMarks(steps=["a"])))


def test_with_the_accuracy_across_the_line_keeps_to_its_members() -> None:
    figure = front_figure(ROWS, ACCURACY, MACS, chance=ChanceMarks(steps=["a", "b"]))
    sure = named(figure)["sure steps"]
    assert set(zip(sure.x, sure.y, strict=True)) >= {(80, 100), (85, 200)}


def test_whiskers_are_the_interval() -> None:
    marks = ChanceMarks(whiskers={"a": (0.76, 0.83), "d": (0.87, 0.93)})
    front = named(front_figure(ROWS, MACS, ACCURACY, chance=marks))["front"]
    assert front.error_y.array[0] == pytest.approx(3)
    assert front.error_y.arrayminus[0] == pytest.approx(4)
    assert front.error_y.array[3] == pytest.approx(3)
    assert front.error_y.array[1] != front.error_y.array[1]  # none is known


def test_nothing_known_changes_nothing() -> None:
    plain = front_figure(ROWS, MACS, ACCURACY)
    assert plain.to_json() == front_figure(ROWS, MACS, ACCURACY, chance=ChanceMarks()).to_json()
