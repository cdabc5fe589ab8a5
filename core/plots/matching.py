"""Figures of unit matching: the correlation matrix, the sorted match, the sparse path, the groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import room, style
from core.plots.axes import CLICKED

_DIVERGING, _ALIKE = "RdBu", "Cividis"
_MOST_WRITTEN = 12
"""Larger matrices are read by color and by pointing."""


def unit_matrix(
    values: NDArray[np.float64], units_a: Sequence[int], units_b: Sequence[int], *, title: str = ""
) -> go.Figure:
    """Correlation of every unit of A (rows) with every unit of B (columns), in the order given.

    Args:
        values: (rows, columns) correlations.
        units_a, units_b: unit numbers of rows and columns.
        title: text above, "" for none.

    Returns:
        The heatmap, and over it squares that answer clicks; customdata "u3-17" is unit 3 of A, 17 of B.
    """
    rows, columns = values.shape
    figure = go.Figure()
    figure.add_heatmap(
        z=values,
        zmin=-1,
        zmax=1,
        colorscale=_DIVERGING,
        reversescale=True,
        hoverinfo="skip",
        xgap=0.5,
        ygap=0.5,
        colorbar={"title": {"text": "correlation", "side": "right"}, "thickness": 12, "outlinewidth": 0},
        name="correlations",
    )
    places = [(i, j) for i in range(rows) for j in range(columns)]
    figure.add_scatter(
        x=[j for _, j in places],
        y=[i for i, _ in places],
        mode="markers",
        name="pairs of units",
        customdata=[[f"u{units_a[i]}-{units_b[j]}"] for i, j in places],
        hovertext=[
            f"A unit {units_a[i]}, B unit {units_b[j]}<br>correlation <b>{values[i, j]:.2f}</b>"
            for i, j in places
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "symbol": "square-open",
            "size": max(6, min(24, 320 // max(rows, columns))),
            "color": style.SELECTED,
            "line": {"width": 2},
            "opacity": 0,
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0}},
    )
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    every = -(-max(rows, columns) // 16)
    figure.update_xaxes(
        axis,
        title={"text": "Units of B"},
        tickvals=list(range(0, columns, every)),
        tickangle=0,
        ticktext=[str(units_b[j]) for j in range(0, columns, every)],
        range=[-0.5, columns - 0.5],
    )
    figure.update_yaxes(
        axis,
        title={"text": "Units of A"},
        tickvals=list(range(0, rows, every)),
        ticktext=[str(units_a[i]) for i in range(0, rows, every)],
        range=[rows - 0.5, -0.5],
    )
    left = room.left_of([str(unit) for unit in units_a])
    figure.update_layout(
        height=430,
        margin={"l": left, "r": 82, "t": 30 if title else 10, "b": room.BELOW},
        hovermode="closest",
        showlegend=False,
        **CLICKED,
        title={"text": title, "font": {"size": 13}} if title else None,
    )
    return figure


def head_matrix(values: NDArray[np.float64], heads_a: Sequence[int], heads_b: Sequence[int]) -> go.Figure:
    """CKA of every head of A (rows) with every head of B (columns), in the order given, matched pairs on the diagonal.

    Args:
        values: (rows, columns), 0 to 1.
        heads_a, heads_b: head numbers of rows and columns.
    """
    rows, columns = values.shape
    figure = go.Figure()
    figure.add_heatmap(
        z=values,
        zmin=0,
        zmax=1,
        colorscale=_ALIKE,
        xgap=2,
        ygap=2,
        text=[[f"{v:.2f}" for v in row] for row in values] if max(rows, columns) <= _MOST_WRITTEN else None,
        texttemplate="%{text}" if max(rows, columns) <= _MOST_WRITTEN else None,
        hovertext=[
            [f"A head {a}, B head {b}<br>CKA <b>{values[i, j]:.2f}</b>" for j, b in enumerate(heads_b)]
            for i, a in enumerate(heads_a)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        colorbar={"title": {"text": "CKA", "side": "right"}, "thickness": 12, "outlinewidth": 0},
        name="heads",
    )
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    figure.update_xaxes(
        axis, title={"text": "Heads of B"}, tickvals=list(range(columns)), ticktext=[str(h) for h in heads_b]
    )
    figure.update_yaxes(
        axis,
        title={"text": "Heads of A"},
        tickvals=list(range(rows)),
        ticktext=[str(h) for h in heads_a],
        range=[rows - 0.5, -0.5],
    )
    figure.update_layout(
        height=max(220, min(430, 110 + 60 * rows)),
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        showlegend=False,
        dragmode=False,
    )
    return figure


def sorted_match(one_to_one: Sequence[float], greedy: Sequence[float], chance: float) -> go.Figure:
    """Correlations of matched units, best first: one to one, with repeats, and the level of chance.

    The gap between the two lines are units whose twin is already taken.
    """
    figure = go.Figure()
    for name, values, color, dash in (
        ("best partner, repeats allowed", greedy, style.SEARCHED, "dash"),
        ("one to one", one_to_one, style.FRONT, "solid"),
    ):
        ordered = sorted((float(v) for v in values), reverse=True)
        figure.add_scatter(
            x=list(range(1, len(ordered) + 1)),
            y=ordered,
            mode="lines+markers",
            name=name,
            line={"color": color, "dash": dash, "width": 2},
            marker={"size": 5},
            hovertemplate="pair %{x}<br>correlation %{y:.2f}<extra>" + name + "</extra>",
        )
    longest = max(len(one_to_one), len(greedy), 2)
    figure.add_scatter(
        x=[1, longest],
        y=[chance, chance],
        mode="lines",
        name="mean for shuffled samples",
        line={"color": style.DOMINATED, "dash": "dot", "width": 2},
        hoverinfo="skip",
    )
    _lay_out(figure, "Units, best first", "Correlation")
    figure.update_yaxes(range=[min([-0.05, *one_to_one, *greedy]), 1.03])
    return figure


def sparse_path(nonzeros: Sequence[float], r2: Sequence[float], knee: int) -> go.Figure:
    """Mean share of variance explained against the mean number of units of A used, one point per penalty."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(nonzeros),
        y=list(r2),
        mode="lines+markers",
        name="penalties",
        line={"color": style.FRONT, "width": 2},
        hovertemplate="%{x:.1f} units used<br>R² %{y:.2f}<extra></extra>",
    )
    figure.add_scatter(
        x=[nonzeros[knee]],
        y=[r2[knee]],
        mode="markers",
        name="95 % of the best",
        marker={"symbol": "diamond", "size": 13, "color": style.KNEE},
        hovertemplate="%{x:.1f} units keep 95 % of the best R²<extra></extra>",
    )
    _lay_out(figure, "Units of A used per unit of B (mean)", "R² on held-out samples (mean)")
    figure.update_yaxes(range=[-0.02, 1.03])
    return figure


