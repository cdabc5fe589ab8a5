"""Jobs as a person follows them: state, how far, time left, cancel and resume.

A page asks the store once a second while something is active (in a class every five), and not at all otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import streamlit as st

from core.errors import CoreError
from core.jobs.kinds import label_of
from core.library.kept_early import withdraw
from core.people import Action, told_apart
from core.records import Run, RunState
from core.text import for_markdown
from core.words import format_seconds
from pages.ui import resources, state
from pages.ui.people import door

_COLORS = {
    RunState.QUEUED: "gray",
    RunState.RUNNING: "blue",
    RunState.DONE: "green",
    RunState.FAILED: "red",
    RunState.CANCELLED: "orange",
    RunState.INTERRUPTED: "orange",
}


def all_runs(kinds: Sequence[str] = ()) -> list[Run]:
    """Runs of these kinds (all if empty), newest first; empty where there is no store."""
    store = resources.store_or_none()
    return [run for run in store.list_runs() if not kinds or run.kind in kinds] if store else []


def active(runs: Iterable[Run]) -> bool:
    """Whether any run is queued or running."""
    return any(not run.state.is_final for run in runs)


def watch(draw: Callable[[], None], is_active: Callable[[], bool]) -> None:
    """Draw a part of the page, again every second or five while something is active.

    The whole page is drawn once more when the activity starts or ends, so that the rest of it follows.
    """
    polling = is_active()

    @st.fragment(run_every=resources.look_again_seconds() if polling else None)
    def part() -> None:
        draw()
        if is_active() != polling:
            st.rerun()

    part()


def job_row(run: Run) -> None:
    """One job: title, state, progress, time left, and what can be done about it."""
    head = f":{_COLORS[run.state]}-badge[{run.state.value}] **{for_markdown(run.title)}** · {for_markdown(label_of(run.kind))}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(head)
        if not run.state.is_final:
            st.button(
                "Cancel",
                key=f"cancel-{run.run_id}",
                on_click=attempt,
                args=("cancel", run.run_id),
                icon=":material/stop:",
                **door.lock(Action.CANCEL, own=door.is_own(run.run_id)),
            )
        elif run.state.is_resumable:
            st.button(
                "Resume",
                key=f"resume-{run.run_id}",
                on_click=attempt,
                args=("resume", run.run_id),
                icon=":material/play_arrow:",
                **door.lock(Action.RESUME, own=door.is_own(run.run_id)),
            )
    if run.state is RunState.QUEUED:
        st.progress(run.fraction, text=_waiting(run))
    elif run.state is RunState.RUNNING:
        left = format_seconds(run.eta_seconds)
        st.progress(
            run.fraction,
            text=f"{for_markdown(run.message, 300) or 'Starting…'}{f' · {left} left' if left else ''}",
        )
    elif run.message:
        st.caption(for_markdown(run.message, 600))


def _waiting(run: Run) -> str:
    jobs = resources.jobs()
    if jobs.paused:
        return "Waiting: your teacher has paused the jobs of the class"
    if told_apart() and resources.store().is_held(run.run_id):
        return "Waiting: who started it has as much running as they may, or may not run now"
    position = jobs.queue_position(run.run_id)
    return f"Waiting, number {position} in the queue" if position else "Waiting"


def attempt(action: str, run_id: str) -> None:
    """Cancel or resume; what goes wrong is said, not raised."""
    try:
        if action == "resume":
            withdraw(resources.store().ledger(run_id))
        getattr(resources.jobs(), action)(run_id)
    except CoreError as error:
        st.toast(for_markdown(error, 600), icon=":material/error:")


def submit(kind: str, params: dict[str, object], *, title: str, seed: int) -> str | None:
    """Queue a job; returns its id, or None after saying why not."""
    try:
        return resources.jobs().submit(kind, params, title=title, seed=seed, session=state.session_id())
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/error:")
        return None
