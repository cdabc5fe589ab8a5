"""A lesson with a seed of one's own: what is queued, and that the lesson opens on what came out of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.jobs.kinds import load_workflow
from core.lessons.base import LESSONS, SUPERNET, shipped
from core.library.library import Library
from core.records import RunState
from pages.ui import resources
from tests.pages.test_learn_page import asked, press, texts

Open = Callable[..., AppTest]


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any], str]]:
    """(kind, request, run) of everything that was queued; each run is done at once."""
    found: list[tuple[str, dict[str, Any], str]] = []

    def submit(kind: str, params: dict[str, Any], *, title: str, seed: int) -> str:
        store = resources.store()
        run_id = store.create_run(kind, params, title=title, state=RunState.RUNNING)
        if "lesson" in params:
            lesson: Any = LESSONS.create(params["lesson"])
            evidence = shipped(lesson).model_copy(
                update={"seed": seed, "about": f"Computed with seed {seed}."}
            )
            evidence.save(store.ledger(run_id))
        store.set_state(run_id, RunState.DONE)
        found.append((kind, params, run_id))
        return run_id

    monkeypatch.setattr("pages.ui.learn.own_run.submit", submit)
    return found


@pytest.mark.parametrize(
    ("name", "kind"), [("recalibration", "compute_lesson"), ("latency_and_macs", "measure_lesson")]
)
def test_a_computed_lesson_opens_on_the_run(open_page: Open, queued: list[Any], name: str, kind: str) -> None:
    app = open_page("learn", lesson=name)
    app.number_input(key="ls-own-seed").set_value(7).run()
    press(app, "lesson-compute")
    [(queued_kind, params, run_id)] = queued
    assert (queued_kind, params) == (kind, {"lesson": name, "seed": 7})
    assert asked(app)["run"] == run_id
    assert not app.warning
    assert "with seed 7" in texts(app)
    [chooser] = [box for box in app.selectbox if box.label == "Show"]
    chooser.set_value("").run()
    assert "run" not in asked(app)


def test_a_run_of_another_lesson_is_not_taken_for_one(open_page: Open, queued: list[Any]) -> None:
    app = open_page("learn", lesson="recalibration")
    press(app, "lesson-compute")
    [(_, _, run_id)] = queued
    app = open_page("learn", lesson="sandwich", run=run_id)
    assert "shipped run is shown instead" in app.warning[0].value


def test_what_was_predicted_of_one_run_does_not_count_for_another(open_page: Open, queued: list[Any]) -> None:
    app = open_page("learn", lesson="recalibration", taken='{"prediction":50.0,"revealed":true}')
    assert "taken" in asked(app)
    press(app, "lesson-compute")
    assert "taken" not in asked(app)


def test_a_lesson_that_reads_a_table_trains_and_then_measures(
    open_page: Open, queued: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    find = Library.supernet
    monkeypatch.setattr(Library, "supernet", lambda self, name: (tried.append(name), find(self, SUPERNET))[1])
    app = open_page("learn", lesson="dominance")
    app.number_input(key="ls-own-seed").set_value(3).run()
    press(app, "lesson-compute")
    assert [kind for kind, _, _ in queued] == ["train_supernet", "evaluate_table"]
    assert load_workflow("train_supernet").Request(**queued[0][1]).training.seed == 3
    assert load_workflow("evaluate_table").Request(**queued[1][1]).supernet == queued[0][2]
    assert tried[-1] == queued[0][2], "the lesson opens on it"
    press(app, "lesson-draw")
    assert asked(app)["seed"] == "1", "the seed that stands there"
