"""The swarm: how much each choice matters to each member of a set of equally good subnets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.plots.names import for_figure

_DOT = 0.012
_STEP = 0.11


def beeswarm(
    x: NDArray[np.float64], *, width: float = _DOT, step: float = _STEP, most: float = 0.42
) -> NDArray[np.float64]:
    """Offsets across the axis so that dots of equal diameter do not overlap; no chance is involved.

    Args:
        x: (n,) positions along the axis.
        width: diameter of a dot, as a share of the range of x.
        step: diameter of a dot across the axis.
        most: largest offset; dots that find no room within it share the edge.

    Returns:
        (n,) offsets, the same for the same positions.
    """
    offsets = np.zeros(len(x))
    if not len(x):
        return offsets
    reach = width * max(float(np.ptp(x)), 1e-12)
    candidates = [0.0]
    for k in range(1, int(most / step) + 1):
        candidates += [k * step, -k * step]
    placed: list[int] = []
    for i in np.argsort(x, kind="stable"):
        near = {round(float(offsets[j]) / step) for j in placed if abs(x[j] - x[i]) < reach}
        free = [c for c in candidates if round(c / step) not in near]
        offsets[i] = free[0] if free else candidates[-1]
        placed = [j for j in placed if abs(x[j] - x[i]) < reach] + [int(i)]
    return offsets


def swarm_figure(
    choices: Sequence[str], importance: NDArray[np.float64], accuracy: NDArray[np.float64], ids: Sequence[str]
) -> go.Figure:
    """One dot per member and choice; the first member is the reference and drawn as a star.

    Args:
        choices: names, drawn from top to bottom by falling mean importance.
        importance: (members, choices) fall of the accuracy, fractions; NaN is left out.
        accuracy: (members,) fractions, for the color.
        ids: arch_ids, the customdata.

    Returns:
        A trace of dots and one of stars; the x axis is in points of accuracy.
    """
    order = sorted(
        range(len(choices)),
        key=lambda c: (
            np.nan_to_num(np.nanmean(importance[:, c])) if np.isfinite(importance[:, c]).any() else -1.0
        ),
    )
    dots: dict[str, list] = {"x": [], "y": [], "color": [], "id": [], "text": []}
    stars: dict[str, list] = {"x": [], "y": [], "id": [], "text": []}
    for row, choice in enumerate(order):
        shown = np.flatnonzero(np.isfinite(importance[:, choice]))
        x = importance[shown, choice] * 100
        offsets = beeswarm(x)
        for member, at, offset in zip(shown.tolist(), x, offsets, strict=True):
            text = f"{for_figure(choices[choice])} of {for_figure(ids[member])}<br>{at:+.2f} points if it changed<br>accuracy {accuracy[member]:.2%}"
            target = stars if member == 0 else dots
            target["x"].append(float(at))
            target["y"].append(row + float(offset))
            target["id"].append([ids[member]])
            target["text"].append(text)
            if member:
                dots["color"].append(float(accuracy[member]) * 100)
    figure = go.Figure()
    figure.add_scatter(
        x=dots["x"], y=dots["y"], mode="markers", name="members", customdata=dots["id"], hovertext=dots["text"],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"size": 6, "color": dots["color"], "colorscale": "Cividis", "opacity": 0.85,
                "colorbar": {"title": {"text": "accuracy (%)", "side": "right"}, "thickness": 12, "outlinewidth": 0}},
        unselected={"marker": {"opacity": 0.5}},
    )  # fmt: skip
    figure.add_scatter(
        x=stars["x"], y=stars["y"], mode="markers", name="the best", customdata=stars["id"], hovertext=stars["text"],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"size": 13, "symbol": "star", "color": style.SELECTED, "line": {"width": 1, "color": "#ffffff"}},
    )  # fmt: skip
    figure.add_vline(0, line={"color": style.DOMINATED, "dash": "dot", "width": 1.5})
    figure.update_layout(
        height=130 + 34 * len(choices), margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": 1.08, "x": 0}, hovermode="closest",
    )  # fmt: skip
    figure.update_xaxes(
        title={"text": "Accuracy lost if this choice took another option (points, mean over the options)"}
    )
    figure.update_yaxes(
        tickvals=list(range(len(order))), ticktext=[for_figure(choices[c]) for c in order], zeroline=False,
        range=[-0.6, len(order) - 0.4],
    )  # fmt: skip
    return figure
