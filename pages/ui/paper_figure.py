"""The button below a chart that draws it anew for a paper: width, format, caption; made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.papers.base import COLUMNS, FORMATS, Layout, PaperFigure

_WIDTHS = {
    name: f"{name.capitalize()} column{'s' * (name != 'one')} ({mm:.0f} mm)" for name, mm in COLUMNS.items()
}


def popover(key: str, name: str, make: Callable[[Layout], PaperFigure]) -> None:
    """Choose and download.

    Args:
        key: of the widgets.
        name: of the file, without its ending.
        make: draws the figure; called outside the page's script, so it calls nothing of Streamlit.
    """
    with st.popover(
        "Figure for a paper", icon=":material/picture_as_pdf:", key=f"paper-{key}", on_change="rerun"
    ) as box:
        # A click on a chart need not send what nobody looks at.
        if box.open:
            _choices(key, name, make)


def _choices(key: str, name: str, make: Callable[[Layout], PaperFigure]) -> None:
    st.caption("Vectors with the fonts inside, at a column's width; nothing becomes a picture.")
    columns = st.selectbox("Width", list(_WIDTHS), format_func=_WIDTHS.__getitem__, key=f"paper-{key}-width")
    kind = st.selectbox("Format", list(FORMATS), format_func=str.upper, key=f"paper-{key}-format")
    with_caption = st.toggle(
        "Caption below the figure",
        value=True,
        key=f"paper-{key}-caption",
        help="What was measured, and how; it is in the file's description in any case.",
    )
    layout = Layout(columns, kind, with_caption)
    st.download_button(
        "Download the figure",
        data=lambda: make(layout).data,
        file_name=f"{name}.{kind}",
        mime=FORMATS[kind],
        key=f"paper-{key}-download",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
    )
