"""Zero-cost proxies held against what was measured, always beside 'parameters' and 'MACs'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import CoreError
from core.library.proxies import KIND, ProxiesRecord
from core.library.supernets import SupernetEntry
from core.plots.finished import finished
from core.proxies import PROXIES
from core.records import Run
from core.text import for_markdown
from core.views import proxies as view
from core.workflows.score_proxies import Request
from pages.ui import checked, resources, terms
from pages.ui.forms import field_number
from pages.ui.progress import submit
from pages.ui.search import kept_runs
from pages.ui.setup import note
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

_WEIGHTS = {"fresh": "Untrained (as the papers)", "supernet": "The supernet's weights"}


def panel(entry: SupernetEntry, searches: Sequence[Run]) -> None:
    """Choose how many subnets, start, and see which proxy orders them like their accuracy."""
    runs = kept_runs.of(KIND, entry)
    if not runs:
        terms.caption(
            "A zero-cost proxy scores an untrained network from one batch, in milliseconds. Does its order agree with what "
            "was measured? Two baselines stand beside: counting parameters and MACs. In public benchmarks few proxies beat them."
        )
    with st.expander("Score again, with other settings" if runs else "Settings", expanded=not runs):
        _form(entry)
    if runs:
        kept_runs.followed(kept_runs.choose(runs, "pick-proxies"), lambda run_id: _results(entry, run_id))


def _form(entry: SupernetEntry) -> None:
    infos = {info.name: info for info in PROXIES.describe()}
    with checked.form() as form:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            subnets = field_number(Request, "subnets", "Subnets", key="proxies-subnets", step=10)
            samples = field_number(Request, "samples", "Samples in the batch", key="proxies-samples", step=16)
            seed = field_number(Request, "seed", "Seed", key="proxies-seed")
        weights = st.segmented_control(
            "Weights",
            list(_WEIGHTS),
            format_func=_WEIGHTS.__getitem__,
            default="fresh",
            required=True,
            key="proxies-weights",
            help="Proxies are defined for untrained networks. With the supernet's weights they are something else, which may order better.",
        )
        with st.expander("What each proxy is"):
            for info in infos.values():
                st.markdown(
                    f"**{for_markdown(info.label)}**: {for_markdown(info.summary, 600)} *{for_markdown(info.source, 300)}*"
                )
        pressed = form.start("Score them", key="proxies-start", type="primary", icon=":material/play_arrow:")
    if pressed:
        params: dict[str, Any] = {
            "supernet": entry.supernet_id,
            "subnets": int(subnets),
            "samples": int(samples),
            "weights": weights,
            "seed": int(seed),
        }
        title = f"Proxies of {int(subnets)} subnets, {_WEIGHTS[weights].partition(' (')[0].lower()}"
        if submit(KIND, params, title=title, seed=int(seed)):
            st.rerun()


def _results(entry: SupernetEntry, run_id: str) -> None:
    try:
        record = ProxiesRecord.so_far(resources.store().ledger(run_id))
    except CoreError as error:
        st.warning(for_markdown(error, 600), icon=":material/warning:")
        return
    done = sum(bool(row.scores) for row in record.rows) if record else 0
    if record is None or done < 8:
        return
    found = _rows(f"{run_id}-{done}-{record.learned}", record)
    st.markdown(for_markdown(view.sentence(found), 1000))
    st.plotly_chart(
        _figure(f"{run_id}-{done}-{record.learned}", found),
        key="proxies-correlations",
        width="stretch",
        config={"displaylogo": False},
        alt="Rank correlation of every proxy and baseline with what was measured, with intervals.",
    )
    html_table(view.table(found), "Rank correlation of scores with what was measured")
    note(view.how_measured(record))
    with st.container(horizontal=True):
        for label, make, name in (
            ("Scores of every subnet as CSV", lambda: view.csv(record, entry.space), "scores"),
            ("Correlations as CSV", lambda: view.correlations_csv(record), "correlations"),
        ):
            st.download_button(
                label,
                make,
                f"proxies-{name}-{entry.supernet_id}.csv",
                "text/csv",
                key=f"proxies-{name}-csv",
                on_click="ignore",
                icon=":material/table:",
            )


@st.cache_resource(show_spinner=False, max_entries=32)
def _rows(key: str, _record: ProxiesRecord) -> list[view.ProxyRow]:
    return view.rows(_record)


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(key: str, _rows: list[view.ProxyRow]) -> go.Figure:
    from core.plots.predictors import correlation_figure

    return finished(correlation_figure(_rows))
