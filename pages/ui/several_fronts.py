"""Several fronts in one chart: what the pages that have them share. What is compared, and what a click means, they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.library.csv_tables import csv_bytes
from core.plots.finished import finished
from core.plots.several_fronts import several_figure
from core.text import for_markdown
from core.views.fronts_in_numbers import member_rows, volume_rows, volumes
from core.views.several_fronts import (
    MOST_FRONTS,
    SeveralFronts,
    agreement_rows,
    agreements,
    place_rows,
    places,
)
from core.words import format_count
from pages.ui.setup import note
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Chosen:
    """What is compared: what the fronts differ in, their ids, shares instead of units."""

    beside: str
    fronts: tuple[str, ...]
    normalized: bool


def choose_fronts(
    key: str,
    names: Mapping[str, str],
    kept: Sequence[str],
    usual: Callable[[], Sequence[str]],
    *,
    most: int = MOST_FRONTS,
    about: str = "",
) -> tuple[str, ...]:
    """Ids of the fronts to draw.

    Args:
        key: of the widget; another one for each thing that fronts may differ in.
        names: id -> what a person reads.
        kept: those a link names, or the page has shown last.
        usual: those drawn at first.
        most: how many at a time.
        about: help beside it.
    """
    if key not in st.session_state:
        st.session_state[key] = [name for name in kept if name in names] or list(usual())
    st.session_state[key] = [name for name in st.session_state[key] if name in names]
    chosen = st.multiselect(
        "Fronts",
        list(names),
        format_func=names.__getitem__,
        key=key,
        max_selections=most,
        width=560,
        help=about or f"At most {most}.",
    )
    return tuple(chosen)


def chart(
    found: SeveralFronts,
    key: str,
    log: tuple[bool, bool],
    picked: tuple[str, str],
    *,
    widget: str,
    on_click: Callable[[], None],
    alt: str,
) -> None:
    """Draw the fronts.

    Args:
        found: what is drawn.
        key: changes whenever it does.
        log: whether the axes across and up are logarithmic.
        picked: (series, id) of what is highlighted.
        widget: key of the chart.
        on_click: called after a click.
        alt: the chart in words.
    """
    for sentence in found.told:
        st.caption(for_markdown(sentence, 600))
    st.plotly_chart(
        _figure(key, log, picked, found),
        key=widget,
        on_select=on_click,
        selection_mode="points",
        width="stretch",
        alt=alt,
        config={
            "displaylogo": False,
            "scrollZoom": True,
            "modeBarButtonsToRemove": ["autoScale2d", "select2d", "lasso2d"],
        },
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(key: str, log: tuple[bool, bool], picked: tuple[str, str], _found: SeveralFronts) -> go.Figure:
    series, identity = picked
    return finished(several_figure(_found, log_x=log[0], log_y=log[1], selected=identity, key=series))


def where(found: SeveralFronts, picked: tuple[str, str], title: str, what: str) -> bool:
    """Where the picked one is in each of the fronts; whether it is in any.

    Args:
        found: the fronts.
        picked: (series, id).
        title: what it is called, as Markdown.
        what: "subnet" or "row".
    """
    series, identity = picked
    rows = place_rows(found, places(found, identity, key=series))
    if not rows:
        note("Click a member of a front to see where it is in the others.")
        return False
    st.markdown(f"**Where {title} is**")
    html_table(rows, f"The picked {what} in each of the fronts")
    return True


def in_numbers(found: SeveralFronts, key: str, what: str, name: str) -> None:
    """How much each front dominates, against one reference point, and the members of all of them as a file.

    Args:
        found: the fronts.
        key: changes whenever they do.
        what: "subnet" or "row".
        name: of the file, without its ending.
    """
    rows = _volumes(key, found)
    if rows:
        st.markdown(
            "**How much each front dominates**",
            help="Hypervolumes against one reference point, a tenth of the range beyond the worst member of all of them. "
            "Only in these numbers do fronts of different sizes compare.",
        )
        html_table(rows, "Hypervolume of each front")
    st.download_button(
        "CSV of these fronts",
        data=lambda: csv_bytes(member_rows(found, what)),
        file_name=f"{name}.csv",
        mime="text/csv",
        key="several-csv",
        on_click="ignore",
        icon=":material/table:",
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _volumes(key: str, _found: SeveralFronts) -> list[dict[str, str]]:
    return volume_rows(volumes(_found))


def orders(found: SeveralFronts, key: str, what: str, most: int | None = None) -> None:
    """How alike the fronts order the same subnets or rows; nothing where they have none in common.

    Args:
        found: the fronts.
        key: changes whenever they do.
        what: "subnets" or "rows".
        most: how many are ordered; None for all.
    """
    rows = _agreements(key, most, found)
    if not rows:
        return
    limit = (
        f" Of more than {format_count(most)} {what}, so many evenly chosen ones are compared." if most else ""
    )
    st.markdown(
        f"**How alike they order the {what}**",
        help=f"Rank correlations over all {what} with both values: 1 is the same order, 0 none. Spearman's compares ranks, "
        "Kendall's counts pairs in the same order (tau-b). Members shared: on both fronts, of those on the first."
        + limit,
    )
    html_table(rows, "Rank correlation of every two fronts")


@st.cache_resource(show_spinner="Comparing orders...", max_entries=32)
def _agreements(key: str, most: int | None, _found: SeveralFronts) -> list[dict[str, str]]:
    return agreement_rows(agreements(_found, most=most))
