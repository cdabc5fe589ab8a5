"""InstaTune beside its controls: what ordering by importance gained over a random order, and what training alone gives."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.library.order_controls import KIND, OrderControlsRecord
from core.library.results import result
from core.library.supernets import SupernetEntry
from core.plots.order_controls import order_controls_figure
from core.text import display_name, for_markdown
from core.views import order_controls as view
from core.words import format_count
from core.workflows.control_insta_tune import Request
from pages.ui import checked, resources, terms
from pages.ui.forms import field_number
from pages.ui.progress import submit
from pages.ui.search import kept_runs
from pages.ui.setup import note
from pages.ui.tables import html_table

_LEFT_OUT = ("strategy", "strategy_config", "epochs", "seed")


def draw(entry: SupernetEntry, asked: dict[str, Any] | None) -> None:
    """What was found, or what there is to find, and the button.

    Args:
        entry: the supernet that holds the given network.
        asked: the request of an InstaTune training with the settings of the form; None while it is not complete.
    """
    runs = kept_runs.of(KIND, entry)
    with st.container(key="order-controls"):
        st.markdown("**Was it the order, and is it more than training alone?**")
        if runs:
            run_id = kept_runs.choose(runs, f"pick-controls-{entry.supernet_id}")
            kept_runs.followed(run_id, _found)
        else:
            terms.caption(
                "Three subnets (smallest, median, largest) are got in five ways: cut out with units by importance and at random, "
                "tuned by InstaTune from either order, and trained alone from fresh weights for as many seconds as InstaTune took."
            )
        if asked is None:
            return
        with (
            st.expander("Compare again, with the settings above" if runs else "Compare with its controls"),
            checked.form() as form,
        ):
            _form(entry, asked, form)


def _form(entry: SupernetEntry, asked: dict[str, Any], form: checked.Form) -> None:
    key = entry.supernet_id
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seeds = field_number(Request, "seeds", "Seeds", key=f"controls-seeds-{key}", width=110)
        alone = st.toggle("Train them alone, too", value=True, key=f"controls-alone-{key}")
    each = 2 + 3 * alone
    terms.caption(
        f"{format_count(each * int(seeds))} trainings, each about as long as one InstaTune with the settings above. A verdict takes "
        "three seeds."
    )
    if form.start("Compare", key="controls-start", icon=":material/compare:") and submit(
        KIND,
        _params(entry, asked, int(seeds), alone=bool(alone)),
        title=f"{display_name(entry.title)[:50]}: InstaTune and controls",
        seed=0,
    ):
        st.rerun()


def _params(entry: SupernetEntry, asked: dict[str, Any], seeds: int, *, alone: bool) -> dict[str, Any]:
    training: dict[str, Any] = asked["training"]
    own = dict(training.get("strategy_config", {}))
    criterion = own.pop("criterion", Request.model_fields["criterion"].default)
    request = Request(
        supernet=entry.supernet_id,
        data=asked["data"],
        criterion=criterion,
        training={name: value for name, value in training.items() if name not in _LEFT_OUT},
        strategy=own,
        epochs=training["epochs"],
        seeds=seeds,
        seed=training["seed"],
        alone=alone,
    )
    return request.model_dump(mode="json")


def _found(run_id: str) -> None:
    """The sentences with their rule, the figure and its table."""
    kept = result(resources.store_or_none(), OrderControlsRecord, KIND, run_id)
    if kept is None or not kept.record.reached:
        return
    found = view.order_controls(kept.record)
    for sentence in view.sentences(found):
        st.markdown(f"- {for_markdown(sentence, 600)}")
    st.plotly_chart(
        order_controls_figure(found),
        key=f"order-controls-{run_id}",
        width="stretch",
        config={"displaylogo": False},
        alt="Test accuracy of three subnets, by the way they were got; the table below says the same.",
    )
    html_table(view.rows(found), "Test accuracy of three subnets by the way they were got")
    note(view.RULE)
    st.download_button(
        "As CSV",
        data=view.csv(kept.record),
        file_name="insta-tune-controls.csv",
        mime="text/csv",
        key=f"controls-csv-{run_id}",
        on_click="ignore",
        icon=":material/download:",
    )
