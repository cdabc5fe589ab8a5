"""What the two nets answer: accuracy of each, and how alike the answers are."""

from __future__ import annotations

import math

import streamlit as st

from core.errors import CoreError
from core.library.networks import load_model
from core.text import for_markdown
from core.views.compare_models import accuracies, compare_outputs
from pages.ui import resources
from pages.ui.setup import note
from pages.ui.similarity.selection import Compared
from pages.ui.tables import html_table


def panel(view: Compared) -> None:
    """Numbers about the answers on the probe."""
    st.caption("Two nets can represent samples differently and still answer alike, or the other way round.")
    store = resources.store_or_none()
    try:
        a, b = (load_model(store, m.model_id) for m in (view.a, view.b))
        found = compare_outputs(a, b, view.probe)
        shares = accuracies(a, b, view.probe)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    html_table(
        [{"on these samples": name, "accuracy": f"{100 * share:.1f} %"} for name, share in shares.items()],
        "Accuracy of both networks on these samples",
    )
    html_table(
        [
            {
                "measure": o.label,
                "value": o.reason if math.isnan(o.value) else f"{o.value:.3f}",
                "shuffled samples": "" if math.isnan(o.null_mean) else f"{o.null_mean:.3f} ± {o.null_sd:.3f}",
            }
            for o in found
        ],
        "Agreement of both networks' answers",
    )
    note(
        "Shuffled samples: the same with B's answers in random order, 20 times. Agreement says nothing about being right."
    )
