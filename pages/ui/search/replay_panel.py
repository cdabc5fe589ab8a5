"""A race step by step: a slider over evaluations or seconds, the fronts and the hypervolumes at that step."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.objectives.base import objective
from core.plots.over_seeds import in_words
from core.plots.race import replay_figure
from core.text import display_name
from core.views.race import Race
from core.views.race_replay import Frame, frames, knows_seconds, seeds_of, stops
from pages.ui import state
from pages.ui.search.closer import Scene
from pages.ui.search.exact import drawn_pair, exact_points
from pages.ui.tables import html_table

_EVALUATIONS, _SECONDS = "Evaluations", "Seconds"


def draw(scene: Scene) -> None:
    """Which seed and which clock; then the slider, which reruns this part alone."""
    if scene.raced is None:
        st.info("Nothing has been measured yet.")
        return
    race = scene.raced.race
    seeds = list(seeds_of(race))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        state.keep("replay-seed", seeds, seeds[0])
        seed = st.selectbox(
            "Seed", seeds, key="replay-seed", width=140, help="Every algorithm is shown with this seed."
        )
        across = _EVALUATIONS
        if knows_seconds(race):
            across = st.segmented_control(
                "Step by", [_EVALUATIONS, _SECONDS], default=_EVALUATIONS, required=True, key="replay-by"
            )
    _part(scene, race, int(seed), across == _SECONDS)


@st.fragment
def _part(scene: Scene, race: Race, seed: int, by_seconds: bool) -> None:
    places = stops(race, by_seconds=by_seconds)
    step = places[-1]
    if len(places) > 1:
        key = f"replay-step-{'seconds' if by_seconds else 'evaluations'}"
        state.keep(key, places, places[-1])
        step = st.select_slider(
            "Measured seconds" if by_seconds else "Evaluations",
            places,
            key=key,
            format_func=lambda v: f"{v:.3g} s" if by_seconds else f"{v:,.0f}",
            help="Drag it, or move it with the arrow keys.",
        )
    found = frames(race, seed, step, by_seconds=by_seconds)
    _chart(scene, race, found)
    _numbers(race, found)
    missing = [racer.label for racer in race.racers if seed not in racer.seeds]
    if missing:
        st.caption(f"No search with seed {seed}: {display_name(', '.join(missing), 200)}.")


def _chart(scene: Scene, race: Race, found: Sequence[Frame]) -> None:
    pair = drawn_pair(race)
    y, x = objective(race.names[0]), objective(race.names[1])
    st.plotly_chart(
        replay_figure(
            found,
            x,
            y,
            x_at=1,
            bounds=pair.bounds,
            exact=exact_points(scene.entry, race),
            log_x=pair.log_x,
        ),
        key="replay-chart",
        width="stretch",
        config={"displaylogo": False},
        alt="Scatter chart: what each algorithm had measured at this step, and its front.",
    )


def _numbers(race: Race, found: Sequence[Frame]) -> None:
    with st.container(key="replay-numbers"):
        html_table(_rows(race, found), "The race at this step")


def _rows(race: Race, found: Sequence[Frame]) -> list[dict[str, str]]:
    share = race.ceiling is not None
    what = "share of the exact hypervolume" if share else "hypervolume"
    factor, unit, digits = (100.0, " %", 2) if share else (1.0, "", 4)
    return [
        {
            "search": display_name(frame.label, 200),
            "evaluations": f"{frame.made:,}{' (its end)' if frame.ended else ''}",
            "on its front": f"{len(frame.front):,}",
            what: f"{frame.volume * factor:.{digits}f}{unit}",
            "over the seeds": in_words(frame.over_seeds, factor=factor, unit=unit, digits=digits),
        }
        for frame in found
    ]
