"""The place of the panel for other devices: closed, it loads and costs nothing."""

from __future__ import annotations

import streamlit as st

from core.library.supernets import SupernetEntry
from pages.ui.progress import active, all_runs, watch

_OPEN, _MAKE = "other-devices", "make_kit"


def panel(entry: SupernetEntry) -> None:
    """Below the chart, drawn when it is opened; follows the making of a kit."""
    watch(lambda: _draw(entry), lambda: bool(st.session_state.get(_OPEN)) and active(all_runs([_MAKE])))


def _draw(entry: SupernetEntry) -> None:
    with st.expander("Your own device, and published ones", key=_OPEN, on_change="rerun") as box:
        if box.open:
            from pages.ui.front import kit

            kit.draw(entry)
