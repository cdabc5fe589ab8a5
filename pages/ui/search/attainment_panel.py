"""Which places of the trade-off the best seed, half of the seeds and every seed of each algorithm reached."""

from __future__ import annotations

import streamlit as st

from core.objectives.base import objective
from core.plots.finished import finished
from core.plots.race import attainment_figure
from core.views.race_attainment import attained
from pages.ui.search.closer import Scene
from pages.ui.search.exact import drawn_pair, exact_points


def draw(scene: Scene) -> None:
    """The surfaces of all settings in one chart."""
    if scene.raced is None:
        st.info("Nothing has been measured yet.")
        return
    race = scene.raced.race
    if len(race.names) != 2:
        st.info("Attainment surfaces are drawn for two objectives; these searches have another number.")
        return
    found = attained(race)
    if not found:
        st.info("Attainment surfaces come when the first search is done.")
        return
    y, x = objective(race.names[0]), objective(race.names[1])
    pair = drawn_pair(race)
    st.plotly_chart(
        finished(
            attainment_figure(found, x, y, x_at=1, exact=exact_points(scene.entry, race), log_x=pair.log_x)
        ),
        key="search-attainment",
        width="stretch",
        config={"displaylogo": False},
        alt="Step lines: the best, the median and the worst attainment surface of every algorithm.",
    )
    single = [each.label for each in found if each.n == 1]
    st.caption(
        f"After {race.at:,} evaluations. Dotted: what the best seed reached; solid: what at least half of the seeds "
        "reached; dashed: what every seed reached. The narrower the space between, the less luck there is in one search."
        + (" One seed has one front and no spread." if single else "")
    )
