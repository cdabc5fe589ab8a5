"""Samples with what the selected network answers and when they break."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.benchmarks import CLEAN, benchmark_label
from core.plots import pictures
from core.text import for_markdown
from core.views.pruning_detail import samples_of
from core.views.pruning_samples import fragility, sample_rows
from core.words import count_of
from pages.ui import resources
from pages.ui.pruning import view_state
from pages.ui.pruning.shown import Shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
                st.markdown(f"**{count_of(found.selected, 'sample')}** selected{many}.")
                if clear:
                    st.button(
                        "Clear",
                        key="pruning-clear",
                        on_click=view_state.samples.clear,
                        icon=":material/close:",
                    )
        rows = found.rows[: _MOST_PICTURES if found.selected else 12]
        fate = fragility(shown.view, shown.model, shown.benchmark)
        captions = [found.caption(r) + (f" · {fate.said(r)}" if fate else "") for r in rows]
        wrong = [not found.correct[r] for r in rows]
        st.html(pictures.sample_strip(_samples(shown, rows), captions, size=60, marked=wrong))
        st.caption(
            "Class, answer (where it is another), margin, and where along this method's sparsities the sample first fails. "
            f"Framed: wrong here. Shown as the network gets them: {benchmark_label(shown.benchmark).lower()}."
        )


def _samples(shown: Shown, rows: NDArray[np.intp]) -> NDArray[np.float32] | list[str]:
    """The samples as the selected benchmark shows them; clean where they cannot be made here."""
    if shown.benchmark == CLEAN:
        return shown.view.probe.shown(rows)
    try:
        return samples_of(resources.store_or_none(), shown.model.model_id, shown.benchmark, rows)
    except CoreError as error:
        st.caption(f"Clean samples are shown: {for_markdown(error, 300)}")
        return shown.view.probe.shown(rows)
