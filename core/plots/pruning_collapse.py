"""Neural collapse and accuracy along sparsity: a line per pruning method, a dashed line for the parent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from core.over_seeds import Band
from core.plots import style
from core.plots.experiments import COLORS, empty_figure, gaps
from core.plots.over_seeds import pale
from core.text import for_figure
from core.words import format_tick

PANELS = {
    "nc1": "NC1: spread within classes (log)",
    "nc2_angle": "NC2: distance from equal angles",
    "nc3": "NC3: classifier against class means",
    "nc4": "NC4: other than nearest mean (%)",
}
_FACTORS = {"nc4": 100.0}
_LOG = frozenset({"nc1"})


def collapse_by_sparsity(
    methods: Sequence[str],
    sparsities: Sequence[float],
    values: Mapping[str, NDArray[np.float64]],
    parent: Mapping[str, float],
    *,
    ids: Sequence[Sequence[str | None]] | None = None,
    bands: Mapping[str, Sequence[Band]] | None = None,
) -> go.Figure:
    """A panel per measure of collapse, two beside each other; less is more collapsed in all of them.

    Args:
        methods: names.
        sparsities: shares of removed weights, ascending; equally spaced on the axis.
        values: measure (a key of `PANELS`, or any name) -> (methods, sparsities); NaN leaves a gap.
        parent: measure -> the parent's value.
        ids: (methods, sparsities) model ids, the customdata; without them "method|sparsity".
        bands: measure -> a band per method, where `values` are means over seeds.

    Returns:
        One trace per measure and method, its band before it; the parent's lines are shapes.
    """
    if not len(methods) or not len(sparsities) or not values:
        return empty_figure("No pruned network has been measured yet.", 560)
    keys = list(values)
    rows = math.ceil(len(keys) / 2)
    figure = make_subplots(
        rows=rows,
        cols=2,
        subplot_titles=[PANELS.get(k, for_figure(k)) for k in keys],
        vertical_spacing=0.2 / rows + 0.04,
        horizontal_spacing=0.09,
    )
    figure.update_annotations(font={"size": 13})
    for index, key in enumerate(keys):
        place = {"row": index // 2 + 1, "col": index % 2 + 1}
        factor, log = _FACTORS.get(key, 1.0), key in _LOG
        for k in range(len(methods)):
            drawn = np.asarray(values[key][k], float) * factor
            # A logarithm has no place for zero.
            y = gaps(np.where(drawn > 0, drawn, math.nan) if log else drawn)
            of_seeds = bands[key][k] if bands else None
            trace = _line(methods, sparsities, k, y, ids, of_seeds=of_seeds, factor=factor)
            if of_seeds is not None:
                _add_band(figure, of_seeds, k, factor=factor, log=log, **place)
            figure.add_scatter(**trace | {"showlegend": index == 0}, **place)
        level = parent.get(key, math.nan) * factor
        if math.isfinite(level) and (level > 0 or not log):
            _parent(figure, level, log=log, **place)
        figure.update_yaxes(
            type="log" if log else "linear",
            rangemode="normal" if log else "tozero",
            dtick="D2" if log else None,
            **place,
        )
        if log:
            figure.update_yaxes(tickformat="~g", nticks=7, **place)
    _sparsity_axes(figure, sparsities)
    figure.update_xaxes(title={"text": "Sparsity"}, row=rows)
    figure.update_layout(
        height=290 * rows + 40,
        margin={"l": 10, "r": 10, "t": 24, "b": 10},
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1 + 0.13 / rows, "yanchor": "bottom"},
    )
    return figure


def accuracy_curves(
    methods: Sequence[str],
    sparsities: Sequence[float],
    zero_shot: NDArray[np.float64],
    tuned: NDArray[np.float64],
    parent: float,
    *,
    ids: Sequence[Sequence[str | None]] | None = None,
    selected: str | None = None,
    bands: Sequence[Band] | None = None,
) -> go.Figure:
    """Accuracy after fine-tuning (solid) and straight after pruning (dotted), by sparsity.

    Args:
        methods: names.
        sparsities: shares of removed weights, ascending; equally spaced on the axis.
        zero_shot, tuned: (methods, sparsities) accuracies as fractions; NaN leaves a gap.
        parent: the parent's accuracy, a dashed line.
        ids: (methods, sparsities) model ids, the customdata of both lines; without them "method|sparsity".
        selected: model id that is ringed.
        bands: of the fine-tuned accuracies, one per method, where these are means over seeds.

    Returns:
        Two traces per method (dotted, then solid) and a band before them where there is one, two keys, and last
        the ring.
    """
    if not len(methods) or not len(sparsities):
        return empty_figure("No network has been pruned yet.", 460)
    figure = go.Figure()
    for k in range(len(methods)):
        of_seeds = bands[k] if bands else None
        if of_seeds is not None:
            _add_band(figure, of_seeds, k, factor=100.0)
        dotted = _line(
            methods,
            sparsities,
            k,
            gaps(np.asarray(zero_shot[k], float) * 100),
            ids,
            " straight after pruning",
        )
        dotted["line"] |= {"dash": "dot", "width": 1.5}
        dotted["marker"] |= {"size": 5}
        figure.add_scatter(**dotted, showlegend=False)
        solid = gaps(np.asarray(tuned[k], float) * 100)
        figure.add_scatter(
            **_line(methods, sparsities, k, solid, ids, " fine-tuned", of_seeds=of_seeds, factor=100.0)
        )
    for name, dash in (("<i>fine-tuned</i>", "solid"), ("<i>straight after pruning</i>", "dot")):
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            name=name,
            line={"color": style.DOMINATED, "dash": dash, "width": 2},
            hoverinfo="skip",
        )
    figure.add_scatter(
        **_ring(sparsities, zero_shot, tuned, ids, selected),
        mode="markers",
        name="selected",
        hoverinfo="skip",
        showlegend=False,
        marker={"size": 18, "symbol": "circle-open", "color": style.SELECTED, "line": {"width": 2.5}},
        unselected={"marker": {"opacity": 1}},
    )
    if math.isfinite(parent):
        _parent(figure, parent * 100)
    _sparsity_axes(figure, sparsities)
    figure.update_xaxes(title={"text": "Sparsity (removed weights)"})
    figure.update_yaxes(title={"text": "Accuracy (%)"}, ticksuffix=" %")
    figure.update_layout(
        height=460,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def _line(
    methods: Sequence[str],
    sparsities: Sequence[float],
    k: int,
    y: list[float | None],
    ids: Sequence[Sequence[str | None]] | None,
    what: str = "",
    *,
    of_seeds: Band | None = None,
    factor: float = 1.0,
) -> dict:
    name, color = for_figure(methods[k]), COLORS[k % 12]
    spreads = (
        [""] * len(sparsities)
        if of_seeds is None
        else [_spread(of_seeds, i, factor) for i in range(len(sparsities))]
    )
    own = ids[k] if ids is not None else [f"{methods[k]}|{s:g}" for s in sparsities]
    return {
        "x": list(range(len(sparsities))),
        "y": y,
        "mode": "lines+markers",
        "name": name,
        "legendgroup": str(k),
        "customdata": [[i or ""] for i in own],
        "hovertext": [f"{name}{what}<br>sparsity {format_tick(s)}" for s in sparsities],
        "text": spreads,
        "hovertemplate": "%{hovertext}<br><b>%{y:.4g}</b>%{text}<extra></extra>",
        "line": {"color": color, "width": 2},
        "marker": {"symbol": style.SYMBOLS[(k // 12 + k) % 6], "size": 8, "color": color},
        "selected": {"marker": {"size": 12}},
        "unselected": {"marker": {"opacity": 0.6}},
    }


def _spread(found: Band, place: int, factor: float) -> str:
    """What is said below the mean of several seeds."""
    low, high = found.low[place] * factor, found.high[place] * factor
    if not math.isfinite(low):
        return " (n = 1)" if found.n == 1 else ""
    return f" (mean)<br>{found.band} over {found.n} seeds: {low:.4g} to {high:.4g}"


def _add_band(
    figure: go.Figure, found: Band, k: int, *, factor: float = 1.0, log: bool = False, **place: int
) -> None:
    """The band of a method around its line; nothing where there is one seed."""
    low, high = found.low * factor, found.high * factor
    # A logarithm has no place for what is below zero.
    low = np.where(low > 0, low, found.mean * factor) if log else low
    known = [i for i in range(len(low)) if math.isfinite(low[i]) and math.isfinite(high[i])]
    if not known:
        return
    figure.add_scatter(
        x=known + known[::-1],
        y=[float(low[i]) for i in known] + [float(high[i]) for i in known[::-1]],
        mode="lines",
        fill="toself",
        fillcolor=pale(COLORS[k % 12]),
        line={"width": 0},
        name="band",
        legendgroup=str(k),
        showlegend=False,
        hoverinfo="skip",
        **place,
    )


def _ring(
    sparsities: Sequence[float],
    zero_shot: NDArray[np.float64],
    tuned: NDArray[np.float64],
    ids: Sequence[Sequence[str | None]] | None,
    selected: str | None,
) -> dict[str, list[float | None]]:
    """Around the selected network's accuracies: fine-tuned where it was fine-tuned, otherwise as pruned."""
    found = [
        (k, s)
        for k, row in enumerate(ids or [])
        for s in range(len(sparsities))
        if selected and row[s] == selected
    ]
    best = np.where(np.isfinite(tuned), tuned, zero_shot) * 100
    return {"x": [float(s) for _, s in found], "y": gaps([best[k, s] for k, s in found])}