def grouped_matrix(
    values: NDArray[np.float64],
    labels_a: Sequence[int],
    labels_b: Sequence[int],
    units_a: Sequence[int],
    units_b: Sequence[int],
) -> go.Figure:
    """The matrix of |correlation| with units ordered by group, and lines between the groups."""
    rows = sorted(range(len(labels_a)), key=lambda i: (labels_a[i], i))
    columns = sorted(range(len(labels_b)), key=lambda j: (labels_b[j], j))
    figure = go.Figure()
    figure.add_heatmap(
        z=np.abs(values)[np.ix_(rows, columns)],
        zmin=0,
        zmax=1,
        colorscale="Cividis",
        name="correlations",
        customdata=[
            [
                f"A unit {units_a[i]} (group {labels_a[i] + 1}), B unit {units_b[j]} (group {labels_b[j] + 1})"
                for j in columns
            ]
            for i in rows
        ],
        hovertemplate="%{customdata}<br>|correlation| %{z:.2f}<extra></extra>",
        colorbar={"title": {"text": "|correlation|", "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    for ordered, labels, vertical in ((rows, labels_a, False), (columns, labels_b, True)):
        for at in range(1, len(ordered)):
            if labels[ordered[at]] != labels[ordered[at - 1]]:
                line = {"color": style.SELECTED, "width": 1.5}
                if vertical:
                    figure.add_vline(at - 0.5, line=line)
                else:
                    figure.add_hline(at - 0.5, line=line)
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": ""}
    figure.update_xaxes(axis, title={"text": "Units of B, by group"})
    figure.update_yaxes(axis, title={"text": "Units of A, by group"}, autorange="reversed")
    figure.update_layout(height=430, margin={"l": 10, "r": 10, "t": 10, "b": 10}, showlegend=False)
    return figure


def _lay_out(figure: go.Figure, x: str, y: str) -> None:
    figure.update_layout(
        height=430,
        margin={"l": room.left_of(["0.5"]), "r": 10, "t": 49, "b": room.BELOW},
        legend={"orientation": "h", "y": 1.12, "x": 0},
    )
    figure.update_xaxes(title={"text": x})
    figure.update_yaxes(title={"text": y})
