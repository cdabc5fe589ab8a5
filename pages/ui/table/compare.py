"""Rows put side by side: every objective and every other column of each."""

from __future__ import annotations

import streamlit as st

from core.text import display_name
from core.views.table_front import cells, choices
from core.words import format_value
from pages.ui.table import files, state
from pages.ui.table.scene import Scene
from pages.ui.tables import html_table

_MOST_LINES = 200


def panel(scene: Scene, row: str) -> None:
    """The selected row and those kept beside it, a column each; what differs comes first."""
    kept = state.kept_rows()
    rows = list(dict.fromkeys([row, *kept]))
    if len(rows) < 2:
        st.caption(
            "Keep a row (**Keep to compare** on its card), then select another one: both stand here side by side."
        )
        return
    heads = {each: _head(scene, each, selected=each == row) for each in rows}
    html_table(_lines(scene, heads), "Rows side by side")
    with st.container(horizontal=True, key="tb-kept"):
        for each in kept:
            st.button(
                f"Take away row {each}",
                key=f"tb-drop-{each}",
                icon=":material/close:",
                on_click=state.drop_row,
                args=(each,),
            )
    if kept:
        files.kept_button(files.Files(scene), kept)


def _head(scene: Scene, row: str, *, selected: bool) -> str:
    name = display_name(scene.title_of(row), 28)
    told = [*([f"row {row}"] if name != f"row {row}" else []), *(["selected"] if selected else [])]
    return f"{name} ({', '.join(told)})" if told else name


def _lines(scene: Scene, heads: dict[str, str]) -> list[dict[str, str]]:
    lines: list[tuple[str, list[str]]] = []
    for goal in scene.rows.goals:
        values = [format_value(float(scene.rows.values[goal.name][int(row) - 1]), goal) for row in heads]
        lines.append((goal.label, values))
    others = [
        {**choices(scene.name_of(row)), **cells(scene.rows, int(row) - 1, scene.rows.mapping.configuration)}
        for row in heads
    ]
    for name in dict.fromkeys(name for each in others for name in each):
        lines.append((name, [each.get(name, "") for each in others]))
    ordered = sorted(lines, key=lambda line: len(set(line[1])) == 1)
    return [
        {"column": name, **dict(zip(heads.values(), values, strict=True))}
        for name, values in ordered[:_MOST_LINES]
    ]
