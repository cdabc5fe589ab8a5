"""Subnets under attack: attack some of this supernet, and see who stays right and what goes with it."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.objectives.base import objective
from core.people import Action
from core.plots.robustness import robustness_figure
from core.records import Run, RunState
from core.text import display_name, for_markdown
from core.views.robustness import AGAINST, KIND, MEASURED, attacked_runs, robustness_of
from pages.ui import resources, state
from pages.ui.front.scene import Scene
from pages.ui.front.view import View
from pages.ui.people import door
from pages.ui.progress import active, job_row, submit, watch
from pages.ui.setup import note

_SUBNETS = 40
_AGAINST = "robustness-against"


def draw(scene: Scene, kept: View, view: View) -> View:
    """The button, the job, and the newest result; see `closer.Panel`."""
    entry = scene.shown.entry
    if entry.task != "image":
        st.info("Attacks are defined for images; this supernet takes other data.")
        return view

    def runs() -> list[Run]:
        return attacked_runs(resources.store_or_none(), entry)

    # Not as a callback: those of a fragment cannot say what goes wrong.
    if st.button(
        f"Attack {_SUBNETS} subnets",
        key="robustness-start",
        icon=":material/science:",
        **door.lock(
            Action.START,
            disabled=active(runs()),
            help=f"Spread evenly over MACs. {objective('robust_accuracy').summary} No subnet shares an attack with another: "
            "about 0.3 s each on digits, more on larger images.",
        ),
    ):
        params = {
            "supernet": entry.supernet_id,
            "n": _SUBNETS,
            "objectives": [*MEASURED],
            "seed": len(runs()),
        }
        submit(KIND, params, title=f"{display_name(entry.title)} under attack", seed=len(runs()))

    def show() -> None:
        """Progress of the newest job, and the newest result."""
        for run in runs()[:1]:
            if run.state is not RunState.DONE:
                job_row(run)
        done = next((run for run in runs() if run.state is RunState.DONE), None)
        if done is not None:
            _result(scene, done.run_id)
        elif not runs():
            note(
                "Each subnet is attacked by its own gradient; how many images stay right then, how far the attack moves "
                "what flows through its stages, and whether one goes with the other stands here afterwards."
            )

    watch(show, lambda: active(runs()))
    return view


def _result(scene: Scene, run_id: str) -> None:
    try:
        found = robustness_of(resources.store(), scene.shown.entry, run_id)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    for sentence in found.sentences:
        st.caption(for_markdown(sentence, 600))
    state.keep(_AGAINST, AGAINST, AGAINST[0])
    against = st.segmented_control(
        "Robust accuracy against",
        list(AGAINST),
        format_func=lambda name: objective(name).label,
        key=_AGAINST,
        required=True,
        help="\n\n".join(f"**{objective(n).label}**: {objective(n).summary}" for n in AGAINST),
    )
    st.plotly_chart(
        robustness_figure(found, str(against)),
        key="robustness-chart",
        width="stretch",
        config={"displayModeBar": False},
        alt="Robust accuracy of the attacked subnets against another number, with the front of robust accuracy and MACs.",
    )
    note(
        "An attack that fails is no proof of safety, and a correlation over subnets of one training is no law. To search "
        "for robust subnets, choose Robust accuracy as an objective on the Search page."
    )
