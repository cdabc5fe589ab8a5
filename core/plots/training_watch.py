"""Figures of a training: accuracy and learning rate by epoch, the loss of every size, and the film of the growing front."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from core.plots import style
from core.plots.axes import LAYOUT, hover, lay_out_axes, room_above
from core.records import Objective
from core.text import for_figure
from core.views.training_watch import Strip, Watched
from core.words import format_value

_COUNTED = 10
"""Epochs up to which each has its tick."""
FRAME_MS = 700
"""How long the film shows a frame; nothing moves between two."""
_BAND = "rgba(0, 158, 115, 0.18)"
_COLORS = {
    "smallest": style.CATEGORICAL[1],
    "median": style.CATEGORICAL[2],
    "random": style.CATEGORICAL[2],
    "largest": style.CATEGORICAL[0],
}
_WIDE = 20.0
_MARKED = 40
"""Epochs up to which every one has a mark."""


def accuracy_figure(found: Watched) -> go.Figure:
    """Validation accuracy of the smallest, a random and the largest subnet by epoch; the learning rate below.

    Args:
        found: of a training with an epoch or more.

    Returns:
        The band of the fixed draw (two traces), a trace per line, in percent, and "learning rate" on the second axis where
        it is known.
    """
    figure = go.Figure()
    epochs = found.epochs.tolist()
    for name, values in (("lowest", found.low), ("highest", found.high)):
        figure.add_scatter(
            name=f"{name} of the random subnets",
            x=epochs,
            y=(values * 100).tolist(),
            mode="lines",
            line={"width": 0},
            fill="tonexty" if name == "highest" else None,
            fillcolor=_BAND,
            hoverinfo="skip",
            showlegend=False,
        )
    for index, (name, values) in enumerate(found.lines.items()):
        told = {"median": "median of random subnets", "random": "random subnets, mean"}.get(name, name)
        figure.add_scatter(
            name=told,
            x=epochs,
            y=(values * 100).tolist(),
            mode="lines+markers" if len(epochs) < _MARKED else "lines",
            line={"color": _COLORS[name], "width": 2, "dash": style.DASHES[index % 4]},
            marker={"symbol": style.SYMBOLS[index % 6], "size": 6},
            hovertemplate="epoch %{x}<br>%{y:.1f} %<extra>" + told + "</extra>",
        )
    known = bool(np.isfinite(found.rate).any())
    if known:
        figure.add_scatter(
            name="learning rate",
            x=epochs,
            y=found.rate.tolist(),
            yaxis="y2",
            mode="lines",
            line={"color": style.DOMINATED, "width": 2, "shape": "hv"},
            hovertemplate="epoch %{x}<br>%{y:.3g}<extra>learning rate</extra>",
            showlegend=False,
        )
    _lay_out(figure, "Validation accuracy", len(epochs), 380 if known else 300)
    figure.update_yaxes(ticksuffix=" %")
    if known:
        figure.update_layout(
            yaxis={"domain": [0.34, 1.0]},
            yaxis2={
                "domain": [0.0, 0.2],
                "title": {"text": "Learning rate"},
                "tickformat": "~g",
                "nticks": 3,
                "rangemode": "tozero",
                "zeroline": False,
                "automargin": True,
            },
            xaxis={"anchor": "y2"},
        )
    return figure


def losses_figure(found: Watched, macs: Objective) -> go.Figure:
    """Mean loss of the drawn subnets of each size by epoch, from the cheapest class to the dearest.

    Args:
        found: of a training that says what it drew.
        macs: the objective, for the names of the classes.

    Returns:
        One trace per class; epochs in which none of it was drawn leave a gap. The hover text says how many were.
    """
    sizes, figure = found.sizes, go.Figure()
    k = len(sizes.most)
    colors = sample_colorscale("Viridis", np.linspace(0.1, 0.85, k).tolist() if k > 1 else [0.4])
    for index, most in enumerate(sizes.most.tolist()):
        figure.add_scatter(
            name=for_figure(f"up to {format_value(most, macs)} {macs.unit}"),
            x=sizes.epochs.tolist(),
            y=sizes.losses[:, index].tolist(),
            customdata=sizes.counts[:, index].tolist(),
            mode="lines+markers" if len(sizes.epochs) < _MARKED else "lines",
            line={"color": colors[index], "width": 2, "dash": style.DASHES[index % 4]},
            marker={"symbol": style.SYMBOLS[index % 6], "size": 6},
            hovertemplate="epoch %{x}<br>loss %{y:.3f}, mean of %{customdata} draws<extra>%{fullData.name}</extra>",
        )
    _lay_out(figure, "Mean loss of the drawn subnets", len(sizes.epochs), 320)
    return figure


def _lay_out(figure: go.Figure, y: str, epochs: int, height: int) -> None:
    above = room_above(figure)
    figure.update_xaxes(
        title={"text": "Epoch"},
        zeroline=False,
        automargin=True,
        tickformat="d",
        dtick=1 if epochs <= _COUNTED else None,  # half an epoch would read as a whole one
    )
    figure.update_yaxes(title={"text": y}, zeroline=False, automargin=True)
    figure.update_layout(
        height=height + above,
        margin={"l": 8, "r": 12, "t": above, "b": 8},
        # Filled traces would turn the order around.
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        hovermode="closest",
        showlegend=True,
    )


def film_figure(film: Strip, macs: Objective, accuracy: Objective, *, at: int = -1) -> go.Figure:
    """The front after some epochs, as frames that the browser plays; no server is asked while it does.

    Args:
        film: with a frame or more.
        macs, accuracy: objectives of the axes.
        at: number of the frame that is shown first; the last if left out.

    Returns:
        Traces "front after epoch N" (of the first frame, faint), "measured subnets" and "front"; the frames change the last
        two. With two frames and more a slider over epochs, and buttons that play and pause.
    """
    at = at % len(film.epochs)
    scale_x, scale_y = style.scale(macs).factor, style.scale(accuracy).factor
    edge = float(film.macs.max()) * scale_x

    def front(number: int) -> tuple[list[float], list[float]]:
        members = film.fronts[number]
        x, y = film.macs[members] * scale_x, film.accuracy[number, members] * scale_y
        # As far as the dearest subnet: what costs more and is no better does not show as a gap.
        return [*x.tolist(), edge], [*y.tolist(), float(y[-1])]

    def cloud(number: int) -> list[float]:
        return np.round(film.accuracy[number, film.shown] * scale_y, 3).tolist()

    figure = go.Figure()
    line: dict[str, Any] = {"shape": "hv", "width": 1.6, "color": style.DOMINATED, "dash": "dot"}
    first_x, first_y = front(0)
    figure.add_scatter(
        name=f"front after epoch {film.epochs[0]}",
        x=first_x,
        y=first_y,
        mode="lines",
        line=line,
        hoverinfo="skip",
    )
    figure.add_scatter(
        name="measured subnets",
        x=(film.macs[film.shown] * scale_x).tolist(),
        y=cloud(at),
        mode="markers",
        marker={"color": style.DOMINATED, "size": 5, "opacity": 0.7},
        hovertemplate=hover(macs, accuracy, "measured"),
    )
    x, y = front(at)
    figure.add_scatter(
        name="front",
        x=x,
        y=y,
        mode="lines+markers",
        line={"shape": "hv", "width": 2.4, "color": style.FRONT},
        marker={"color": style.FRONT, "size": 7},
        hovertemplate=hover(macs, accuracy, "front"),
    )
    figure.frames = [
        go.Frame(
            name=str(epoch),
            data=[{"y": cloud(number)}, dict(zip(("x", "y"), front(number), strict=True))],
            traces=[1, 2],
        )
        for number, epoch in enumerate(film.epochs)
    ]
    log_x = float(film.macs.min()) > 0 and float(film.macs.max()) > _WIDE * float(film.macs.min())
    lay_out_axes(figure, macs, accuracy, log_x, False)
    figure.update_yaxes(range=_span(film.accuracy * scale_y))
    across = film.macs.astype(np.float64) * scale_x
    figure.update_xaxes(range=_span(np.log10(across) if log_x else across))
    above, playable = room_above(figure), len(film.epochs) > 1
    figure.update_layout(
        **LAYOUT,
        height=420 + above + 120 * playable,
        margin={"l": 8, "r": 12, "t": above, "b": 60 + 120 * playable},
        showlegend=True,
    )
    if playable:
        figure.update_layout(sliders=[_slider(film, at)], updatemenus=[_buttons()])
    return figure


def _span(values: NDArray[np.float64]) -> list[float]:
    least, most = float(values.min()), float(values.max())
    room = 0.04 * (most - least) or 0.5
    return [least - room, most + room]


def _played(ms: int) -> dict[str, Any]:
    """How frames follow each other: at once, and without anything moving from one to the next."""
    return {
        "frame": {"duration": ms, "redraw": False},
        "transition": {"duration": 0},
        "mode": "immediate",
        "fromcurrent": True,
    }


def _slider(film: Strip, at: int) -> dict[str, Any]:
    return {
        "active": at,
        "steps": [
            {"label": str(epoch), "method": "animate", "args": [[str(epoch)], _played(0)]}
            for epoch in film.epochs
        ],
        "currentvalue": {"prefix": "Epoch ", "font": {"size": 15}, "xanchor": "left"},
        "len": 1.0,
        "pad": {"t": 66, "b": 4},
        "activebgcolor": style.FRONT,
        "bordercolor": style.DOMINATED,
        "tickcolor": style.DOMINATED,
    }


def _buttons() -> dict[str, Any]:
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "x": 1.0,
        "y": 0.0,
        "xanchor": "right",
        "yanchor": "top",
        "pad": {"t": 58},
        "bgcolor": "rgba(0, 0, 0, 0)",
        "bordercolor": style.DOMINATED,
        "buttons": [
            {"label": "Play", "method": "animate", "args": [None, _played(FRAME_MS)]},
            {"label": "Pause", "method": "animate", "args": [[None], _played(0)]},
        ],
    }
