"""A front as a small picture: static SVG within the page, without a script and without a request."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence

from core.plots.style import DOMINATED, FRONT
from core.views.gallery import Point, Thumbnail

_WIDTH, _HEIGHT, _EDGE = 240.0, 110.0, 7.0
_WIDE = 20.0
"""Costs that span more than this factor are drawn on a logarithmic scale."""


def thumbnail_html(thumbnail: Thumbnail) -> str:
    """The picture as an image for `st.html`, which lets no SVG element through; as wide as its place."""
    data = base64.b64encode(thumbnail_svg(thumbnail).encode()).decode()
    words = html.escape(thumbnail.words, quote=True)
    return f'<img class="ps-thumbnail" src="data:image/svg+xml;base64,{data}" alt="{words}">'


def thumbnail_svg(thumbnail: Thumbnail) -> str:
    """The picture as SVG text."""
    points = [*thumbnail.cloud, *thumbnail.front]
    costs = [cost for cost, _ in points]
    logarithmic = min(costs) > 0 and max(costs) > _WIDE * min(costs)
    across = _scale([math.log(c) if logarithmic else c for c in costs], _EDGE, _WIDTH - _EDGE)
    up = _scale([quality for _, quality in points], _HEIGHT - _EDGE, _EDGE)
    places = list(zip(across, up, strict=True))
    cloud, front = places[: len(thumbnail.cloud)], places[len(thumbnail.cloud) :]
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in cloud)
    members = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in front)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" fill="none" '
        f'stroke-linecap="round"><path d="{dots}" stroke="{DOMINATED}" stroke-opacity="0.5" stroke-width="3"/>'
        f'<path d="{_steps(front)}" stroke="{FRONT}" stroke-width="1.4"/>'
        f'<path d="{members}" stroke="{FRONT}" stroke-width="4.5"/></svg>'
    )


def _scale(values: Sequence[float], first: float, last: float) -> list[float]:
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    return [first + (value - low) / spread * (last - first) for value in values]


def _steps(front: Sequence[Point]) -> str:
    """A staircase: up to the next member's cost nothing better is to be had."""
    if not front:
        return ""
    (x, y), *others = front
    return f"M{x:.1f} {y:.1f}" + "".join(f"H{right:.1f}V{level:.1f}" for right, level in others)
