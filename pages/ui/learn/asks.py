"""An `Ask` as a widget: what may be answered, and nothing else, can be entered with keys alone."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from core.lessons.asking import Answer, Ask, Choose, Mark, Number, Order
from core.text import for_markdown
from pages.ui import state

_FEW = 6
_SLIDER_STEPS = 400


def draw(
    ask: Ask, key: str, start: Answer | None, *, label: str, disabled: bool = False, control: bool = False
) -> Answer | None:
    """Draw the widget; returns what stands in it, None where that is no answer.

    Args:
        ask: what is asked.
        key: of the widget.
        start: what stands there first, None for nothing.
        label: of the widget.
        disabled: whether it can be changed.
        control: whether it moves a figure and so always has a value.
    """
    if isinstance(ask, Choose):
        return _choose(ask, key, start, label=label, disabled=disabled, control=control)
    if isinstance(ask, Number):
        return _number(ask, key, start, label=label, disabled=disabled)
    if isinstance(ask, Mark):
        return _several(ask, key, start, label=label, disabled=disabled, control=control)
    assert isinstance(ask, Order)
    return _order(ask, key, start, label=label, disabled=disabled)


def _choose(
    ask: Choose, key: str, start: Answer | None, *, label: str, disabled: bool, control: bool
) -> Answer | None:
    options = list(ask.options)
    state.keep(key, [*options, *([] if control else [None])], start if start in options else None)

    def words(option: str) -> str:
        return for_markdown(ask.options[option])

    if len(options) <= _FEW:
        short = sum(len(text) for text in ask.options.values()) <= 60
        chosen = st.radio(
            label, options, index=None, key=key, format_func=words, disabled=disabled, horizontal=short
        )
    else:
        chosen = st.selectbox(
            label,
            options,
            index=None,
            key=key,
            format_func=ask.options.__getitem__,
            disabled=disabled,
            placeholder="Choose one",
        )
    return chosen


def _number(ask: Number, key: str, start: Answer | None, *, label: str, disabled: bool) -> Answer | None:
    whole = all(float(value).is_integer() for value in (ask.low, ask.high, ask.step))
    kind: Any = int if whole else float
    low, high, step = kind(ask.low), kind(ask.high), kind(ask.step)
    unit = f" ({ask.unit})" if ask.unit else ""
    first = None if start is None or not isinstance(start, int | float) else kind(start)
    state.start(key, first)
    if ask.start is not None and (high - low) / step <= _SLIDER_STEPS:
        if not isinstance(st.session_state[key], int | float):
            st.session_state[key] = kind(ask.start)
        value = st.slider(
            f"{label}{unit}", low, high, step=step, key=key, disabled=disabled, format=_format(ask, whole)
        )
    else:
        value = st.number_input(
            f"{label}{unit}",
            low,
            high,
            value=None,
            step=step,
            key=key,
            disabled=disabled,
            format=_format(ask, whole),
            placeholder=f"from {ask.words(ask.low)} to {ask.words(ask.high)}",
        )
    return None if value is None else float(value)


def _format(ask: Number, whole: bool) -> str:
    return "%d" if whole else f"%.{max(0, -math.floor(math.log10(ask.step)))}f"


def _several(
    ask: Mark, key: str, start: Answer | None, *, label: str, disabled: bool, control: bool
) -> Answer | None:
    kept = list(start) if isinstance(start, tuple) else []
    state.start(key, [each for each in kept if each in ask.options])
    chosen = st.multiselect(
        label,
        list(ask.options),
        key=key,
        format_func=ask.options.__getitem__,
        max_selections=min(ask.most, len(ask.options)),
        disabled=disabled,
        placeholder="Choose some" if control else "Choose points, or click them in the figure",
    )
    return tuple(chosen) if ask.least <= len(chosen) <= ask.most else None


def _order(ask: Order, key: str, start: Answer | None, *, label: str, disabled: bool) -> Answer | None:
    kept = list(start) if isinstance(start, tuple) else []
    state.start(key, [each for each in kept if each in ask.options])
    chosen = st.multiselect(
        label,
        list(ask.options),
        key=key,
        format_func=ask.options.__getitem__,
        disabled=disabled,
        placeholder="Choose all, one after the other",
        help="The order in which you choose them is your answer. Take one out to put it elsewhere.",
    )
    if 0 < len(chosen) < len(ask.options):
        st.caption(f"{len(ask.options) - len(chosen)} still to come.")
    return tuple(chosen) if len(chosen) == len(ask.options) else None


def toggle(key: str, point: str) -> None:
    """A click on a point of the figure: marked, or not any more."""
    marked = list(st.session_state.get(key, ()))
    st.session_state[key] = (
        [each for each in marked if each != point] if point in marked else [*marked, point]
    )
