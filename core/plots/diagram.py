"""A subnet as a drawing: stages from left to right, as tall as they have channels.

The largest subnet stands behind it in outline, so that one sees what was left out: a narrower
stage leaves room above and below, a skipped block leaves its frame empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core import words
from core.plots import style
from core.supernets.stage_cost import StageCost
from core.text import for_figure

_COLORS = (style.CATEGORICAL[k] for k in (0, 2, 3, 4, 5))
_FILLS = dict(zip(("block", "head", "attention", "cell", "stem"), _COLORS, strict=True))
_FRAME = "rgba(128,134,146,0.75)"
_MANY = 14
"""Stages beside each other above which texts are set narrower, on a card of some 290 pixels."""
_CARD, _LETTER = 290, 5.5


def diagram_figure(
    stages: Sequence[StageCost], whole: Sequence[StageCost] = (), *, title: str = ""
) -> go.Figure:
    """The drawing of `diagram_parts` as a figure, checked by plotly."""
    return go.Figure(diagram_parts(stages, whole, title=title))


def diagram_parts(
    stages: Sequence[StageCost], whole: Sequence[StageCost] = (), *, title: str = ""
) -> dict[str, Any]:
    """Draw the stages of one subnet, with the supernet's outline behind.

    Args:
        stages: of the subnet, in order.
        whole: the same of the largest subnet; places and frames come from it. Stages are matched by
            label. May be empty.
        title: one line above.

    Returns:
        A figure's `data` and `layout`: one bar trace "subnet" (a bar per stage, its numbers on hover) over
        dashed frames; the kernel is written under each stage, the resolution where it changes, the channels above.
    """
    frames = _joined(whole, stages)
    place = {row.label: index for index, row in enumerate(frames)}
    tallest = max((_height(row) for row in [*frames, *stages]), default=1.0)
    bars = {
        "type": "bar",
        "name": "subnet",
        "x": [place[row.label] for row in stages],
        "y": [_height(row) / tallest for row in stages],
        "base": [-_height(row) / tallest / 2 for row in stages],
        "width": 0.72,
        "marker": {"color": [_fill(row) for row in stages], "line": {"width": 0}},
        "customdata": [_hover(row) for row in stages],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    axis = {"visible": False, "fixedrange": True}
    layout = {
        "shapes": [_frame(row, place[row.label], tallest) for row in frames] + _brackets(frames, place),
        "annotations": [*_texts(stages, place), *_group_names(frames, place)],
        "xaxis": {**axis, "range": [-0.6, max(len(frames) - 0.4, 0.6)]},
        "yaxis": {**axis, "range": [-1.12, 0.72]},
        "height": 226,
        "margin": {"l": 4, "r": 4, "t": 26 if title else 4, "b": 4},
        "showlegend": False,
        "bargap": 0,
        "hovermode": "closest",
        "dragmode": False,
    }
    if title:
        layout["title"] = {"text": for_figure(title), "font": {"size": 13}}
    return {"data": [bars], "layout": layout}


def _joined(whole: Sequence[StageCost], stages: Sequence[StageCost]) -> list[StageCost]:
    """The largest subnet's stages, and those that it lacks where they stand: before what follows them."""
    frames, at = list(whole), len(whole)
    place = {row.label: index for index, row in enumerate(frames)}
    for row in reversed(stages):
        if row.label in place:
            at = place[row.label]
        else:
            # Only what comes later moves, and that has been looked at.
            frames.insert(at, row)
    return frames


def _frame(row: StageCost, at: int, tallest: float) -> dict[str, Any]:
    half = _height(row) / tallest / 2
    line = {"color": _FRAME, "width": 1.2, "dash": "dot"}
    corners = {"x0": at - 0.36, "x1": at + 0.36, "y0": -half, "y1": half}
    return {"type": "rect", **corners, "layer": "below", "line": line}


def _height(row: StageCost) -> float:
    # Square root: a stage with four times the channels still lets the small ones be seen.
    return float(max(row.channels, 1)) ** 0.5


def _fill(row: StageCost) -> str:
    return _FILLS.get(row.kind, _FILLS["block"])


def _resolution(row: StageCost) -> str:
    shape = row.output_shape
    return "×".join(str(v) for v in shape[1:]) if len(shape) > 1 else ""


def _hover(row: StageCost) -> str:
    shape = "×".join(str(side) for side in row.output_shape)
    parts = [
        f"<b>{for_figure(row.label)}</b>",
        f"output {shape}",
        f"{row.macs:,} MACs",
        f"{row.params:,} parameters",
    ]
    if row.detail:
        parts.insert(1, for_figure(_detail(row)))
    return "<br>".join(parts)


def _detail(row: StageCost) -> str:
    detail = row.detail
    return f"kernel {detail[1:]}×{detail[1:]}" if detail[:1] == "k" and detail[1:].isdigit() else detail


def _text(x: float, y: float, text: str, anchor: str, size: int) -> dict[str, Any]:
    return {"x": x, "y": y, "text": text, "showarrow": False, "yanchor": anchor, "font": {"size": size}}


def _texts(stages: Sequence[StageCost], place: Mapping[str, int]) -> list[dict[str, Any]]:
    found, before, many = [], "", len(place) > _MANY
    room = _CARD / max(len(place), 1) / _LETTER
    for row in stages:
        at = place[row.label]
        short, size = for_figure(row.detail), _resolution(row)
        if len(short) > room:
            short = short.replace(" ", "<br>")
        # A size is written where it changes: "14×14" is wider than a stage on a narrow card.
        changed = size if size != before else ""
        under = (
            _narrow(for_figure(row.detail), changed)
            if many
            else "<br>".join(part for part in (short, changed) if part)
        )
        under = under or ("" if size else for_figure(row.kind))
        before = size
        found += [
            _text(at, 0.53, str(row.channels), "bottom", 9 if many else 11),
            _text(at, -0.54, under, "top", 8 if many else 10),
        ]
    return found


def _narrow(detail: str, size: str) -> str:
    """A word to a line, sizes on the third, where they have their neighbors' room."""
    words = detail.split()[:2]
    if not size:
        return "<br>".join(words)
    return "<br>".join([*words, *[""] * (2 - len(words)), size])


def _groups(frames: Sequence[StageCost], place: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Where each group of stages begins and ends."""
    groups: dict[str, list[int]] = {}
    for row in frames:
        groups.setdefault(row.group, []).append(place[row.label])
    return {group: (min(spots), max(spots)) for group, spots in groups.items()}


def _brackets(frames: Sequence[StageCost], place: Mapping[str, int]) -> list[dict[str, Any]]:
    line = {"color": _FRAME, "width": 1.2}
    return [
        {"type": "line", "x0": first - 0.36, "x1": last + 0.36, "y0": -0.92, "y1": -0.92, "line": line}
        for first, last in _groups(frames, place).values()
    ]


def _group_names(frames: Sequence[StageCost], place: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        _text((first + last) / 2, -0.93, for_figure(group), "top", 10)
        for group, (first, last) in _groups(frames, place).items()
        if len(frames) <= _MANY or len(group) * _LETTER <= (last - first + 1) * _CARD / len(frames)
    ]


def contribution_rows(stages: Sequence[StageCost]) -> list[dict[str, str]]:
    """The diagram's twin for readers of tables: one row of formatted texts per stage."""
    return [
        {
            "stage": row.label,
            "channels": str(row.channels),
            "detail": _detail(row),
            "output": "×".join(str(side) for side in row.output_shape),
            "MACs": words.format_count(row.macs),
            "parameters": words.format_count(row.params),
        }
        for row in stages
    ]
