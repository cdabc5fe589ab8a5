"""The form that says what the columns of a table mean; it starts from a guess, or from what they meant the last time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

import streamlit as st

from core.errors import InvalidInput
from core.library.kept_tables import checked
from core.library.table_mapping import KINDS, LEAST, ObjectiveColumn, TableMapping
from core.records import Source
from core.text import display_name
from core.words import count_of
from pages.ui import terms
from pages.ui.checked import complain

if TYPE_CHECKING:
    import pandas as pd

_NONE = ""
_NOTHING = "none"


def draw(
    key: str,
    columns: Sequence[str],
    numbers: Sequence[str],
    start: TableMapping,
    guesses: Mapping[str, ObjectiveColumn],
    *,
    least: int = 2,
) -> TableMapping:
    """The fields, within a `checked.form()`; returns what they say now, and complains of what cannot be.

    Args:
        key: begins the widgets' keys; of its own for each table.
        columns: of the table.
        numbers: those that hold numbers.
        start: what the fields start with.
        guesses: what a column that is added as an objective starts with.
        least: objectives there must be.
    """
    known = {each.column: each for each in start.objectives}
    large = [each.column for each in start.objectives if each.maximize]
    small = [each.column for each in start.objectives if not each.maximize]
    up = _several(key, "more", "Objectives, more is better", numbers, large, "Accuracy, throughput, ...")
    down = _several(
        key, "less", "Objectives, less is better", numbers, small, "Latency, energy, parameters, errors, ..."
    )
    with st.container(horizontal=True):
        identity = _one(
            key, "identity", "Names the row", columns, start.identity, "The architecture, or any other name."
        )
        group = _one(
            key,
            "group",
            "Says which front it belongs to",
            columns,
            start.group,
            "In a table in long form: the device, the data set or the method of a row. Each value can be a front of its own.",
        )
        source = _one(
            key,
            "source",
            "Says how it was obtained",
            columns,
            start.source,
            "A column with measured, counted, trained, predicted or proxy, row by row. What is predicted is on no front.",
        )
    both = [name for name in up if name in down]
    if both:
        complain(f"{display_name(both[0])} is better large and small: choose one of both.")
    objectives = [
        (known.get(name) or guesses.get(name) or ObjectiveColumn(column=name, maximize=flag)).model_copy(
            update={"maximize": flag}
        )
        for name, flag in ((name, flag) for names, flag in ((up, True), (down, False)) for name in names)
        if name not in both
    ]
    told = _details(key, objectives)
    taken = {each.column for each in told} | {identity, group, source}
    mapping = TableMapping(
        objectives=tuple(told),
        identity=identity,
        group=group,
        source=source,
        configuration=tuple(name for name in columns if name not in taken),
    )
    try:
        return checked(mapping, columns, least=least)
    except InvalidInput as error:
        complain(str(error) if len(numbers) >= least else _too_few(len(numbers)))
        return mapping


def _too_few(numbers: int) -> str:
    there = count_of(numbers, "column") if numbers else "no column"
    return f"A front needs two objectives, and this table has {there} of numbers."


def _several(
    key: str, what: str, label: str, offered: Sequence[str], chosen: Sequence[str], help: str
) -> list[str]:
    found: list[str] = st.multiselect(
        label,
        list(offered),
        default=[name for name in chosen if name in offered],
        format_func=display_name,
        key=f"{key}-{what}",
        help=help,
    )
    return found


def _one(key: str, what: str, label: str, offered: Sequence[str], chosen: str, help: str) -> str:
    options = [_NONE, *offered]
    return str(
        st.selectbox(
            label,
            options,
            index=options.index(chosen) if chosen in options else 0,
            format_func=lambda name: display_name(name) or _NOTHING,
            key=f"{key}-{what}",
            help=help,
            width=250,
        )
    )


def _details(key: str, objectives: Sequence[ObjectiveColumn]) -> list[ObjectiveColumn]:
    """Units, possible values and kinds of data, a line per objective."""
    import pandas as pd

    if not objectives:
        return []
    words = {word: name for name, word in LEAST.items()}
    table = pd.DataFrame(
        {
            "objective": [each.column for each in objectives],
            "unit": [each.unit for each in objectives],
            "values": [LEAST[each.least] for each in objectives],
            "obtained": [str(each.how) for each in objectives],
        }
    )
    terms.caption(
        "Units, which values there can be, and how they were obtained: a value outside is left off the fronts, such as a "
        "latency of 0 or −1, which usually stands for what was never measured."
    )
    edited: pd.DataFrame = st.data_editor(
        table,
        key=f"{key}-details-{crc32(repr([each.column for each in objectives]).encode())}",
        hide_index=True,
        width="stretch",
        height=min(38 * (len(objectives) + 1), 300),
        disabled=["objective"],
        column_config={
            "objective": st.column_config.TextColumn("objective"),
            "unit": st.column_config.TextColumn("unit", max_chars=12),
            "values": st.column_config.SelectboxColumn("values", options=list(words), required=True),
            "obtained": st.column_config.SelectboxColumn(
                "obtained", options=[str(kind) for kind in KINDS], required=True
            ),
        },
    )
    rows = edited.to_dict("records")
    return [
        each.model_copy(
            update={
                "unit": display_name(row["unit"] or "", 12),
                "least": words.get(row["values"], each.least),
                "how": Source(row["obtained"]) if row["obtained"] in set(Source) else each.how,
            }
        )
        for each, row in zip(objectives, rows, strict=True)
    ]
