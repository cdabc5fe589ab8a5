"""Views as addresses: one protocol for all pages.

What a page shows is a frozen dataclass whose fields say, with `part`, under which name they stand in the
address and how their text is read and written. Whatever stands in an address is a stranger's text: each
part is bounded and checked here, what does not fit is left out, and the page shows its default instead.
`PageAddress` keeps a page's view over the session and knows its own addresses from a visitor's link.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Generic, Protocol, Self, TypeVar

import streamlit as st

from core.errors import CoreError
from core.library.network_id import is_network_id
from core.text import display_name, for_markdown
from pages.ui import history, state

# Room for the ids of as many networks as stand in a matrix, the longest of them.
LONGEST = 4000
_MOST_OFFERED = 8
_ABSENT = "link-asked-for"

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
        what: what a person calls it.
        offers: names of what there is, where that is a short list.
        refused: which pieces of a text are left out although others fit.
    """

    key: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    what: str
    offers: Callable[[], Sequence[str]]
    refused: Callable[[str], Sequence[str]]


def part(
    key: str,
    read: Callable[[str], Any],
    *,
    default: Any = "",
    write: Callable[[Any], str] = str,
    what: str = "",
    offers: Callable[[], Sequence[str]] = tuple,
    refused: Callable[[str], Sequence[str]] = lambda _: (),
) -> Any:
    """A dataclass field that is a part of the address; its default is left out of it. See `Part`."""
    described = Part(key, read, write, what or key, offers, refused)
    return field(default=default, metadata={"part": described})


def missing(what: str, asked: object, offered: Sequence[str] = ()) -> str:
    """What a link asks for and cannot be shown, and what there is instead, as plain text."""
    there = [display_name(name) for name in offered]
    if len(there) > _MOST_OFFERED:
        there = [*there[:_MOST_OFFERED], f"{len(there) - _MOST_OFFERED} more"]
    *first, last = there or [""]
    names = f"{', '.join(first)} and {last}" if first else last
    said = f"This link asks for the {what} {display_name(asked, 60)}, which is not here."
    return f"{said} There {'are' if first else 'is'} {names}." if names else said


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


def number(text: str) -> float | None:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


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
        text = _text(params, described.key)
        if text and (value := described.read(text)) is not None:
            values[each.name] = value
    return view(**values).checked()


def left_out(view: type[V], params: Params) -> list[str]:
    """What `parse` had to leave out, a sentence each."""
    found = []
    for each in fields(view):  # type: ignore[arg-type]
        described: Part = each.metadata["part"]
        text = _text(params, described.key)
        pieces = [text] if text and described.read(text) is None else described.refused(text) if text else ()
        found += [missing(described.what, piece, described.offers()) for piece in pieces]
    return found


def _text(params: Params, key: str) -> str:
    given = params.get(key, "")
    return (given if isinstance(given, str) else (str(given[-1]) if given else ""))[:LONGEST]


def format_view(view: View) -> dict[str, str]:
    """The query parameters of a view; defaults are left out."""
    found, view = {}, view.checked()
    for each in fields(view):  # type: ignore[arg-type]
        described: Part = each.metadata["part"]
        if (value := getattr(view, each.name)) != each.default and (text := described.write(value)):
            found[described.key] = text
    return found


def present(model_ids: Sequence[str], describe: Callable[[str], object]) -> tuple[list[str], list[str]]:
    """Those networks that can be described, and a sentence for each of the others."""
    there, absent = [], []
    for each in model_ids:
        try:
            describe(each)
        except CoreError as error:
            absent.append(f"{missing('network', each)} {error}")
        else:
            there.append(each)
    return there, absent


class PageAddress(Generic[V]):
    """The view of one page, kept over the session and in the address.

    Args:
        view: what the page shows.
        key: where the session keeps it.
        widgets: prefixes of the keys of widgets that start from the view.
        on_arrival: called with the view that a link brought, to select what it names.
        keep: what of such a view there is, and a sentence (`missing`) for each thing that there is not.
    """

    def __init__(
        self,
        view: type[V],
        *,
        key: str,
        widgets: str | tuple[str, ...],
        on_arrival: Callable[[V], None],
        keep: Callable[[V], tuple[V, list[str]]] = lambda view: (view, []),
    ) -> None:
        self._view, self._key, self._widgets, self._on_arrival = view, key, widgets, on_arrival
        self._there = keep

    def current(self) -> V:
        """The view from the address if a link, Back or Forward brought the visitor here, else the session's own."""
        if (params := history.arrived()) is not None:
            found, absent = self._there(parse(self._view, params))
            state.forget_widgets(self._widgets)
            st.session_state[self._key] = found
            st.session_state[_ABSENT] = (self._key, [*left_out(self._view, params), *absent])
            self._on_arrival(found)
        owner, sentences = st.session_state.get(_ABSENT, ("", ()))
        for sentence in sentences if owner == self._key else ():
            st.warning(for_markdown(sentence, 600), icon=":material/link_off:")
        kept: V = st.session_state.setdefault(self._key, self._view())
        return kept

    def also_missing(self, sentence: str) -> None:
        """Say of the link that brought the visitor here what only the page itself could find out."""
        _, sentences = st.session_state.get(_ABSENT, ("", ()))
        if sentence not in sentences:
            st.session_state[_ABSENT] = (self._key, [*sentences, sentence])
            st.warning(for_markdown(sentence, 600), icon=":material/link_off:")

    def kept(self) -> V:
        """The session's own view, whatever stands in the address."""
        found: V = st.session_state.get(self._key, self._view())
        return found

    def keep(self, view: V) -> None:
        """Show this at the next run: widgets that were forgotten start from it."""
        st.session_state[self._key] = view

    def start_over(self, view: V) -> None:
        """Forget what was chosen on the page and show this: somebody picked it."""
        history.picked()
        st.session_state.pop(_ABSENT, None)
        state.forget_widgets(self._widgets)
        st.session_state[self._key] = view

    def publish(self, view: V) -> dict[str, str]:
        """Keep the view and write it into the address; returns the link's parameters."""
        st.session_state[self._key] = view
        wanted = format_view(view)
        if history.write(wanted):
            st.session_state.pop(_ABSENT, None)
        return wanted
