"""Images of samples with what the selected network answers and when they break."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.plots.pictures import image_strip
from core.workflows.pruning_samples import fragility, sample_rows
from pages.ui.pruning import view_state
from pages.ui.pruning.shown import Shown

_MOST_PICTURES = 24


def sample_strip(shown: Shown, ids: Sequence[int], *, clear: bool = True) -> None:
    """The selected samples, lowest margin first; without a selection the ones nearest to being wrong."""
    found = sample_rows(shown.view, shown.model.model_id, shown.benchmark, ids)
    with st.container(key="pruning-images"):
        if not found.selected:
            st.caption("No samples selected: these have the lowest margins.")
        else:
            with st.container(horizontal=True, vertical_alignment="center"):
                many = (
                    f"; the {_MOST_PICTURES} of lowest margin are shown"
                    if found.selected > _MOST_PICTURES
                    else ""
                )
                st.markdown(f"**{found.selected}** sample{'s' * (found.selected != 1)} selected{many}.")
                if clear:
                    st.button(
                        "Clear",
                        key="pruning-clear",
                        on_click=view_state.clear_samples,
                        icon=":material/close:",
                    )
        rows = found.rows[: _MOST_PICTURES if found.selected else 12]
        fate = fragility(shown.view, shown.model, shown.benchmark)
        captions = [found.caption(r) + (f" · {fate.said(r)}" if fate else "") for r in rows]
        st.html(
            image_strip(
                shown.view.probe.x[rows], captions, size=60, marked=[not found.correct[r] for r in rows]
            )
        )
        st.caption(
            "Class, answer (where it is another), margin, and where along this method's sparsities the sample first fails. Framed: wrong here. "
            "The clean images are shown."
        )
