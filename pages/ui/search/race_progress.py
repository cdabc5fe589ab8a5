"""How far the searches shown are: one line each setting, and pause, go on or cancel for one or for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.people import Action
from core.records import Run, RunState
from core.text import for_markdown
from core.views.race_progress import going, in_turns, seconds_left
from core.words import format_seconds
from pages.ui import terms
from pages.ui.people import door
from pages.ui.progress import attempt, job_row


def draw(settings: Mapping[str, Sequence[Run]]) -> None:
    """Progress of the searches shown.

    Args:
        settings: label -> its searches as they are now.
    """
    runs = in_turns(list(settings.values()))
    open_runs = [run for run in runs if run.state is not RunState.DONE]
    if len(runs) == 1:
        job_row(runs[0])
        return
    if not open_runs:
        st.caption(f":green-badge[{RunState.DONE.value}] {len(runs)} searches.")
        return
    active = [run for run in open_runs if not run.state.is_final]
    stopped = [run for run in open_runs if run.state.is_resumable]
    _head(settings, active, len(runs))
    _buttons(active, stopped)
    with st.expander("Each search that is not done", key="race-each"):
        for run in open_runs:
            job_row(run)


def _head(settings: Mapping[str, Sequence[Run]], active: Sequence[Run], total: int) -> None:
    found = going({label: runs for label, runs in settings.items() if runs})
    done = sum(each.counts.get(RunState.DONE, 0) for each in found)
    left = format_seconds(seconds_left(settings)) if active else ""
    said = f"{done} of {total} searches done{f' · {left} left' if left else ''}"
    if not active:
        said += " · paused: Go on continues each exactly where it stopped"
    whole = sum(each.fraction * sum(each.counts.values()) for each in found) / total
    st.progress(whole, text=said)
    st.caption("  \n".join(f"{for_markdown(each.label, 120)}: {each.sentence}." for each in found))
    if len(active) > 1:
        terms.caption(
            "They run one after another, seed by seed, so that pairs of equal seeds are complete early."
        )


def _buttons(active: Sequence[Run], stopped: Sequence[Run]) -> None:
    with st.container(horizontal=True):
        if active:
            st.button(
                "Pause all",
                key="race-pause",
                on_click=_all,
                args=("cancel", [run.run_id for run in reversed(active)]),
                icon=":material/stop:",
                **door.lock(
                    Action.CANCEL,
                    own=all(door.is_own(run.run_id) for run in active),
                    help="Cancels what runs and waits. What was measured is kept, and Go on continues each search with the "
                    "proposals of an undisturbed one. Single searches are cancelled below.",
                ),
            )
        if stopped:
            st.button(
                "Go on",
                key="race-resume",
                on_click=_all,
                args=("resume", [run.run_id for run in stopped]),
                icon=":material/play_arrow:",
                **door.lock(
                    Action.RESUME,
                    own=all(door.is_own(run.run_id) for run in stopped),
                    help="Queues what was cancelled, interrupted or has failed again, seed by seed.",
                ),
            )


def _all(action: str, run_ids: Sequence[str]) -> None:
    for run_id in run_ids:
        attempt(action, run_id)
