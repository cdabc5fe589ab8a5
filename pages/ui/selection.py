"""What is selected on a page: one protocol for points, cells and samples.

Two values stand for one selection. `now` is what is selected. `seed` is what a chart draws as selected when
it appears; it changes only when something other than the chart selects, because a changed figure is a new
chart and loses its zoom, while a click moves the highlight in the browser by itself. Where the highlight was
moved so, and what the chart started from is selected again (by Back, or a button), only a new chart shows it:
`edition` then grows, and is part of the figure. A chart that is new for another reason (another axis, another measure)
starts from what is selected now; `start` tells every chart what.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Generic, TypeVar

import streamlit as st

from core.views.regions import Region
from pages.ui import history

T = TypeVar("T")


class Selection(Generic[T]):
    """One selected thing of a page, kept over the session.

    Args:
        key: where the session keeps it.
        seed_key: where it keeps what charts start from.
        nothing: the value before anything was selected.
    """

    def __init__(self, key: str, seed_key: str, nothing: T) -> None:
        self._key, self._seed_key, self._nothing = key, seed_key, nothing
        # Not after the key itself: pages forget what starts with a prefix of theirs.
        self._moved_key, self._edition_key = f"moved-{key}", f"edition-{key}"
        self._unheard_key = f"unheard-{key}"

    def now(self) -> T:
        """What is selected."""
        found: T = st.session_state.get(self._key, self._nothing)
        return found

    def seed(self) -> T:
        """What a chart highlights when it appears."""
        found: T = st.session_state.get(self._seed_key, self._nothing)
        return found

    def select(self, value: T) -> None:
        """Select from anywhere but the chart: the chart appears anew with this highlighted."""
        self._leave()
        st.session_state[self._key] = st.session_state[self._seed_key] = value
        if st.session_state.pop(self._moved_key, False):
            st.session_state[self._edition_key] = self.edition() + 1

    def chosen(self, value: T) -> None:
        """Select what a chooser beside the chart says.

        One that has not heard of the last pick says what was selected before; Streamlit takes that for a choice.
        """
        if not (history.is_behind() and value in st.session_state.get(self._unheard_key, ())):
            self.select(value)

    def clicked(self, value: T) -> None:
        """Select what was clicked on the chart, which highlights it by itself."""
        self._leave()
        st.session_state[self._key] = value
        st.session_state[self._moved_key] = True

    def _leave(self) -> None:
        """Remember what choosers still say until the browser has heard of the pick that follows."""
        said: tuple[T, ...] = st.session_state.get(self._unheard_key, ()) if history.is_behind() else ()
        st.session_state[self._unheard_key] = (*said, self.now())

    def start(self, chart: str, look: Hashable) -> T:
        """What a chart draws as selected.

        Args:
            chart: its key.
            look: all that decides its figure beside the selection; where it differs, the chart is a new one.
        """
        place = f"start-{self._key}-{chart}"
        new = (look, st.session_state.get("visits"), self.seed(), self.edition())
        known, value = st.session_state.get(place, (None, self._nothing))
        if known != new:
            value = self.now()
            st.session_state[place] = (new, value)
        found: T = value
        return found

    def edition(self) -> int:
        """Part of the figure: see the module."""
        return int(st.session_state.get(self._edition_key, 0))


class SelectedSamples:
    """Samples selected on a chart of a page, and a number that grows whenever charts shall forget them.

    Args:
        key: where the session keeps them.
    """

    def __init__(self, key: str) -> None:
        self._key, self._edition_key = key, f"{key}-edition"

    def now(self) -> tuple[int, ...]:
        """Ids of the samples."""
        return tuple(st.session_state.get(self._key, ()))

    def select(self, ids: Sequence[int]) -> None:
        st.session_state[self._key] = tuple(ids)

    def clear(self) -> None:
        """Forget them; the charts are drawn anew."""
        st.session_state[self._key] = ()
        st.session_state[self._edition_key] = self.edition() + 1

    def edition(self) -> int:
        """Part of every chart's key on which samples can be selected."""
        return int(st.session_state.get(self._edition_key, 0))


def picked_id(event: Any) -> str:
    """The first selected point's id, "" for none; the event may be a plain dict in tests."""
    try:
        points = event["selection"]["points"]
        data = points[0]["customdata"]
        value = data if isinstance(data, str) else data[0]
    except (KeyError, IndexError, TypeError):
        return ""
    return value if isinstance(value, str) else ""


def picked_texts(event: Any) -> list[str]:
    """Ids of all selected points, each once, in order."""
    try:
        data = [p.get("customdata") for p in event["selection"]["points"]]
    except (KeyError, TypeError, AttributeError):
        return []
    found = [value[0] if isinstance(value, list) and value else value for value in data]
    return list(dict.fromkeys(text for text in found if isinstance(text, str)))


def picked_regions(event: Any) -> tuple[Region, ...]:
    """The boxes and lassos that were drawn, in the units of the axes."""
    try:
        drawn = [*event["selection"]["box"], *event["selection"]["lasso"]]
        read = [Region(tuple(map(float, each["x"])), tuple(map(float, each["y"]))) for each in drawn]
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()
    return tuple(each for each in read if len(each.x) == len(each.y) >= 2)


def picked_samples(event: Any, most: int = 1000) -> list[int]:
    """Ids of the selected samples, each once; empty where none was selected. Their customdata are numbers as text."""
    try:
        data = [p["customdata"] for p in event["selection"]["points"] if p.get("customdata")]
        ids = [int(value if isinstance(value, str) else value[0]) for value in data]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
        return []
    return list(dict.fromkeys(ids))[:most]


def picked_on(key: str) -> str:
    """`picked_id` of what was selected on the chart with this widget key."""
    return picked_id(st.session_state.get(key))


def samples_on(key: str) -> list[int]:
    """`picked_samples` of what was selected on the chart with this widget key."""
    return picked_samples(st.session_state.get(key))
