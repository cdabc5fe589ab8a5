"""Jobs and finished runs as a person meets them, drawn from made-up records: what is said, what can be done."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import Busy
from core.records import Run, RunState
from core.store import MemoryLedger
from core.store.rows import DamagedRow
from core.store.storage import StorageUse
from pages.ui import resources
from pages.ui.progress import active, all_runs, job_row, submit
from pages.ui.runs import panels

HOSTILE = "**b** [x](javascript:1) <img src=x>"
RUN = Run(
    "r1", "search_front", HOSTILE, {"supernet": "s"}, 3, RunState.RUNNING, message=HOSTILE, fraction=0.25
)


class Jobs:
    """A job manager that notes what it is asked, and refuses where it is told to."""

    paused = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refuse = False

    def _note(self, action: str, what: str) -> str:
        self.asked.append((action, what))
        if self.refuse:
            raise Busy(HOSTILE)
        return "new"

    def cancel(self, run_id: str) -> None:
        self._note("cancel", run_id)

    def resume(self, run_id: str) -> None:
        self._note("resume", run_id)

    def submit(self, kind: str, params: Any, *, title: str, seed: int, session: str) -> str:
        assert session
        return self._note("submit", kind)

    def queue_position(self, run_id: str) -> int:
        return 7


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    made = Jobs()
    monkeypatch.setattr(resources, "jobs", lambda: made)
    monkeypatch.setattr(resources, "store", lambda: SimpleNamespace(ledger=lambda run_id: MemoryLedger()))
    return made


def drawn(draw: Callable[..., Any], *given: Any) -> AppTest:
    # Only its text goes to the page, which knows no names of ours.
    def script(draw, given):
        import streamlit as st

        st.session_state["returned"] = draw(*given)

    app = AppTest.from_function(script, args=(draw, given), default_timeout=20).run()
    assert not app.exception, app.exception[0].message
    return app


def texts(app: AppTest) -> str:
    parts = [
        e.value for kind in ("markdown", "caption", "warning", "error", "success") for e in app.get(kind)
    ]
    return " ".join([*parts, *(e.proto.text for e in app.get("progress"))])


def is_plain(text: str) -> bool:
    """Whether no sign of a stranger's markup stands there without its escape."""
    bare = re.sub(r"\\.", "", text)
    return "<" not in bare and "](" not in bare and "(javascript" not in bare


@pytest.mark.parametrize("state", list(RunState))
def test_a_job_offers_what_its_state_allows(jobs: Jobs, state: RunState) -> None:
    app = drawn(job_row, replace(RUN, state=state))
    offered = [button.label for button in app.button]
    assert offered == (["Cancel"] if not state.is_final else ["Resume"] if state.is_resumable else [])
    said = texts(app)
    assert state.value in said
    assert is_plain(said)
    assert len(app.get("progress")) == (not state.is_final)
    assert ("number 7 in the queue" in said) == (state is RunState.QUEUED)
    for button in app.button:
        button.click().run()
    assert jobs.asked == [(label.lower(), "r1") for label in offered]


def test_a_running_job_tells_how_long_and_that_it_is_starting(jobs: Jobs) -> None:
    assert "1 min 05 s left" in texts(drawn(job_row, replace(RUN, eta_seconds=65.0)))
    fresh = texts(drawn(job_row, replace(RUN, message="")))
    assert "Starting…" in fresh
    assert "left" not in fresh


def test_a_refused_action_is_a_toast(jobs: Jobs) -> None:
    jobs.refuse = True
    app = drawn(job_row, RUN)
    app.button[0].click().run()
    assert not app.exception
    [toast] = app.toast
    assert is_plain(toast.value)


@pytest.mark.parametrize("refuse", [False, True])
def test_a_refused_job_is_said_and_has_no_id(jobs: Jobs, refuse: bool) -> None:
    jobs.refuse = refuse
    app = drawn(lambda: submit("search_front", {}, title="t", seed=1))
    assert app.session_state["returned"] == (None if refuse else "new")
    assert len(app.error) == refuse
    assert is_plain(texts(app))


def test_runs_are_filtered_by_kind_and_there_may_be_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [RUN, replace(RUN, kind="train_supernet", state=RunState.DONE)]
    store = SimpleNamespace(list_runs=lambda: runs)
    monkeypatch.setattr(resources, "store_or_none", lambda: store)
    assert all_runs() == runs
    assert all_runs(["train_supernet"]) == runs[1:]
    assert [active(runs), active(runs[1:]), active([])] == [True, False, False]
    monkeypatch.setattr(resources, "store_or_none", lambda: None)
    assert all_runs() == []


def test_the_tables_row_is_the_choosers_run(monkeypatch: pytest.MonkeyPatch) -> None:
    session: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", session)
    # The table may be older than the list: a row beyond it is none.
    for rows, chosen in (([], None), ([1], "b"), ([5], "b"), ([0], "a")):
        session[panels._TABLE] = {"selection": {"rows": rows}}
        panels._row_chosen(["a", "b"])
        assert session.get("pick-run") == chosen


