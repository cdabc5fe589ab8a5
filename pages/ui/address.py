"""Views as addresses: one protocol for all pages.

What a page shows is a frozen dataclass whose fields say, with `part`, under which name they stand in the
address and how their text is read and written. Whatever stands in an address is a stranger's text: each
part is bounded and checked here, what does not fit is left out, and the page shows its default instead.
`PageAddress` keeps a page's view over the session and knows its own addresses from a visitor's link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Generic, Protocol, Self, TypeVar

import streamlit as st

from core.library.network_id import is_network_id
from pages.ui import projector, state

# Room for the ids of as many models as can be compared, the longest of them.
LONGEST = 1500
_RECENT = 6
_PUBLISHED = "published"

Params = Mapping[str, str | Sequence[str]]


class View(Protocol):
    """What a page shows."""

    def checked(self) -> Self:
        """The same view without parts that do not go together."""


V = TypeVar("V", bound=View)


@dataclass(frozen=True)
class Part:
    """How one field stands in an address.

    Attributes:
        key: its name there.
        read: text to value; None where the text does not fit.
        write: value to text.
    """

    key: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]


def part(
    key: str, read: Callable[[str], Any], *, default: Any = "", write: Callable[[Any], str] = str
) -> Any:
    """A dataclass field that is a part of the address; its default is left out of it."""
    return field(default=default, metadata={"part": Part(key, read, write)})


def matching(pattern: str) -> Callable[[str], str | None]:
    """Texts that match a regular expression as a whole."""
    compiled = re.compile(pattern)
    return lambda text: text if compiled.fullmatch(text) else None


def one_of(allowed: Callable[[], Sequence[str]]) -> Callable[[str], str | None]:
    """Texts out of a list, which is made when it is needed."""
    return lambda text: text if text in allowed() else None


def whole_number(low: int, high: int) -> Callable[[str], int | None]:
    """Whole numbers within bounds."""
    return lambda text: int(text) if re.fullmatch(r"\d{1,10}", text) and low <= int(text) <= high else None


def model_id(text: str) -> str | None:
    """The id of a network; says nothing about whether there is such a network."""
    return text if is_network_id(text) else None


NAME = matching(r"[A-Za-z0-9_.-]{1,80}")
TAB = matching(r"[A-Za-z ]{1,30}")
FLAGS: Mapping[str, bool] = {"0": False, "1": True}


def write_flag(value: bool) -> str:
    return str(int(value))


def parse(view: type[V], params: Params) -> V:
    """The view that query parameters describe; unreadable parts are left out."""
    values: dict[str, Any] = {}
    for each in fields(view):  # type: ignore[arg-type]
        described: Part = each.metadata["part"]
        given = params.get(described.key, "")
        text = (given if isinstance(given, str) else (str(given[-1]) if given else ""))[:LONGEST]
        if text and (value := described.read(text)) is not None:
            values[each.name] = value
    return view(**values).checked()


def format_view(view: View) -> dict[str, str]:
    """The query parameters of a view; defaults are left out."""
    found, view = {}, view.checked()
    for each in fields(view):  # type: ignore[arg-type]
        described: Part = each.metadata["part"]
        if (value := getattr(view, each.name)) != each.default and (text := described.write(value)):
            found[described.key] = text
    return found


class PageAddress(Generic[V]):
    """The view of one page, kept over the session and in the address.

    Args:
        view: what the page shows.
        key: where the session keeps it.
        widgets: prefixes of the keys of widgets that start from the view.
        on_arrival: called with the view that a link brought, to select what it names.
    """

    def __init__(
        self, view: type[V], *, key: str, widgets: str | tuple[str, ...], on_arrival: Callable[[V], None]
    ) -> None:
        self._view, self._key, self._widgets, self._on_arrival = view, key, widgets, on_arrival

    def current(self) -> V:
        """The view from the address if a link brought the visitor here, else the session's own."""
        if (params := _arrived()) is not None:
            found = parse(self._view, params)
            state.forget_widgets(self._widgets)
            st.session_state[self._key] = found
            self._on_arrival(found)
        kept: V = st.session_state.setdefault(self._key, self._view())
        return kept

    def kept(self) -> V:
        """The session's own view, whatever stands in the address."""
        found: V = st.session_state.get(self._key, self._view())
        return found

    def start_over(self, view: V) -> None:
        """Forget what was chosen on the page and show this."""
        state.forget_widgets(self._widgets)
        st.session_state[self._key] = view

    def publish(self, view: V) -> dict[str, str]:
        """Keep the view and write it into the address; returns the link's parameters."""
        st.session_state[self._key] = view
        wanted = format_view(view)
        # The mode of the screen is no part of a view: it stays with whoever set it.
        if st.query_params.to_dict() != (whole := {**wanted, **projector.link()}):
            st.query_params.from_dict(whole)
        recent: list[dict[str, str]] = st.session_state.setdefault(_PUBLISHED, [])
        if wanted not in recent:
            recent.append(wanted)
            del recent[:-_RECENT]
        return wanted


def forget_addresses() -> None:
    """What a visitor brings from now on counts as new: another page was entered."""
    st.session_state[_PUBLISHED] = []


def _arrived() -> dict[str, str] | None:
    """The query parameters of a link that brought the visitor here, None where the address is our own."""
    params = {name: value for name, value in st.query_params.to_dict().items() if name != projector.PARAM}
    recent: list[dict[str, str]] = st.session_state.setdefault(_PUBLISHED, [])
    # A quick second click may still carry the address from before the first: it is ours as well.
    if not params or params in recent:
        return None
    recent.append(params)
    return params
