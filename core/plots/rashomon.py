"""The swarm: how much each choice matters to each member of a set of equally good subnets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.text import for_figure

_DOT = 0.012
_STEP, _MOST = 0.11, 0.42


def beeswarm(
    x: NDArray[np.float64], *, reach: float, step: float = _STEP, most: float = _MOST
) -> NDArray[np.float64]:
    """Offsets across the axis so that no dot hides another; no chance is involved.

    From left to right each dot takes the free lane nearest to the middle. Where there are too many for the room,
    all lanes of the row move closer together.

    Args:
        x: (n,) positions along the axis.
        reach: dots at most this far apart along the axis must not share a lane.
        step: distance of lanes.
        most: largest offset.

    Returns:
        (n,) offsets, the same for the same positions.
    """
    lanes = np.zeros(len(x), dtype=np.int64)
    placed: list[int] = []
    for i in np.argsort(x, kind="stable"):
        placed = [j for j in placed if x[i] - x[j] <= reach]
        taken = {int(lanes[j]) for j in placed}
        lanes[i] = next(k for k in _outwards(len(placed)) if k not in taken)
        placed.append(int(i))
    widest = int(np.abs(lanes).max(initial=1))
    return np.asarray(lanes * min(step, most / widest))


def _outwards(n: int) -> Iterator[int]:
    """0, 1, -1, 2, -2, ...: enough lanes for one more dot than n."""
    yield 0
    for k in range(1, n + 1):
        yield k
        yield -k


def swarm_figure(
    choices: Sequence[str], importance: NDArray[np.float64], accuracy: NDArray[np.float64], ids: Sequence[str]
) -> go.Figure:
    """One dot per member and choice; the first member is the reference and drawn as a star.

    Args:
        choices: names, from top to bottom by falling mean importance; those without a number are left out.
        importance: (members, choices) fall of the accuracy, fractions; NaN is left out.
        accuracy: (members,) fractions, for the color.
        ids: arch_ids, the customdata.

    Returns:
        A trace of dots and one of stars; the x axis is in points of accuracy.
    """
    shown = [c for c in range(len(choices)) if np.isfinite(importance[:, c]).any()]
    order = sorted(shown, key=lambda c: float(np.nanmean(importance[:, c])))
    finite = importance[np.isfinite(importance)] * 100
    reach = _DOT * float(np.ptp(finite)) if len(finite) else 0.0
    dots: dict[str, list] = {"x": [], "y": [], "color": [], "id": [], "text": []}
    stars: dict[str, list] = {"x": [], "y": [], "id": [], "text": []}
    for row, choice in enumerate(order):
        having = np.flatnonzero(np.isfinite(importance[:, choice]))
        x = importance[having, choice] * 100
        offsets = beeswarm(x, reach=reach)
        for member, at, offset in zip(having.tolist(), x, offsets, strict=True):
            text = f"{for_figure(choices[choice])} of {for_figure(ids[member])}<br>{at:+.2f} points if it changed<br>accuracy {100 * accuracy[member]:.2f} %"
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
                # The outline keeps the darkest dots visible on a dark page.
                "line": {"width": 0.7, "color": style.DOMINATED},
                "colorbar": {"title": {"text": "accuracy (%)", "side": "right"}, "thickness": 12, "outlinewidth": 0}},
        unselected={"marker": {"opacity": 0.5}},
    )  # fmt: skip
    figure.add_scatter(
        x=stars["x"], y=stars["y"], mode="markers", name="the best", customdata=stars["id"], hovertext=stars["text"],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"size": 13, "symbol": "star", "color": style.SELECTED, "line": {"width": 1, "color": style.DOMINATED}},
    )  # fmt: skip
    figure.add_vline(0, line={"color": style.DOMINATED, "dash": "dot", "width": 1.5})
    figure.update_layout(
        height=130 + 34 * len(order), margin={"l": 10, "r": 10, "t": 10, "b": 10},
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