def test_finished_runs_are_listed_and_the_first_is_chosen() -> None:
    done = replace(RUN, state=RunState.DONE, created=10.0, updated=975.0, worked=65.0)
    app = drawn(panels.runs_table, [done, replace(done, run_id="r2", title="two")])
    assert app.session_state["returned"].run_id == "r1"
    assert app.dataframe[0].value["took"].tolist() == ["1 min 05 s"] * 2
    app.selectbox(key="pick-run").set_value("r2").run()
    assert app.session_state["returned"].run_id == "r2"
    assert drawn(panels.runs_table, []).session_state["returned"] is None


def test_seeds_can_be_one_row_and_every_run_stays_within_reach() -> None:
    def run(run_id: str, **params: int) -> Run:
        asked = {"supernet": "s", **params}
        return replace(
            RUN, run_id=run_id, state=RunState.DONE, title=f"NSGA-II, seed {params['seed']}", params=asked
        )

    runs = [run("r2", seed=2), run("r1", seed=1), run("x", seed=1, budget=9)]
    app = drawn(panels.runs_table, runs)
    assert len(app.dataframe[0].value) == 3
    app.toggle(key="runs-together").set_value(True).run()
    assert not app.exception
    table = app.dataframe[0].value
    assert table["n"].tolist() == [2, 1]
    assert table["seeds"].tolist() == ["1, 2", "1"]
    assert table["run"].tolist()[0] == "NSGA-II"
    app.selectbox(key="pick-run").set_value("r2").run()
    assert app.session_state["returned"].run_id == "r2"
    assert not drawn(panels.runs_table, runs[1:]).toggle


def test_a_damaged_run_can_be_read_about_and_removed() -> None:
    removed: list[DamagedRow] = []
    row = DamagedRow("runs", "k1", HOSTILE, f"Its row has changed. {HOSTILE}")
    store = SimpleNamespace(
        damaged=lambda table: [row] if table == "runs" else [], remove_damaged=removed.append
    )
    app = drawn(panels.damaged_runs, store)
    [warning] = app.warning
    assert "Its row has changed" in warning.value
    assert is_plain(warning.value)
    app.button(key="remove-damaged-k1").click().run()
    assert removed == [row]


@pytest.mark.parametrize(("n", "shown"), [(0, 0), (3, 3), (90, 50)])
def test_damage_is_told_but_not_without_end(n: int, shown: int) -> None:
    app = drawn(panels.show_damage, [f"{HOSTILE} {k}" for k in range(n)])
    assert (len(app.error), len(app.success)) == (shown, n == 0)
    assert is_plain(texts(app))


def test_what_takes_the_disk_comes_with_its_hint() -> None:
    parts = [StorageUse("files", "", 1200, 5_000_000, ""), StorageUse("trash", "", 1, 10, "Empty it.")]
    app = drawn(panels.storage, parts)
    assert [e.value for e in app.caption] == ["5 MB files (1,200 files)", "10 B trash (1 file). Empty it\\."]


def test_a_run_that_lost_its_files_shows_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: str) -> Any:
        raise Busy(f"The files are gone. {HOSTILE}")

    app = drawn(
        panels.run_details, SimpleNamespace(ledger=lost), replace(RUN, kind="x", state=RunState.FAILED)
    )
    assert "The files are gone" in texts(app)
    assert is_plain(texts(app))
    assert [b.label for b in app.button] == ["Resume", "Delete this run"]


def test_many_files_are_a_chooser_and_few_are_buttons() -> None:
    def ledger(n: int) -> Any:
        files = [
            SimpleNamespace(name=f"a/{k}.json", size=10, media_type="application/json") for k in range(n)
        ]
        return SimpleNamespace(artifacts=lambda: files, artifact=lambda name: b"x")

    few, many = drawn(panels._files, ledger(8)), drawn(panels._files, ledger(9))
    assert (len(few.get("download_button")), len(few.selectbox)) == (8, 0)
    assert (len(many.get("download_button")), len(many.selectbox[0].options)) == (1, 9)


def test_what_a_restart_took_up_and_what_it_left_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        RUN,
        replace(RUN, run_id="done", title="finished", state=RunState.DONE),
        replace(RUN, run_id="left", title="greedy", state=RunState.INTERRUPTED),
        replace(RUN, run_id="resumed", title="resumed by hand", state=RunState.QUEUED),
    ]
    jobs = SimpleNamespace(taken_up=("r1", "done", "deleted"), left_alone=("left", "resumed"))
    monkeypatch.setattr(resources, "jobs", lambda: jobs)
    monkeypatch.setattr(resources, "store_or_none", lambda: SimpleNamespace(list_runs=lambda: runs))
    app = drawn(panels.after_a_restart)
    [taken], [left] = app.info, app.warning
    assert is_plain(taken.value)
    assert "Taken up again by itself" in taken.value
    assert "finished" not in taken.value
    assert "**greedy**" in left.value
    assert "resumed by hand" not in left.value
    jobs.taken_up = jobs.left_alone = ()
    app = drawn(panels.after_a_restart)
    assert not [*app.info, *app.warning]
