"""A network as an inline SVG: stages from left to right, as tall as they have channels, the supernet in outline."""

from __future__ import annotations

import html
from collections.abc import Sequence

from core.plots.diagram import contribution_rows
from core.reports.document import Drawing, Table
from core.supernets.stage_cost import StageCost
from core.text import display_name

_FILLS = {"stem": "#56B4E9", "head": "#009E73", "block": "#0072B2", "attention": "#CC79A7", "cell": "#E69F00"}
_STEP, _BAR, _TALL, _TOP = 62, 40, 90, 18


def network_drawing(
    stages: Sequence[StageCost], whole: Sequence[StageCost], *, title: str, caption: str
) -> Drawing:
    """The drawing of one network's stages.

    Args:
        stages: of the network, in order.
        whole: of the largest subnet, drawn in outline behind; matched by label.
        title: the network's name.
        caption: below it.
    """
    frames = list(whole) or list(stages)
    known = {row.label for row in frames}
    frames += [row for row in stages if row.label not in known]
    own = {row.label: row for row in stages}
    tallest = max(max(row.channels, 1) ** 0.5 for row in frames)
    parts = []
    for index, row in enumerate(frames):
        left = index * _STEP + (_STEP - _BAR) // 2
        parts.append(_box(left, row, tallest, 'fill="none" stroke="currentColor" stroke-dasharray="2 3"'))
        if mine := own.get(row.label):
            parts.append(_box(left, mine, tallest, f'fill="{_FILLS.get(mine.kind, _FILLS["block"])}"'))
            parts.append(_text(left + _BAR // 2, 12, str(mine.channels), 12))
            parts.append(_text(left + _BAR // 2, _TOP + _TALL + 14, mine.detail, 11))
        parts.append(_text(left + _BAR // 2, _TOP + _TALL + 28, row.label, 10))
    width, height = len(frames) * _STEP, _TOP + _TALL + 36
    svg = (
        f'<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" '
        f'font-family="system-ui, sans-serif">{"".join(parts)}</svg>'
    )
    alt = f"{display_name(title)}: {len(stages)} stages; channels: " + ", ".join(
        f"{display_name(row.label)} {row.channels}" for row in stages
    )
    rows = [tuple(row.values()) for row in contribution_rows(stages)]
    columns = tuple(contribution_rows(stages)[0]) if stages else ("stage",)
    twin = Table(f"Stages of {title}", columns, rows, frozenset({1, 4, 5}))
    return Drawing(svg, alt, caption, twin)


def _box(left: int, row: StageCost, tallest: float, paint: str) -> str:
    height = round(_TALL * max(row.channels, 1) ** 0.5 / tallest, 1)
    return f'<rect x="{left}" y="{round(_TOP + (_TALL - height) / 2, 1)}" width="{_BAR}" height="{height}" {paint}/>'


def _text(x: float, y: float, text: str, size: int) -> str:
    shown = html.escape(display_name(text, 14))
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle" fill="currentColor">{shown}</text>'
