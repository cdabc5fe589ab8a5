"""The fronts of the Search page: the one that grows, and what the drawn search found, to take home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.library import fronts as front_view
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.objectives.base import objective, objectives
from core.pareto import Constraint
from core.plots.front import front_figure
from core.records import Run
from core.text import display_name, for_markdown
from core.views.chance import LUCK, how_intervals, table_rows
from core.views.race import limits_of
from core.views.seed_groups import seed_groups
from pages.ui import resources, terms
from pages.ui.front.chance import FrontSure
from pages.ui.search import files, measured, study_button
from pages.ui.tables import html_table

if TYPE_CHECKING:
    pass


def growing_front(entry: SupernetEntry, run: Run) -> None:
    """What the search has found so far, over the whole space where that is known."""
    names = tuple(run.params["objectives"][:2])
    if len(names) < 2:
        terms.caption("A search for one objective has no front to draw; its best subnets are in the CSV.")
        return
    y, x = objective(names[0]), objective(names[1])
    found = measured.table(entry, run)
    if found is None:
        terms.caption("Nothing has been measured yet.")
        return
    exact = supernets.table(entry)
    view = front_view.front(found, (x.name, y.name), limits(run))
    if view.left_out:
        st.caption(view.left_out)
    shown = view.table
    if exact is not None and x.name in exact and y.name in exact:
        import pandas as pd

        rest = exact[~exact["arch_id"].isin(set(found["arch_id"]))].assign(on_front=False)
        shown = pd.concat([rest, view.members.assign(on_front=True)])
    figure = front_figure(
        shown,
        x,
        y,
        log_x=not x.maximize and bool((shown[x.name] > 0).all()),
        searched=view.table[~view.table["on_front"]],
        caption=display_name(run.title),
    )
    # In a narrow window the legend would lie under the chart's buttons.
    figure.update_layout(margin={"t": 76})
    st.plotly_chart(
        figure,
        key=f"search-front-{run.run_id}",
        width="stretch",
        config={"displaylogo": False},
        alt="Scatter chart of the subnets the search has measured, its front on top, the whole space behind.",
    )


def limits(run: Run) -> tuple[Constraint, ...]:
    """The limits that a search keeps."""
    return limits_of(seed_groups([run])[0])


def take_home(entry: SupernetEntry, run: Run) -> None:
    """Open the drawn search on the Front page, or take its evaluations."""
    if len(run.params["objectives"]) > 1:
        st.caption(f"Drawn above, opened and downloaded here: {for_markdown(run.title)}.")
        if st.toggle("Its front as a table, with intervals", key="search-table-front"):
            found_front(entry, run)
    with st.container(horizontal=True):
        st.page_link(
            "pages/front.py",
            label="Open on the Front page",
            icon=":material/arrow_forward:",
            query_params={"supernet": entry.supernet_id, "run": run.run_id},
        )
        files.buttons(entry, run)
        study_button.buttons(entry, run)


def found_front(entry: SupernetEntry, run: Run) -> None:
    """The front that a search found: each member with the interval of its accuracy, and how sure its place is."""
    found = measured.table(entry, run)
    if found is None:
        return
    goals = objectives(run.params["objectives"])
    names = [goal.name for goal in goals]
    revision = f"{run.run_id}-{len(found)}"
    kept = limits(run)
    front = resources.front(revision, tuple(names), kept, found)
    sure = FrontSure.of(entry, revision, found, front, kept, goals)
    with st.spinner("Drawing the samples anew…"):
        sure = sure.waited()
    html_table(table_rows(front.members, goals, sure.samples, sure.known), "The front that the search found")
    st.caption(" ".join(part for part in (how_intervals(sure.samples), sure.sentence(), LUCK) if part))
