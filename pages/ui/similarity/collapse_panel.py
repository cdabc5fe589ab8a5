"""Collapse: do the class means of the last features form a simplex, and does the classifier follow them?"""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.library.networks import load_model
from core.plots.finished import finished
from core.plots.task_geometry import cosine_figure
from core.text import for_markdown
from core.views.task_geometry import CollapseView, collapse_view
from pages.ui import resources, terms
from pages.ui.setup import note
from pages.ui.similarity.selection import Compared
from pages.ui.tables import html_table

_ROWS = (
    ("NC1", "nc1", "spread inside classes against spread between them"),
    ("NC2, lengths", "nc2_norm", "class means: unequal lengths"),
    ("NC2, lengths of weights", "nc2_norm_weights", "classifier rows: unequal lengths"),
    ("NC2, angles", "nc2_angle", "class means: mean distance of their cosines from the simplex's"),
    ("NC3", "nc3", "classifier against class means"),
    ("NC4", "nc4", "decisions other than those of the nearest class mean"),
)


def panel(view: Compared) -> None:
    """Both models side by side."""
    terms.caption(
        "Trained far beyond zero error, networks tend to pull each class into one point and to place the points as far "
        "apart as possible. Every number below is 0 when that is complete."
    )
    store = resources.store_or_none()
    found: dict[str, CollapseView] = {}
    for name, info in (("A", view.a), ("B", view.b)):
        try:
            found[name] = collapse_view(load_model(store, info.model_id), view.probe)
        except CoreError as error:
            st.info(f"{name}: {for_markdown(error, 600)}", icon=":material/block:")
    if not found:
        return
    html_table(
        [
            {"measure": label, "meaning": meaning}
            | {n: f"{getattr(v.found, field):.3f}" for n, v in found.items()}
            for label, field, meaning in _ROWS
        ]
        + [
            {
                "measure": "to the simplex",
                "meaning": "centered class means against a simplex (balanced classes)",
            }
            | {n: f"{v.to_simplex:.3f}" for n, v in found.items()},
            {
                "measure": "to the orthogonal frame",
                "meaning": "class means against the target for these class sizes (no bias)",
            }
            | {n: f"{v.to_frame:.3f}" for n, v in found.items()},
        ],
        "Neural collapse of each network",
    )
    for column, (name, v) in zip(st.columns(len(found), gap="medium"), found.items(), strict=True):
        with column:
            title = f"{name}: cosines between class means"
            figure = cosine_figure(v.found.cosines, v.classes, title=title)
            st.plotly_chart(
                finished(figure), key=f"collapse-{name}", width="stretch", config={"displayModeBar": False}
            )
    one = next(iter(found.values()))
    note(
        f"{one.n:,} training images (at least {one.smallest} per class), features that enter the last linear layer. White is "
        f"the simplex: cosine {-1 / max(1, len(one.classes) - 1):.3f}. On small data and with tens of features collapse stays partial; NC1 is the "
        "trace of S_W S_B⁺, not divided by the number of classes. With fewer units than classes a simplex does not fit at all."
    )
