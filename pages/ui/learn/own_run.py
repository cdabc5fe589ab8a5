"""A lesson with a seed of one's own: computed in the background, with progress and cancel, then the lesson opens on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core.classes.taking import own_seed
from core.lessons.base import SUPERNET, ComputedLesson
from core.lessons.taken import Taken
from core.library.supernets import SupernetEntry
from core.people import Action
from core.records import Run, RunState
from core.text import display_name, for_markdown
from core.words import format_about
from pages.ui import resources
from pages.ui.classroom.member import member
from pages.ui.learn import state
from pages.ui.learn.opened import Opened
from pages.ui.learn.view import MOST_SEED, View
from pages.ui.people import door
from pages.ui.progress import active, all_runs, job_row, submit, watch

_TRAIN, _MEASURE = "train_supernet", "evaluate_table"
_KINDS = {"training": "compute_lesson", "measuring": "measure_lesson"}
_SECONDS = 15.0
"""Training and measuring the lessons' supernet, on one idle core."""


def draw(opened: Opened, view: View) -> None:
    """The part below a lesson that computes its evidence anew."""
    following = _following(view.lesson)
    with st.expander(
        "With a seed of your own", icon=":material/experiment:", key="lesson-own", expanded=bool(following)
    ):
        if isinstance(opened.lesson, ComputedLesson):
            _computed(opened.lesson, view)
        else:
            _read_from_table(view)
        if following:
            _follow(view, following)


def _first_seed() -> int:
    """In a class everybody begins with another one."""
    found = member()
    return own_seed(found.room, found.student) if found else 1


def _seed(text: str) -> int:
    given = st.number_input(
        text,
        0,
        MOST_SEED,
        value=_first_seed(),
        step=1,
        key="ls-own-seed",
        help="The same seed gives the same result.",
    )
    return int(given)


