"""How sure a front is, drawn on it: members as large as they are sure, the sure steps as a broad line, whiskers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core import words
from core.library.chance import FrontChance
from core.library.correct import accuracy_interval
from core.plots import style
from core.records import Objective

SMALLEST, LARGEST = 5.0, 15.0
"""Diameters of members that are never, and always, on the front of a resample."""
# Between the front's blue and sky: seen on paper and on the dark page.
_BAND = "rgba(46, 144, 207, 0.45)"
SURE_STEPS = "sure steps"


@dataclass(frozen=True)
class ChanceMarks:
    """What is known of the members of a front.

    Attributes:
        share: arch_id -> share of the resamples in which it is on the front; members not named are drawn as usual.
        steps: arch_ids of the credible front, from the cheapest to the dearest.
        whiskers: arch_id -> interval of the vertical objective, in its stored unit; empty for none.
    """

    share: Mapping[str, float] = field(default_factory=dict)
    steps: Sequence[str] = ()
    whiskers: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def marks(chance: FrontChance | None, values: Mapping[str, float], n: int | None) -> ChanceMarks | None:
    """What is drawn of what is known; None for nothing.

    Args:
        chance: of the front, None where it is not known.
        values: member -> its accuracy, where whiskers are asked for; empty for none.
        n: samples behind these accuracies, None where they are no shares.
    """
    whiskers = {}
    for arch_id, value in values.items():
        if n is not None:
            ends = accuracy_interval(value, n)
            whiskers[arch_id] = (ends.low, ends.high)
    if chance is None:
        return ChanceMarks(whiskers=whiskers) if whiskers else None
    return ChanceMarks(share=chance.share, steps=chance.steps, whiskers=whiskers)


def add_sure_steps(
    figure: go.Figure, front: pd.DataFrame, marks: ChanceMarks, x: Objective, y: Objective
) -> None:
    """The credible front as a broad step line; call it before the members are drawn, so that it lies below them."""
    rows = front[front["arch_id"].isin(set(marks.steps))].sort_values([x.name, y.name])
    if len(rows) < 2:
        return
    # To the end of the front: the last step is what all dearer members are not told apart from.
    across = [*rows[x.name], front[x.name].min() if x.maximize else front[x.name].max()]
    up = [*rows[y.name], rows[y.name].iloc[-1]]
    if x.maximize:
        across, up = [across[-1], *across[:-1]], [rows[y.name].iloc[0], *up[:-1]]
    figure.add_scatter(
        name=SURE_STEPS,
        x=[float(value) * style.scale(x).factor for value in across],
        y=[float(value) * style.scale(y).factor for value in up],
        mode="lines",
        line={"color": _BAND, "width": 9, "shape": "vh" if x.maximize else "hv"},
        hoverinfo="skip",
    )


def dress_members(trace: go.Scatter, front: pd.DataFrame, marks: ChanceMarks, y: Objective) -> None:
    """Sizes, whiskers and hover texts of the members; `front` in the order of the trace's points."""
    ids = front["arch_id"].tolist()
    if marks.share:
        known = [marks.share.get(arch_id) for arch_id in ids]
        trace.marker.size = [_size(share) for share in known]
        trace.text = ["" if share is None else _told(share) for share in known]
        first, _, rest = trace.hovertemplate.partition("<extra>")
        trace.hovertemplate = f"{first}%{{text}}<extra>{rest}"
    if marks.whiskers:
        factor, values = style.scale(y).factor, front[y.name].to_numpy(float)
        ends = np.array([marks.whiskers.get(arch_id, (np.nan, np.nan)) for arch_id in ids]).reshape(-1, 2)
        trace.error_y = {
            "type": "data",
            "symmetric": False,
            "array": ((ends[:, 1] - values) * factor).tolist(),
            "arrayminus": ((values - ends[:, 0]) * factor).tolist(),
            "thickness": 1,
            "width": 3,
        }


def _size(share: float | None) -> float:
    # Area, not diameter, is what the eye compares.
    return 8.0 if share is None else float(np.sqrt(SMALLEST**2 + share * (LARGEST**2 - SMALLEST**2)))


def _told(share: float) -> str:
    return f"<br>on the front in {words.format_share(share)} of resamples"
