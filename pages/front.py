"""Front: see the trade-off, pick a subnet, understand it, take it home."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.objectives.base import usual_pair
from core.views.memory import usual_memory_pair
from pages.ui import choosers, resources
from pages.ui.captions import caption, coverage, measured_objectives, table_of
from pages.ui.front import PAGE, devices, latency, memory, partial, state
from pages.ui.front import settings as front_settings
from pages.ui.front.chance import FrontSure
from pages.ui.front.chart import ChartView
from pages.ui.front.hero import hero
from pages.ui.front.scene import Scene
from pages.ui.front.what_if import Shown
from pages.ui.setup import setup

setup(PAGE)

view = state.current_view()
entry = choosers.choose_supernet(resources.entries(), view.supernet)
run_id, revision, table = table_of(entry, view.run)
if table is None or table.empty:
    partial.unmeasured(entry)
    st.stop()

setting = memory.setting(view)
revision, table = memory.at(revision, table, setting)
goals = measured_objectives(table)
# What test data say is on the card and in the table, never chosen for.
axes = [g for g in goals if g.for_choosing]
names = [g.name for g in axes]
usual = usual_memory_pair(names) or usual_pair(names)
if usual is None:
    st.info(
        "Only one objective was measured here, and a front needs two. Search with another one as well.",
        icon=":material/info:",
    )
    st.stop()
with st.container(key="settings-bar", horizontal=True, vertical_alignment="bottom"):
    y = choosers.choose_axis("Vertical axis", "y", axes, view.y, usual[0])
    x = choosers.choose_axis("Horizontal axis", "x", axes, view.x, usual[1], taken=y.name)
    with st.popover("Limits", icon=":material/tune:", key="limits"):
        limits = choosers.choose_limits(revision, table, axes, view.constraints)
    with st.popover("More", icon=":material/more_horiz:", key="more"):
        more = front_settings.choose(entry, view, x, y, table)
    latency.button(entry, table, axes, x, y)
view = memory.sliders(view, setting, (x.name, y.name, *(limit.objective for limit in limits)))
latency.progress(entry)

now = replace(
    view,
    supernet=entry.supernet_id,
    run=run_id,
    x=x.name,
    y=y.name,
    log_x=more.log_x,
    log_y=more.log_y,
    constraints=limits,
    pruned=more.pruned_of,
)
front = resources.front(revision, (x.name, y.name), limits, table)
front = latency.said(front, entry)
if front.members.empty:
    st.info("No subnet meets these limits. Loosen one of them.", icon=":material/filter_alt_off:")
    state.publish(now)
    st.stop()
sure = FrontSure.of(entry, revision, table, front, limits, goals)
chart = ChartView(
    key=f"{revision}{limits}",
    x=x.name,
    y=y.name,
    log_x=more.log_x,
    log_y=more.log_y,
    line=more.line,
    mark_knees=more.mark_knees,
    caption=caption(entry, front, setting),
    picture=more.picture,
    name=f"front-{entry.supernet_id}",
    whiskers=more.whiskers,
    trained="asked" if more.trained else "",
    uniform=more.uniform,
    sure=sure.key,
)
covered = coverage(entry, table)
if not covered.complete:
    known = resources.rows(revision, table)
    partial.next_steps(entry, covered, front, known, of_run=bool(run_id))
hero(Scene(Shown.of(entry, revision, table, goals), front, x, y, sure, chart, now))
devices.panel(entry)
