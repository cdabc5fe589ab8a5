"""What a form holds is what runs; where it cannot run, a sentence says so and Start waits.

A number field that knows its bounds keeps a number beyond them on the screen and tells nobody; a text field that
knows its length ignores a longer text. So widgets get no bounds: what is typed arrives here, is held against its
field, and what does not fit is a complaint of the form around it, which is said at the form's button. Without
a form the sentence stands at the field, and says what is used instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Annotated, Any

import streamlit as st
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from core.errors import plain
from core.people import Action
from core.text import for_markdown
from pages.ui.people import door

_open: ContextVar[Form | None] = ContextVar("open form", default=None)


class Form:
    """The fields of a form complain to it; see `form`."""

    def __init__(self) -> None:
        self.complaints: list[str] = []

    def start(
        self,
        label: str,
        *,
        disabled: bool = False,
        action: Action = Action.START,
        own: bool = True,
        **button: Any,
    ) -> bool:
        """The button that runs what the form holds; what the form complains of is said above it, and it waits.

        Args:
            label: of the button.
            disabled: whether it waits for another reason.
            action: what it does, and `own` whether to the visitor's own: locked where they may not.
            button: further arguments of `st.button`.
        """
        for sentence in dict.fromkeys(self.complaints):
            st.error(for_markdown(sentence, 600), icon=":material/error:")
        waits = disabled or bool(self.complaints)
        button |= door.lock(action, own=own, disabled=waits, help=button.get("help"))
        return bool(st.button(label, **button))


@contextmanager
def form() -> Iterator[Form]:
    """Fields drawn inside complain to this form."""
    made = Form()
    token = _open.set(made)
    try:
        yield made
    finally:
        _open.reset(token)


def complain(sentence: str, instead: str = "") -> None:
    """Say what does not fit.

    Args:
        sentence: one sentence, plain text.
        instead: what is used where there is no form that could wait.
    """
    if (around := _open.get()) is not None:
        around.complaints.append(sentence)
    else:
        said = f"{sentence} {instead} is used." if instead else sentence
        st.warning(for_markdown(said, 600), icon=":material/error:")


def complain_of_all(sentence: str) -> None:
    """Say what the fields get wrong together, where none of them was complained of by itself."""
    around = _open.get()
    if around is None or not around.complaints:
        complain(sentence)


def fits(model: type[BaseModel], name: str, value: Any) -> str:
    """Why a value is none of a field, "" if it is one."""
    try:
        _adapter(model, name).validate_python(value)
    except ValidationError as error:
        return plain(error.errors()[0]["msg"])
    return ""


@lru_cache(maxsize=512)
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    field = model.model_fields[name]
    return TypeAdapter(Annotated[field.annotation, field])


def bounds(field: FieldInfo) -> tuple[Any, Any]:
    """(smallest, largest) value of a field, None where there is no bound."""
    lower = upper = None
    for limit in field.metadata:
        lower = getattr(limit, "ge", getattr(limit, "gt", lower))
        upper = getattr(limit, "le", getattr(limit, "lt", upper))
    return lower, upper


def within(label: str, value: float, lower: float | None, upper: float | None) -> Any:
    """A number, or the nearest one within bounds after a complaint about it."""
    low, high = -math.inf if lower is None else lower, math.inf if upper is None else upper
    if low <= value <= high:
        return value
    nearest = type(value)(min(max(value, low), high))
    if lower is None or upper is None:
        place = f"at most {_text(upper)}" if lower is None else f"at least {_text(lower)}"
    else:
        place = f"from {_text(lower)} to {_text(upper)}"
    complain(f"{label}: {_text(value)} is not possible, only numbers {place}.", _text(nearest))
    return nearest


def name_field(label: str, *, value: str, longest: int = 80, **field: Any) -> str:
    """A name that a person types; one that is empty or too long is complained of.

    Args:
        label: of the field.
        value: to begin with.
        longest: in characters.
        field: further arguments of `st.text_input`.
    """
    typed = str(st.text_input(label, value=value, **field)).strip()
    if len(typed) > longest:
        complain(f"{label}: {len(typed)} characters are too many, at most {longest} are kept.")
    elif not typed:
        complain(f"{label}: there is none.")
    return typed[:longest]


def _text(number: float | None) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"
