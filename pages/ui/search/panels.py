"""The search page's form and its live view: the front growing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st
from pydantic import ValidationError

from core.errors import CoreError
from core.jobs.forecast import of_work
from core.library import fronts as front_view
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.objectives.base import choosable_names, objective, objectives, usual_pair
from core.plots.front import front_figure
from core.records import Run
from core.search import ALGORITHMS
from core.text import display_name, for_markdown
from core.views.chance import LUCK, how_intervals, table_rows
from core.workflows import search_front
from pages.ui import checked, resources
from pages.ui.forecast import forecast
from pages.ui.forms import config_form, field_number, number
from pages.ui.front.chance import FrontSure
from pages.ui.progress import submit
from pages.ui.search import files
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

MOST_REPEATS = 10
KIND = "search_front"


def search_form(entry: SupernetEntry) -> list[str]:
    """Choose and start; returns the ids of what was started by this click."""
    with checked.form() as form:
        return _search_form(entry, form)


def _search_form(entry: SupernetEntry, form: checked.Form) -> list[str]:
    infos = {info.name: info for info in ALGORITHMS.describe()}
    start = list(infos).index("nsga2") if "nsga2" in infos else 0
    name = st.selectbox(
        "Algorithm", list(infos), index=start, format_func=lambda n: infos[n].label, key="search-algorithm",
        help="\n\n".join(f"**{i.label}**: {i.summary} {i.source}" for i in infos.values()),
    )  # fmt: skip
    allowed = choosable_names()
    goals = st.multiselect(
        "Objectives",
        allowed,
        default=usual_pair(),
        format_func=lambda n: objective(n).label,
        key="search-objectives",
        max_selections=4,
        help="Test data never steer a search.\n\n"
        + "\n\n".join(f"**{objective(n).label}**: {objective(n).summary}" for n in allowed),
    )
    budget = field_number(
        search_front.Request,
        "budget",
        "Budget (subnets)",
        value=min(400, entry.space.size),
        step=50,
        key="search-budget",
        help="Different subnets to measure.",
    )
    with st.container(horizontal=True):
        seed = field_number(
            search_front.Request,
            "seed",
            "Seed",
            key="search-seed",
            help="Decides every draw; the same seed gives the same search.",
        )
        repeats = number(
            "Repeats",
            (1, MOST_REPEATS),
            value=1,
            key="search-repeats",
            help="Runs with this seed, the next one, and so on, to see the spread. Six and more can be tested.",
        )
    use_table = st.toggle(
        "Use the complete table",
        value=entry.read_table is not None,
        disabled=entry.read_table is None,
        key="search-table",
        help="Look accuracies up instead of measuring them again.",
    )
    with st.expander("Settings of the algorithm"):
        settings = config_form(ALGORITHMS.get(name).Config, f"search-{name}", columns=1)
    ready = len(goals) >= 2
    params: dict[str, Any] = {
        "supernet": entry.supernet_id,
        "algorithm": name,
        "config": settings,
        "objectives": goals,
        "budget": int(budget),
        "use_table": use_table,
    }
    if ready:
        _forecast(params, int(repeats))
    if not form.start(
        "Start the search",
        key="search-start",
        type="primary",
        disabled=not ready,
        icon=":material/play_arrow:",
        width="stretch",
    ):
        return []
    started = []
    for offset in range(int(repeats)):
        title = f"{infos[name].label} on {display_name(entry.title)}, seed {int(seed) + offset}"
        with_seed = params | {"seed": int(seed) + offset}
        if run_id := submit(KIND, with_seed, title=title, seed=int(seed) + offset):
            started.append(run_id)
    return started


def _forecast(params: dict[str, Any], repeats: int) -> None:
    """How long the searches will take; nothing where a number is out of bounds, which the form says."""
    try:
        search_front.Request.model_validate(params)
    except (ValidationError, CoreError):
        return
    forecast(KIND, params, lambda trial: of_work(trial, repeats), key="search-forecast")


def growing_front(entry: SupernetEntry, run: Run) -> None:
    """What the search has found so far, over the whole space where that is known."""
    names = tuple(run.params["objectives"][:2])
    if len(names) < 2:
        st.caption("A search for one objective has no front to draw; its best subnets are in the CSV.")
        return
    y, x = objective(names[0]), objective(names[1])
    found = measured(entry, run)
    if found is None:
        st.caption("Nothing has been measured yet.")
        return
    exact = supernets.table(entry)
    view = front_view.front(found, (x.name, y.name))
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
    st.plotly_chart(
        figure,
        key=f"search-front-{run.run_id}",
        width="stretch",
        config={"displaylogo": False},
        alt="Scatter chart of the subnets the search has measured, its front on top, the whole space behind.",
    )


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


def found_front(entry: SupernetEntry, run: Run) -> None:
    """The front that a search found: each member with the interval of its accuracy, and how sure its place is."""
    found = measured(entry, run)
    if found is None:
        return
    goals = objectives(run.params["objectives"])
    names = [goal.name for goal in goals]
    revision = f"{run.run_id}-{len(found)}"
    front = resources.front(revision, tuple(names), (), found)
    sure = FrontSure.of(entry, revision, found, front, (), goals)
    with st.spinner("Drawing the samples anew…"):
        sure = sure.waited()
    html_table(table_rows(front.members, goals, sure.samples, sure.known), "The front that the search found")
    st.caption(" ".join(part for part in (how_intervals(sure.samples), sure.sentence(), LUCK) if part))


def measured(entry: SupernetEntry, run: Run) -> pd.DataFrame | None:
    """The run's measurements so far, first evaluation first; None while there are none."""
    count = resources.store().count_measurements(run.run_id)
    return resources.search_table(run.run_id, count, entry) if count else None
