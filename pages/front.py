"""Front: see the trade-off, pick a subnet, understand it, take it home."""

from __future__ import annotations

import streamlit as st

from core.objectives.base import usual_pair
from pages.ui import choosers, resources, state
from pages.ui.address import View
from pages.ui.captions import caption, table_of
from pages.ui.front import pruned_overlay, subnet_card, what_if
from pages.ui.front import settings as front_settings
from pages.ui.front.chart import ChartView, front_chart
from pages.ui.front.table import basket_table, choose_subnet, csv_button, front_table
from pages.ui.setup import setup, share
from pages.ui.supernets.gallery import unmeasured

setup(
    "Front",
    "Which subnet should I take? Every dot is one subnet of the supernet; no other subnet beats those on the line.",
)

view = state.current_view()
entry = choosers.choose_supernet(resources.entries(), view.supernet)
st.session_state["basket-of"] = entry.supernet_id
run_id, revision, table = table_of(entry, view.run)
if table is None or table.empty:
    unmeasured(entry)
    st.stop()

goals = choosers.measured_objectives(table)
# What test data say is shown on the card and in the table, never chosen for.
axes = [g for g in goals if g.for_choosing]
usual = usual_pair(g.name for g in axes)
if usual is None:
    st.info(
        "Only one objective was measured here, and a front needs two. Search with another one as well.",
        icon=":material/info:",
    )
    st.stop()
with st.container(key="settings-bar", horizontal=True, vertical_alignment="bottom"):
    y = choosers.choose_axis("Up", "y", axes, view.y, usual[0])
    x = choosers.choose_axis("Across", "x", axes, view.x, usual[1], taken=y.name)
    with st.popover("Limits", icon=":material/tune:", key="limits"):
        limits = choosers.choose_limits(revision, table, axes, view.constraints)
    with st.popover("More", icon=":material/more_horiz:", key="more"):
        more = front_settings.choose(entry, view, x, y, table)

front = resources.front(revision, (x.name, y.name), limits, table)
if front.members.empty:
    st.info("No subnet meets these limits. Loosen one of them.", icon=":material/filter_alt_off:")
    state.publish(
        View(entry.supernet_id, run_id, x.name, y.name, "", more.log_x, more.log_y, limits, more.pruned_of)
    )
    st.stop()
shown = what_if.Shown.of(entry, revision, table, goals)
if not shown.holds(state.selected()):
    state.select(next(iter(front.knees.values()), front.members["arch_id"].iloc[0]))

with st.container(key="hero"):
    left, right = st.columns([2, 1], gap="medium")
with right, st.container(key="subnet-card"):
    arch_id = choose_subnet(shown, front)
    arch = entry.space.from_id(arch_id)
    values = shown.row(arch_id)
    subnet_card.headline(arch_id, values, x, y)
    subnet_card.diagram(entry, arch)
    subnet_card.metrics(values, goals, shown.obtained(arch_id))
    subnet_card.readings(entry, arch)
    subnet_card.download(entry, arch)
    neighbors, costs, choices = st.tabs(["Neighbors", "What a choice costs", "Choices"])
    with neighbors:
        what_if.neighbors(shown, front, arch_id)
    with costs:
        what_if.choice_costs(shown, arch, [y, x])
    with choices:
        what_if.choices_line(entry, arch)
with left:
    chart_place = st.container()
    with st.container(horizontal=True, vertical_alignment="center", key="front-facts"):
        what_if.knee_buttons(front)
        subnet_card.basket_button(arch_id)
        subnet_card.representations_button(entry, arch_id)
        subnet_card.prune_button(entry, arch_id)
        what_if.facts(front, x, y)
    tabs = ["What if", "Compare", "Stages", "Table", f"Basket ({len(state.basket())})"]
    changes, other, stages, rows, basket = st.tabs(tabs, key="front-tabs", on_change="rerun")
    with changes:
        tried = what_if.try_changes(shown, arch)
    with other:
        what_if.compare(shown, front, arch)
    with stages:
        subnet_card.stage_table(entry, arch)
    with rows:
        # Only while looked at: the browser loads a megabyte for its first table, and the chart comes first.
        if rows.open:
            front_table(front, goals)
            csv_button(front, entry.supernet_id)
    with basket:
        basket_table(shown)
    ghost, here = what_if.ghost(tried, values, x, y)
    with chart_place:
        pruned = pruned_overlay.points(more.pruned_of, x, y)
    chart = ChartView(
        f"{revision}{limits}", x.name, y.name, more.log_x, more.log_y, more.line, more.mark_knees, arch_id if ghost else state.seed(), ghost, here,
        caption(entry, front, run_id), more.picture, f"front-{entry.supernet_id}", pruned_overlay.revision(pruned),
    )  # fmt: skip
    with chart_place:
        front_chart(front, chart, pruned)
        pruned_overlay.picked(pruned)

share(
    state.publish(
        View(
            entry.supernet_id, run_id, x.name, y.name, arch_id, more.log_x, more.log_y, limits, more.pruned_of
        )
    )
)