def _parent(figure: go.Figure, level: float, *, log: bool = False, row: int = 1, col: int = 1) -> None:
    number = 1 + 2 * (row - 1) + (col - 1)
    x, y = (axis if number == 1 else f"{axis}{number}" for axis in "xy")
    figure.add_shape(
        type="line",
        xref=f"{x} domain",
        x0=0,
        x1=1,
        yref=y,
        y0=level,
        y1=level,
        line={"color": style.DOMINATED, "dash": "dash", "width": 1.5},
    )
    # On a logarithmic axis a shape stands at a value, but a text at its logarithm.
    figure.add_annotation(
        text="parent",
        xref=f"{x} domain",
        x=1,
        xanchor="right",
        yref=y,
        y=math.log10(level) if log else level,
        yanchor="bottom",
        showarrow=False,
        font={"size": 11},
    )


def _sparsity_axes(figure: go.Figure, sparsities: Sequence[float]) -> None:
    """Equal steps: sparsities crowd towards 100 %, where the interesting ones are."""
    figure.update_xaxes(
        tickvals=list(range(len(sparsities))),
        ticktext=[format_tick(s) for s in sparsities],
        zeroline=False,
        range=[-0.3, len(sparsities) - 0.7],
    )
    figure.update_yaxes(zeroline=False, automargin=True)
