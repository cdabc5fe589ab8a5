"""The one figure of a lesson with its controls: it stays in view while the text beside it goes on."""

from __future__ import annotations

import html
from collections.abc import Mapping

import streamlit as st

from core import glossary
from core.lessons.asking import Answer
from core.lessons.base import Shown
from core.lessons.charts import Scatter
from pages.ui.learn import asks, state
from pages.ui.learn.opened import Opened, chart_of, figure_of
from pages.ui.selection import picked_on

KEY, PREDICT = "lesson-figure", "ls-predict"
_CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False, "showAxisDragHandles": False}


def controls(opened: Opened, hidden: tuple[str, ...], *, disabled: bool) -> dict[str, Answer]:
    """Draw the lesson's controls; returns where all of them stand, the hidden ones where the link put them.

    Args:
        hidden: names of those that are not drawn.
        disabled: they wait, because a prediction for this setting is locked.
    """
    found = dict(opened.now)
    asked = opened.lesson.controls(opened.evidence)
    for name, ask in asked.items():
        if name in hidden:
            continue
        value = asks.draw(
            ask,
            f"{state.WIDGETS}control-{name}",
            opened.now[name],
            label=ask.text,
            disabled=disabled,
            control=True,
        )
        if value is not None:
            found[name] = value
    if disabled and any(name not in hidden for name in asked):
        st.caption("The controls wait for the reveal: your prediction is for this setting.")
    return found


def draw(opened: Opened, shown: Shown, *, marking: bool) -> None:
    """Draw the figure; where points can be marked, a click on one marks it or takes the mark back."""
    chart = chart_of(opened, shown)
    with st.container(key="lesson-place"):
        common = {"key": KEY, "width": "stretch", "height": "stretch", "config": _CONFIG}
        # The description stays the same: another one would draw the chart anew. What is to be seen stands below.
        alt = f"The figure of this lesson: {opened.lesson.label}"
        if marking and isinstance(chart, Scatter) and chart.markable:
            st.plotly_chart(
                figure_of(opened, shown), on_select=_clicked, selection_mode="points", alt=alt, **common
            )
        else:
            st.plotly_chart(figure_of(opened, shown), alt=alt, **common)
    st.html(f'<p class="ps-unseen ps-says">{html.escape(chart.says)}</p>')


def about(opened: Opened) -> None:
    """How what is seen was measured."""
    if opened.evidence.about:
        st.caption(glossary.in_markdown(opened.evidence.about))


def _clicked() -> None:
    if point := picked_on(KEY):
        asks.toggle(PREDICT, point)


def starts(opened: Opened) -> Mapping[str, Answer]:
    """Where the controls stand at first."""
    asked = opened.lesson.controls(opened.evidence)
    return {name: start for name, ask in asked.items() if (start := getattr(ask, "start", None)) is not None}
