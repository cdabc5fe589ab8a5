"""Small static tables, with what a screen reader needs: a caption, and heads that say what they are the head of."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.text import LONGEST, display_name
from pages.ui import projector

_DEEPEST = 5
_ROW_REM = 35 / 16
_FONT, _FONT_PROJECTED = 15, 18
_LONGEST_SETTING = 400  # a list of what was asked for is not cut; a text of somebody's file is


def html_table(rows: Sequence[Mapping[str, Any]], caption: str = "", longest: int = LONGEST) -> None:
    """A small static table; the cells are escaped.

    Args:
        rows: column name -> cell, all with the same columns; the first column heads its row.
        caption: what the table is about. It is read out, not drawn: on the screen the text around it says so.
        longest: characters of a cell; what is longer is cut.
    """
    if not rows:
        return
    head = "".join(f'<th scope="col">{_cell(name)}</th>' for name in rows[0])
    body = "".join(_row(list(row.values()), longest) for row in rows)
    # A wide table is scrolled within its frame, by keyboard as well.
    frame = f'<div class="ps-scroll" tabindex="0" role="group" aria-label="{_cell(caption or "Table")}">'
    told = f'<caption class="ps-unseen">{_cell(caption)}</caption>' if caption else ""
    st.html(
        f'{frame}<table class="ps-table">{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def height_of(rows: int, *, most: int = 10) -> int:
    """Pixels of a `st.dataframe` of so many rows: it is no higher than they are, and keeps its place until it is drawn.

    Args:
        rows: how many there are.
        most: how many are seen at once; the others are scrolled to.
    """
    font = _FONT_PROJECTED if projector.is_on() else _FONT
    return round(_ROW_REM * font) * (1 + min(rows, most)) + 2


def settings_table(settings: Mapping[str, Any], caption: str) -> None:
    """Nested settings as two columns, with the way to each value: "data / name"; of lists, by name or number."""
    rows = [{"setting": name, "value": value} for name, value in flat_settings(settings)]
    html_table(rows, caption, _LONGEST_SETTING)


def _row(cells: Sequence[Any], longest: int) -> str:
    first, others = cells[0], cells[1:]
    values = "".join(f"<td>{_cell(each, longest)}</td>" for each in others)
    return f'<tr><th scope="row">{_cell(first)}</th>{values}</tr>'


def _cell(value: Any, longest: int = LONGEST) -> str:
    return html.escape(display_name(value, longest), quote=True)


def flat_settings(settings: Mapping[str, Any], way: str = "", depth: int = 1) -> list[tuple[str, str]]:
    """The way to each value, and the value as text."""
    found: list[tuple[str, str]] = []
    for name, value in settings.items():
        here = f"{way} / {name}" if way else str(name)
        inner = _inner(value)
        if inner and depth < _DEEPEST:
            found += flat_settings(inner, here, depth + 1)
        elif isinstance(value, list | tuple):
            found.append((here, ", ".join(map(str, value)) or "none"))
        else:
            found.append((here, "none" if value in (None, "", {}) else str(value)))
    return found


def _inner(value: Any) -> Mapping[str, Any]:
    """What stands in a setting that holds others: methods of a list go by their names where these tell them apart."""
    if isinstance(value, Mapping):
        return value
    if (
        not isinstance(value, list | tuple)
        or not value
        or not all(isinstance(each, Mapping) for each in value)
    ):
        return {}
    names = [str(each.get("name", "")) for each in value]
    if "" in names or len(set(names)) < len(names):
        return {str(number): each for number, each in enumerate(value, 1)}
    rest = [{key: v for key, v in each.items() if key != "name" and v != {}} for each in value]
    return {name: settings or "defaults" for name, settings in zip(names, rest, strict=True)}
