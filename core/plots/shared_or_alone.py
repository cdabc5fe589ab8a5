"""A subnet inside its supernet against its architecture trained alone, over depth.

Three lines: shared against alone, alone against alone (the ceiling that seeds leave) with the band where
one more seed would lie 19 times in 20, shuffled samples (the floor). A triangle marks what lies outside the
band: pointing down where the subnet is less alike, up where it is more alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core import words
from core.objectives.base import objectives
from core.over_seeds import spread
from core.plots import style
from core.plots.finished import finished
from core.plots.over_seeds import objective_in_words
from core.similarity.seed_spread import StageResult, Verdict
from core.text import for_figure, for_markdown
from core.views.shared_or_alone import SharedOrAlone

SHARED, ALONE, NULL = "inside the supernet against alone", "alone against alone", "shuffled samples"
EXPECTED = "band where one more seed would lie"
_BAND = "rgba(0,114,178,0.14)"
OUTSIDE = "outside the band"
_SYMBOLS = {Verdict.LESS: "triangle-down-open", Verdict.MORE: "triangle-up-open"}


def shared_or_alone_figure(stages: Sequence[StageResult], measure: str, *, apart: bool = False) -> go.Figure:
    """Similarity by stage: mean over seeds with bars from the smallest to the largest value.

    Args:
        stages: in order of depth.
        measure: label of the measure, the vertical axis.
        apart: every single value as a small point instead of the bars.

    Returns:
        One point per stage each: the two comparisons (and before each its single values, if asked), the two edges of
        the band, the shuffled samples, and triangles where the verdict is not a tie. A stage without a value leaves a
        gap.
    """
    figure = go.Figure()
    # Numbers on the axis and names on its ticks: two stages may have one name.
    places = list(range(len(stages)))
    drawn = (
        (SHARED, [s.shared for s in stages], style.CATEGORICAL[1], "solid", -0.07),
        (ALONE, [s.alone for s in stages], style.CATEGORICAL[0], "dash", 0.07),
    )
    for name, values, color, dash, offset in drawn:
        mean, below, above = _range(values)
        if apart:
            _add_singles(figure, values, name=name, color=color, offset=offset)
        figure.add_scatter(
            name=name, x=[place + offset for place in places], y=mean, mode="lines+markers",
            line={"color": color, "width": 2, "dash": dash}, marker={"symbol": "circle" if name == SHARED else "square", "size": 9},
            error_y={"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1.4, "width": 4, "visible": not apart},
            hovertext=[_hover(s, v, name) for s, v in zip(stages, values, strict=True)],
            hovertemplate="%{hovertext}<extra></extra>",
        )  # fmt: skip
    known = [place for place, s in zip(places, stages, strict=True) if math.isfinite(s.expected[0])]
    for edge, more in ((0, {"showlegend": False}), (1, {"fill": "tonexty", "fillcolor": _BAND})):
        figure.add_scatter(
            name=EXPECTED, x=known, y=[stages[place].expected[edge] for place in known], mode="lines",
            line={"width": 0}, hoverinfo="skip", **more,
        )  # fmt: skip
    far = [place for place in places if stages[place].verdict in _SYMBOLS]
    figure.add_scatter(
        name=OUTSIDE, x=[place + drawn[0][4] for place in far], y=[_range([stages[p].shared])[0][0] for p in far],
        mode="markers", hoverinfo="skip", showlegend=bool(far),
        marker={"symbol": [_SYMBOLS[stages[p].verdict] for p in far], "size": 20, "color": drawn[0][2], "line": {"width": 2}},
    )  # fmt: skip
    figure.add_scatter(
        name=NULL, x=places, y=[s.null_mean for s in stages], mode="lines+markers",
        line={"color": style.DOMINATED, "width": 1.4, "dash": "dot"}, marker={"symbol": "x", "size": 7},
        hovertext=[f"<b>{for_figure(s.label)}</b><br>{NULL} {s.null_mean:.3f}" for s in stages],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(
        title={"text": "Stage, from the image to the answer"}, tickvals=places, zeroline=False, automargin=True,
        ticktext=[for_figure(s.label) for s in stages], range=[-0.5, max(len(stages), 1) - 0.5],
    )  # fmt: skip
    figure.update_yaxes(
        title={"text": for_figure(measure)}, zeroline=False, automargin=True, range=_measured_range(stages)
    )
    figure.update_layout(
        height=380,
        margin={"l": 8, "r": 12, "t": 32, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        showlegend=True,
    )
    return finished(figure)


def _add_singles(
    figure: go.Figure, values: Sequence[Sequence[float]], *, name: str, color: str, offset: float
) -> None:
    points = [(place, v) for place, found in enumerate(values) for v in found if math.isfinite(v)]
    figure.add_scatter(
        name=f"{name}, each",
        x=[place + 2 * offset for place, _ in points],
        y=[value for _, value in points],
        mode="markers",
        marker={"symbol": "line-ew-open", "size": 9, "color": color, "line": {"width": 2}},
        hovertemplate="%{y:.3f}<extra></extra>",
        showlegend=False,
    )


def _measured_range(stages: Sequence[StageResult]) -> list[float] | None:
    """The axis shows what was measured; with few seeds the band reaches far beyond what can occur."""
    known = [v for s in stages for v in (*s.shared, *s.alone, s.null_mean) if math.isfinite(v)]
    if not known:
        return None
    margin = max(0.12 * (max(known) - min(known)), 0.03)
    return [min(known) - margin, max(known) + margin]


def _range(values: Sequence[Sequence[float]]) -> tuple[list[float], list[float], list[float]]:
    """Mean of the finite values of each stage, and how far the smallest and the largest lie from it."""
    mean, below, above = [], [], []
    for found in values:
        known = [v for v in found if math.isfinite(v)]
        middle = float(np.mean(known)) if known else math.nan
        mean.append(middle)
        below.append(middle - min(known) if known else math.nan)
        above.append(max(known) - middle if known else math.nan)
    return mean, below, above


def _hover(stage: StageResult, values: Sequence[float], name: str) -> str:
    each = ", ".join(f"{v:.3f}" if math.isfinite(v) else "none" for v in values) or "none"
    lines = [f"<b>{for_figure(stage.label)}</b> ({stage.units} units, {stage.n:,} rows)", f"{name}: {each}"]
    if name == SHARED:
        lines.append(stage.verdict.value)
    return "<br>".join(lines)


def accuracy_table(answer: SharedOrAlone) -> str:
    """Markdown: what was measured of the subnet inside the supernet, of each network trained alone, and their mean."""
    shown = objectives(answer.inside)
    rows = [("inside the supernet", [answer.inside[each.name] for each in shown])]
    rows += [
        (f"alone, seed {seed}", [answer.alone[each.name][i] for each in shown])
        for i, seed in enumerate(answer.seeds)
    ]
    lines = [
        f"| {name} | {' | '.join(words.format_value(v, each) for v, each in zip(values, shown, strict=True))} |"
        for name, values in rows
    ]
    over = [spread(answer.alone[each.name]) for each in shown]
    if over and over[0].n > 1:
        told = [objective_in_words(found, each) for found, each in zip(over, shown, strict=True)]
        lines.append(f"| **alone, mean ({over[0].band}, n)** | {' | '.join(told)} |")
    head = f"| network | {' | '.join(each.label.lower() for each in shown)} |"
    return "\n".join([head, f"|---|{'---:|' * len(shown)}", *lines])


def values_table(stages: Sequence[StageResult], what: str) -> str:
    """Markdown: mean and range of both comparisons, the shuffled value and the verdict, a line each."""
    lines = [
        f"| {for_markdown(s.label)} | {_text(s.shared)} | {_text(s.alone)} | {_number(s.null_mean)} | {s.verdict.value} |"
        for s in stages
    ]
    head = f"| {what} | {SHARED} | {ALONE} | {NULL} | verdict |"
    return "\n".join([head, "|---|---:|---:|---:|---|", *lines])


def _text(values: Sequence[float]) -> str:
    known = [v for v in values if math.isfinite(v)]
    if not known:
        return "none"
    return f"{_number(float(np.mean(known)))} ({_number(min(known))} to {_number(max(known))})"


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", words.MINUS) if math.isfinite(value) else "none"
