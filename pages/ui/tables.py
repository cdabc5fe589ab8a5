"""Small static tables, with what a screen reader needs: a caption, and heads that say what they are the head of."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.text import display_name

_DEEPEST = 4


def html_table(rows: Sequence[Mapping[str, Any]], caption: str = "") -> None:
    """A small static table; the cells are escaped.

    Args:
        rows: column name -> cell, all with the same columns; the first column heads its row.
        caption: what the table is about. It is read out, not drawn: on the screen the text around it says so.
    """
    if not rows:
        return
    head = "".join(f'<th scope="col">{_cell(name)}</th>' for name in rows[0])
    body = "".join(_row(list(row.values())) for row in rows)
    # A wide table is scrolled within its frame, by keyboard as well.
    frame = f'<div class="ps-scroll" tabindex="0" role="group" aria-label="{_cell(caption or "Table")}">'
    told = f'<caption class="ps-unseen">{_cell(caption)}</caption>' if caption else ""
    st.html(
        f'{frame}<table class="ps-table">{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def settings_table(settings: Mapping[str, Any], caption: str) -> None:
    """Nested settings as two columns, with the way to each value: "data / name"."""
    html_table([{"setting": name, "value": value} for name, value in _flat(settings)], caption)


def _row(cells: Sequence[Any]) -> str:
    first, others = cells[0], cells[1:]
    return f'<tr><th scope="row">{_cell(first)}</th>{"".join(f"<td>{_cell(v)}</td>" for v in others)}</tr>'


def _cell(value: Any) -> str:
    return html.escape(display_name(value), quote=True)


def _flat(settings: Mapping[str, Any], way: str = "", depth: int = 1) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in settings.items():
        here = f"{way} / {name}" if way else str(name)
        if isinstance(value, Mapping) and value and depth < _DEEPEST:
            found += _flat(value, here, depth + 1)
        elif isinstance(value, list | tuple):
            found.append((here, ", ".join(map(str, value)) or "none"))
        else:
            found.append((here, "none" if value in (None, "", {}) else str(value)))
    return found
