"""What a comparison of trainings says: the verdict and its rule, accuracy by cost, who is behind where, how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.comparisons import ComparisonRecord, keep, kept_of
from core.plots.trainings import accuracy_by_cost_figure, conflict_figure, drawn_figure, sizes_figure
from core.plots.trainings_numbers import agreement_rows, class_rows, method_rows
from core.records import Metrics, Run
from core.text import display_name, for_markdown
from core.training.watch_rows import PAIRS
from core.views import trainings_compared as view
from core.views import trainings_watched as watched
from core.views.trainings_verdict import RULE
from core.words import format_bytes, format_count, format_share
from pages.ui import resources
from pages.ui.setup import note
from pages.ui.supernets import state as page_state
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

_HOW = ("Sizes drawn", "Loss by size", "Accuracy by epoch", "Gradients")
_PLAIN = {"displaylogo": False}


def draw(run: Run) -> None:
    """Everything that is known so far."""
    ledger = resources.store().ledger(run.run_id)
    try:
        record, rows = ComparisonRecord.so_far(ledger), ledger.metrics()
    except CoreError as error:
        st.warning(for_markdown(error, 600), icon=":material/warning:")
        return
    if record is None:
        if not run.state.is_final:
            st.caption("The first training is under way; what it draws is shown once it is done.")
        return
    found = view.trainings_compared(record)
    if found is None:
        return
    _verdict(record, found)
    key = f"{run.run_id}-{len(record.trainings)}"
    html_table(method_rows(record, found), "Methods: budget, time and test accuracy over seeds")
    if own := view.own_settings(record):
        st.caption(for_markdown(own, 800))
    _by_cost(key, found)
    st.subheader("Who is behind, and where", anchor=False)
    html_table(
        class_rows(found), "Test accuracy by MACs: the best method, and how far behind it the others are"
    )
    note(
        "Fifths of the space by MACs. “Not told apart” means that the seeds do not tell this difference from chance by the "
        "rule above, corrected for all methods and fifths."
    )
    _order(found)
    _how_it_went(run.run_id, record, rows)
    _files(run, record)


def _verdict(record: ComparisonRecord, found: view.TrainingsCompared) -> None:
    with st.container(border=True, key="compare-verdict"):
        st.markdown(f"**{for_markdown(found.verdict.sentence, 1500)}**")
        done = len(record.trainings)
        if done < record.asked:
            st.caption(f"So far: {done} of {record.asked} trainings are done.")
        note(RULE)


def _by_cost(key: str, found: view.TrainingsCompared) -> None:
    st.subheader("Accuracy by cost", anchor=False)
    several = any(len(values) > 1 for values in found.by_cost.values.values())
    apart = several and st.toggle(
        "Seeds apart", key="compare-apart", help="A line per seed instead of their mean and band."
    )
    st.plotly_chart(
        _cost_figure(key, bool(apart), found),
        key="compare-by-cost",
        width="stretch",
        config=_PLAIN,
        alt="Mean test accuracy of subnets by MACs, a line per method with a band over its seeds.",
    )
    st.caption(
        f"Each point is the mean of {format_count(found.by_cost.per_place)} or more measured subnets that lie next to each other "
        "by MACs."
    )


def _order(found: view.TrainingsCompared) -> None:
    if not found.order:
        return
    st.subheader("Do they order subnets alike?", anchor=False)
    st.markdown(for_markdown(found.order, 800))
    html_table(agreement_rows(found), "Kendall's tau between the orders of the measured subnets")


def _how_it_went(run_id: str, record: ComparisonRecord, rows: list[Metrics]) -> None:
    st.subheader("How the trainings went", anchor=False)
    chosen = st.segmented_control(
        "Show",
        _HOW,
        default=_HOW[0],
        required=True,
        key="compare-how",
        label_visibility="collapsed",
    )
    key = f"{run_id}-{len(rows)}"
    if chosen == _HOW[3]:
        _gradients(key, record, rows)
        return
    if chosen == _HOW[2]:
        figure = _sizes_figure(key, record, rows)
        told = (
            "The smallest, the middle and the largest of the measured subnets, on up to 1,000 validation samples; means over "
            "the seeds."
        )
    elif chosen == _HOW[1]:
        figure = _drawn_figure(key, True, record, rows)
        told = (
            "Training loss of what was drawn, by fifths of the space. A subnet that learns from another one has another loss "
            "than one that learns from labels: compare within a method."
        )
    else:
        figure = _drawn_figure(key, False, record, rows)
        told = (
            "Which fifths of the space the steps of each epoch trained; the dotted lines are where the borders would lie if "
            "every architecture were drawn equally often."
        )
    st.plotly_chart(
        figure,
        key=f"compare-{chosen}",
        width="stretch",
        config=_PLAIN,
        alt=f"{chosen} by epoch, for every method.",
    )
    st.caption(told)


def _gradients(key: str, record: ComparisonRecord, rows: list[Metrics]) -> None:
    found = watched.conflicts(record, rows)
    if not found:
        st.caption("Gradients are compared for the first time after the first epoch.")
        return
    pairs = [f"{a} and {b}" for a, b in PAIRS]
    points = max((each.at for each in found), key=len)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pair = st.selectbox("Sizes", pairs, index=1, key="compare-pair", width=230)
        point = st.selectbox(
            "After",
            range(len(points)),
            index=len(points) - 1,
            format_func=lambda i: f"{format_share(points[i])} of the training",
            key="compare-point",
            width=230,
        )
    st.plotly_chart(
        _conflict_figure(key, pairs.index(pair), point, record, rows),
        key="compare-gradients",
        width="stretch",
        config=_PLAIN,
        alt="Cosine of the gradients of two subnets by stage, a line per method with a band over its seeds.",
    )
    st.caption(
        f"Both subnets answer the same {record.batch} training samples (the first ones, without augmentation); the cosine is "
        "over the weights of a stage that both move. At 1 they pull the same way, below 0 what helps one harms the other. A "
        "stage that one of them lacks has no point."
    )


def _files(run: Run, record: ComparisonRecord) -> None:
    st.download_button(
        "Every measured subnet as CSV",
        lambda: view.csv(record),
        "compare.csv",
        "text/csv",
        key=f"compare-csv-{run.run_id}",
        on_click="ignore",
        icon=":material/table:",
    )
    st.subheader("The trained supernets", anchor=False)
    size = format_bytes(sum(each.bytes for each in record.trainings))
    st.caption(
        f"All {len(record.trainings)} are kept with this comparison ({size}) until it is deleted on the page Runs. One that is kept "
        "in the gallery is an ordinary supernet: measure it, search it, download it."
    )
    there = kept_of(resources.store(), record)
    with st.container(key="compare-nets"):
        for each in sorted(record.trainings, key=lambda t: (t.method, t.seed)):
            name = f"{record.methods[each.method].label}, seed {each.seed}"
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(for_markdown(name))
                if each.index in there:
                    st.button(
                        "Open in the gallery",
                        key=f"compare-open-{each.index}",
                        on_click=page_state.show,
                        args=(there[each.index],),
                        icon=":material/hub:",
                    )
                else:
                    st.button(
                        "Keep this supernet",
                        key=f"compare-keep-{each.index}",
                        on_click=_keep,
                        args=(run.run_id, each.index, f"{display_name(record.title, 50)}: {name}"[:80]),
                        icon=":material/add:",
                    )


def _keep(run_id: str, index: int, title: str) -> None:
    try:
        keep(resources.store(), run_id, index, title)
    except CoreError as error:
        st.toast(for_markdown(error, 600), icon=":material/error:")
    else:
        st.toast("It is in the gallery above.", icon=":material/hub:")


# Figures are kept by what they are made of: an equal figure keeps its zoom.


@st.cache_resource(show_spinner=False, max_entries=32)
def _cost_figure(key: str, apart: bool, _found: view.TrainingsCompared) -> go.Figure:
    return accuracy_by_cost_figure(_found.by_cost, apart=apart)


@st.cache_resource(show_spinner=False, max_entries=32)
def _drawn_figure(key: str, losses: bool, _record: ComparisonRecord, _rows: list[Metrics]) -> go.Figure:
    return drawn_figure(watched.drawn(_record, _rows), view.class_labels(_record), losses=losses)


@st.cache_resource(show_spinner=False, max_entries=32)
def _sizes_figure(key: str, _record: ComparisonRecord, _rows: list[Metrics]) -> go.Figure:
    return sizes_figure(watched.sizes_over_time(_record, _rows))


@st.cache_resource(show_spinner=False, max_entries=32)
def _conflict_figure(
    key: str, pair: int, point: int, _record: ComparisonRecord, _rows: list[Metrics]
) -> go.Figure:
    found = watched.conflicts(_record, _rows)
    return conflict_figure(found, _record.stages, point=point, pair=pair)
