"""The panel of a training: what it shows of stored numbers, and what its buttons ask for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.library.kept_early import STOP_FILE, asked_to_stop
from core.records import Run, RunState
from core.training.film import FILM_FILE
from pages.ui import resources
from tests.helpers.kept_training import kept_training

Open = Callable[..., AppTest]


def training(state: RunState, epochs: int = 3) -> Run:
    return kept_training(resources.store(), state, epochs)


def chart(app: AppTest, key: str) -> dict[str, Any]:
    [found] = [each for each in app.get("plotly_chart") if str(each.key) == key]
    spec: dict[str, Any] = json.loads(found.proto.spec)
    return spec


def texts(app: AppTest) -> str:
    return "\n".join(e.value for e in (*app.caption, *app.markdown))


def keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def test_curves_losses_and_the_film_of_a_training_that_ended(open_page: Open) -> None:
    run = training(RunState.DONE)
    app = open_page("supernets")
    assert "3 s in 3 epochs · 9 forward passes with a gradient" in texts(app)
    assert "learning rate" in [t["name"] for t in chart(app, f"training-curves-{run.run_id}")["data"]]
    app.segmented_control(key=f"watch-{run.run_id}").set_value("Loss by size").run()
    [line] = chart(app, f"training-losses-{run.run_id}")["data"]
    assert line["name"] == "up to 30 MACs"
    app.segmented_control(key=f"watch-{run.run_id}").set_value("Film of the front").run()
    film = chart(app, f"training-film-{run.run_id}")
    assert [frame["name"] for frame in film["frames"]] == ["1", "2", "3"]
    assert "Exact: after each of these epochs all 3 subnets" in texts(app)
    app.button(key=f"further-{run.run_id}").click().run()
    assert not app.exception
    assert app.query_params["supernet"] == run.run_id
    assert app.toggle(key=f"tune-{run.run_id}").value, "the form is open"
    app.toggle(key=f"details-training-{run.run_id}").set_value(True).run()
    assert not app.exception
    assert chart(app, f"training-film-{run.run_id}")["frames"]


def test_a_running_training_is_stopped_and_kept(open_page: Open) -> None:
    run = training(RunState.RUNNING)
    app = open_page("supernets")
    assert "of memory in use" in texts(app)
    app.button(key=f"keep-{run.run_id}").click().run()
    assert not app.exception
    assert STOP_FILE in {each.name for each in resources.store().ledger(run.run_id).artifacts()}
    assert "It ends with its last whole epoch" in texts(app)
    assert f"keep-{run.run_id}" not in keys(app)
    resources.store().set_state(run.run_id, RunState.CANCELLED)


def test_what_a_stopped_training_has_is_kept_by_taking_it_up(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    monkeypatch.setattr("core.jobs.manager.JobManager.resume", lambda self, run_id: taken.append(run_id))
    run = training(RunState.FAILED)
    app = open_page("supernets")
    assert app.button(key=f"keep-{run.run_id}").label == "Keep what there is"
    app.button(key=f"keep-{run.run_id}").click().run()
    assert taken == [run.run_id]
    ledger = resources.store().ledger(run.run_id)
    assert asked_to_stop(ledger)
    app.button(key=f"resume-{run.run_id}").click().run()
    assert taken == [run.run_id] * 2
    assert not asked_to_stop(ledger), "whoever resumes it wants it trained"


def test_before_the_first_epoch_there_is_nothing_to_keep(open_page: Open) -> None:
    run = training(RunState.CANCELLED, epochs=0)
    app = open_page("supernets")
    assert f"resume-{run.run_id}" in keys(app)
    assert f"keep-{run.run_id}" not in keys(app)


def test_a_film_that_cannot_be_read_leaves_the_curves(open_page: Open) -> None:
    run = training(RunState.DONE)
    resources.store().ledger(run.run_id).save_artifact(FILM_FILE, b"no film", "application/octet-stream")
    app = open_page("supernets")
    assert chart(app, f"training-curves-{run.run_id}")["data"]
    app.segmented_control(key=f"watch-{run.run_id}").set_value("Film of the front").run()
    assert not app.exception
    assert "its curves can" in app.warning[0].value


def test_a_longer_training_starts_with_the_settings_of_before(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped supernet's card says how it was trained; another strategy makes it a fork."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("pages.ui.supernets.tuning.submit", lambda kind, params, **_: asked.append(params))
    monkeypatch.setattr("pages.ui.supernets.tuning.forecast", lambda *_, **__: None)
    app = open_page("supernets", supernet="digits-lesson")
    app.toggle(key="tune-digits-lesson").set_value(True).run()
    app.radio(key="tune-how-digits-lesson").set_value("Longer, as before").run()
    app.selectbox(key="tune-strategy-longer-digits-lesson").set_value("uniform").run()
    app.button(key="tune-start").click().run()
    assert not app.exception
    [params] = asked
    assert params["start"] == "digits-lesson"
    assert params["title"].endswith(", longer")
    assert params["training"]["strategy"] == "uniform"
    assert params["training"]["learning_rate"] == 0.05
    assert params["training"]["seed"] == 1, "not the order and the draws of before once more"
    assert "--as-before" in params["command"]