def _computed(lesson: ComputedLesson[Any], view: View) -> None:
    kind = _KINDS[lesson.weight_class]
    about = format_about(lesson.seconds)
    st.markdown(
        f"What you see was computed with seed 0. Does it hold with another one? Computing takes {about} on this "
        "machine when it is idle; you can go on reading meanwhile."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = _seed("Seed")
        if st.button(
            "Compute it",
            key="lesson-compute",
            icon=":material/play_arrow:",
            **door.lock(Action.START, disabled=resources.store_or_none() is None),
        ):
            request = {"lesson": lesson.name, "seed": seed}
            _begin(
                view.lesson,
                submit(kind, request, title=f"{lesson.label} Seed {seed}", seed=seed),
            )
    done = [run for run in all_runs([kind]) if _is_of(run, lesson.name) and run.state is RunState.DONE]
    offered = {"": "the shipped run, seed 0"} | {
        run.run_id: f"your run, seed {run.params.get('seed', 0)}" for run in done
    }
    if len(offered) > 1 or view.run:
        _choose("Show", offered, view.run, lambda run: replace(_afresh(view), run=run))


def _read_from_table(view: View) -> None:
    entries = {e.supernet_id: e for e in resources.entries() if e.read_table is not None}
    st.markdown(
        "This lesson reads the table of a supernet whose subnets are all measured. Choose another one, or train the "
        f"lessons' own anew: {format_about(_SECONDS)} on this machine when it is idle."
    )
    offered = {("" if name == SUPERNET else name): _title(entry) for name, entry in entries.items()}
    _choose("Supernet", offered, view.supernet, lambda name: replace(_afresh(view), supernet=name))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = _seed("Seed")
        if st.button(
            "Train it anew",
            key="lesson-compute",
            icon=":material/play_arrow:",
            **door.lock(Action.START, disabled=resources.store_or_none() is None),
        ):
            _begin(view.lesson, _train(seed))
        if st.button(
            "Draw anew",
            key="lesson-draw",
            icon=":material/refresh:",
            help="The same supernet; what the lesson draws at random is drawn with this seed.",
        ):
            _open(replace(_afresh(view), seed=seed))


def _title(entry: SupernetEntry) -> str:
    return f"{display_name(entry.title)}{'' if entry.origin == 'shipped' else f' ({entry.origin})'}"


def _choose(label: str, offered: dict[str, str], now: str, view_of: Any) -> None:
    """A chooser whose pick opens the lesson on something else."""
    names = list(offered)
    # What is shown may have been deleted meanwhile; then the lesson says so itself.
    chosen = st.selectbox(
        label,
        names,
        index=names.index(now) if now in offered else 0,
        format_func=offered.__getitem__,
        key=f"ls-own-{label.lower()}",
    )
    if chosen != now and now in offered:
        _open(view_of(chosen))


def _afresh(view: View) -> View:
    """The same lesson on other evidence: where its controls stand stays, what was done does not."""
    return replace(view, supernet="", run="", seed=0, step="", draft="", taken="", settled="")


def _open(view: View) -> None:
    """A prediction of one run is none of another: the lesson begins again."""
    state.begin_again(state.kept_view())
    state.show(view)
    st.rerun()


def _train(seed: int) -> str | None:
    from core.workflows.train_supernet import preset_request

    request = preset_request(SUPERNET, seed=seed)
    title = f"{SUPERNET}, seed {seed}"
    return submit(_TRAIN, {**request, "title": title}, title=title, seed=seed)


def _is_of(run: Run, lesson: str) -> bool:
    return run.params.get("lesson") == lesson


def _begin(lesson: str, run_id: str | None) -> None:
    if run_id is not None:
        st.session_state[f"learn-job-{lesson}"] = run_id
        st.session_state[f"learn-untouched-{lesson}"] = state.record().all().get(lesson, Taken())
        st.rerun()


def _following(lesson: str) -> str:
    found: str = st.session_state.get(f"learn-job-{lesson}", "")
    return found if found and resources.store_or_none() is not None else ""


def _jobs(run_id: str) -> list[Run]:
    """The run that was started, and what measures the supernet it trained."""
    first = resources.jobs().run(run_id)
    measuring = all_runs([_MEASURE]) if first.kind == _TRAIN else []
    return [first, *(run for run in measuring if run.params.get("supernet") == run_id)]


def _goes_on(run_id: str) -> bool:
    runs = _jobs(run_id)
    return active(runs) or _is_unmeasured(runs)


def _is_unmeasured(runs: Sequence[Run]) -> bool:
    return len(runs) == 1 and runs[0].kind == _TRAIN and runs[0].state is RunState.DONE


def _follow(view: View, run_id: str) -> None:
    """Progress of what was started; when it is done, the lesson opens on it."""

    def show() -> None:
        runs = _jobs(run_id)
        if _is_unmeasured(runs):
            submit(_MEASURE, {"supernet": run_id}, title=f"All subnets of {runs[0].title}", seed=0)
            runs = _jobs(run_id)
        with st.container(key="job-progress"):
            for run in runs:
                job_row(run)

    watch(show, lambda: _goes_on(run_id))
    runs = _jobs(run_id)
    if any(run.state is not RunState.DONE for run in runs) or _is_unmeasured(runs):
        return
    found = _afresh(view)
    wanted = replace(found, supernet=run_id) if runs[0].kind == _TRAIN else replace(found, run=run_id)
    if view.of_run() == wanted.of_run():
        return
    untouched = st.session_state.get(f"learn-untouched-{view.lesson}", Taken())
    if untouched == state.record().all().get(view.lesson, Taken()):
        st.session_state.pop(f"learn-job-{view.lesson}")
        st.toast(
            f"{for_markdown(runs[0].title)} is done; the lesson shows it now.", icon=":material/check_circle:"
        )
        _open(wanted)
    if st.button("Open the lesson on it", key="lesson-open-own", type="primary"):
        st.session_state.pop(f"learn-job-{view.lesson}")
        _open(wanted)
