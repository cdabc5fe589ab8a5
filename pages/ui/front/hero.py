"""The part of the Front page that a click changes: chart, card and the panels below, in one fragment.

A click runs this and nothing above it: choosers, limits and the list of supernets stay as they are. What is
behind a closed tab is not computed.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import streamlit as st

from pages.ui import resources
from pages.ui.basket import panel as basket_panel
from pages.ui.front import (
    chance,
    closer,
    files,
    memory,
    pruned_overlay,
    state,
    subnet_card,
    trained_overlay,
    uniform_line,
    what_if,
)
from pages.ui.front.chart import KEY, front_chart
from pages.ui.front.scene import Scene
from pages.ui.front.table import choose_subnet, front_table
from pages.ui.setup import share
from pages.ui.state import is_new

_TABS = "front-tabs"
_WHAT_IF = "What if"
_WRITE = "Write text"
_BASKET = "Basket"


@st.fragment
def hero(scene: Scene) -> None:
    """Draw everything that depends on the selected subnet, and write the selection into the address."""
    if not scene.shown.holds(state.selected()):
        state.select(next(iter(scene.front.knees.values()), scene.front.members["arch_id"].iloc[0]))
    with st.container(key="hero"):
        left, right = st.columns([2, 1], gap="medium")
    arch_id = state.selected()
    with left:
        place = st.container(key="chart-place")
    first = is_new("front-shown", (scene.shown.entry.supernet_id, scene.x.name, scene.y.name))
    if first:
        with place:
            _chart(scene, arch_id)
    with right, st.container(key="subnet-card"):
        choose_subnet(scene.shown, scene.front)
        _card(scene, arch_id)
    if not first:
        with place:
            _chart(scene, arch_id)
    with left:
        _facts(scene, arch_id)
        chance.below_chart(scene.sure)
        if scene.chart.uniform:
            uniform_line.told(scene)
        _panels(scene, arch_id)
    share(state.publish(closer.draw(scene)))


def _card(scene: Scene, arch_id: str) -> None:
    entry = scene.shown.entry
    arch, values = entry.space.from_id(arch_id), scene.shown.row(arch_id)
    subnet_card.headline(arch_id, values, scene.x, scene.y)
    subnet_card.diagram(entry, arch)
    subnet_card.metrics(
        values,
        scene.shown.goals,
        scene.shown.obtained(arch_id),
        scene.sure.intervals(values),
        [*chance.card_lines(scene.sure, arch_id), *memory.lines(values, scene.view)],
    )
    subnet_card.readings(entry, arch)
    subnet_card.download(entry, arch)
    names = ["Neighbors", "What a choice costs", "Choices", "Tune"]
    neighbors, costs, choices, tune = st.tabs(names, key="card-tabs", on_change="rerun")
    if neighbors.open:
        with neighbors:
            what_if.neighbors(scene.shown, scene.front, arch_id, chance.cheaper_than(scene.sure, arch_id))
    if costs.open:
        with costs:
            what_if.choice_costs(scene.shown, arch, [scene.y, scene.x])
    if choices.open:
        with choices:
            what_if.choices_line(entry, arch)
    if tune.open:
        with tune:
            import_module("pages.ui.front.tuning_panel").draw(entry, arch_id)


def _facts(scene: Scene, arch_id: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="front-facts"):
        what_if.knee_buttons(scene.front, scene.covered)
        subnet_card.basket_button(scene.shown.entry, arch_id)
        subnet_card.representations_button(scene.shown.entry, arch_id)
        subnet_card.prune_button(scene.shown.entry, arch_id)
        files.figure(_files(scene), arch_id, (scene.chart.log_x, scene.chart.log_y))
        what_if.facts(scene.front, scene.x, scene.y, scene.covered)


def _files(scene: Scene) -> files.Files:
    shown = scene.shown
    kept = resources.quiet_store()
    return files.Files(shown.entry, scene.front, scene.x, scene.y, shown.goals, view=scene.view, store=kept)


def _panels(scene: Scene, arch_id: str) -> None:
    shown, front = scene.shown, scene.front
    arch = shown.entry.space.from_id(arch_id)
    names = [_WHAT_IF, "Compare", "Stages", "Table", chance.TAB, _BASKET]
    writes = [_WRITE] if shown.entry.task == "language" else []
    changes, *text, other, stages, rows, sure, basket = st.tabs(
        [names[0], *writes, *names[1:]], key=_TABS, on_change="rerun"
    )
    for tab in text:
        if tab.open:
            with tab:
                import_module("pages.ui.front.generation").draw(shown.entry, arch)
    if changes.open:
        with changes:
            what_if.try_changes(shown, arch)
    if other.open:
        with other:
            what_if.compare(shown, front, arch, scene.sure)
    if stages.open:
        with stages:
            subnet_card.stage_table(shown.entry, arch)
    if rows.open:
        with rows:
            front_table(front, shown.goals, scene.sure)
            files.buttons(_files(scene))
    if sure.open:
        with sure:
            chance.panel(scene.sure)
    if basket.open:
        with basket:
            basket_panel.draw(resources.store_or_none())


def _chart(scene: Scene, arch_id: str) -> None:
    # The choosers stand below; what they hold is known before they are drawn.
    looking = st.session_state.get(_TABS) in (None, _WHAT_IF)
    tried = what_if.tried(scene.shown, scene.shown.entry.space.from_id(arch_id)) if looking else None
    ghost, here = what_if.ghost(tried, scene.shown.row(arch_id), scene.x, scene.y)
    pruned = pruned_overlay.points(scene.view.pruned, scene.x, scene.y)
    trained = trained_overlay.points(scene.shown.entry, scene.x, scene.y, asked=bool(scene.chart.trained))
    look = replace(
        scene.chart,
        what_if=ghost,
        what_if_from=here,
        pruned=pruned_overlay.revision(pruned),
        trained=trained_overlay.revision(trained),
    )
    start = state.selection.start(KEY, look)
    view = replace(look, selected=arch_id if ghost else start, edition=state.selection.edition())
    marks = scene.sure.marks(scene.y, whiskers=view.whiskers)
    uniform = uniform_line.points(scene) if view.uniform else None
    front_chart(scene.front, view, pruned, marks, trained, uniform)
    pruned_overlay.picked(pruned)
