"""Front page, other devices: a kit is asked for, a profile becomes an axis, a bad one a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation.latency.plan import plan_sample
from core.library import profile_worker, profiles, supernets
from core.library.latency import identity_of
from pages.ui import resources

Open = Callable[..., AppTest]
DIGITS = supernets.find(None, "digits-cnn")


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        profiles,
        "run_confined",
        lambda _, data, options, target, limits: profile_worker.work(data, options, target),
    )


@pytest.fixture
def opened(open_page: Open) -> AppTest:
    app = open_page("front")
    assert not [b for b in app.button if b.key == "kit-make"], "closed, nothing of it is drawn"
    app.session_state["other-devices"] = True
    return app.run()


def profile() -> dict[str, Any]:
    rows = plan_sample(supernets.costs(DIGITS), 60)
    ids = DIGITS.space.arch_ids(rows)
    ms = (0.02 + 1e-6 * supernets.costs(DIGITS).total("macs", rows)).tolist()
    return {
        "format": 1,
        "supernet": identity_of(DIGITS).model_dump(),
        "device": {"name": "Board", "version": "1.20"},
        "protocol": {"rounds": 6, "runs": 4, "agreement": 0.99},
        "planned": 60,
        "timings": {"arch_ids": ids, "ms": ms, "spread": [0.0] * 60},
        "anchors": {"arch_ids": ids[:2], "start": ms[:2], "end": ms[:2]},
        "date": "2026-11-28T09:00:00Z",
    }


def load(app: AppTest, content: bytes) -> AppTest:
    app.file_uploader(key="kit-profile").upload("profile.json", content, "application/json").run()
    assert not app.exception
    return app


@pytest.mark.slow
def test_a_profile_becomes_an_axis_that_one_click_shows(opened: AppTest) -> None:
    app = load(opened, json.dumps(profile()).encode())
    [said] = [e.value for e in app.success]
    plain = said.replace("\\", "")
    assert plain.startswith("Latency on Board, 1 thread: 60 subnets were timed")
    assert "rank correlation" in plain
    [name] = [o for o in app.selectbox(key="axis-x").options if o.startswith("Latency on Board")]
    assert name == "Latency on Board, 1 thread"
    app.button(key="kit-profile-show").click().run()
    app.run()  # the callback asks for the whole page, which AppTest draws next
    assert not app.exception
    assert app.selectbox(key="axis-x").value.startswith("latency_ms.Board_1-thread_")
    [run] = resources.store().list_runs(kind="add_profile")
    assert run.state == "done"
    # Few of its front's members were timed: a second kit is offered.
    assert "a second kit" in plain
    assert app.selectbox(key="kit-after").options == [
        "A sample of the space",
        "Around the front of Latency on Board, 1 thread",
    ]


@pytest.mark.slow
def test_a_profile_that_is_refused_leaves_a_sentence_and_no_run(opened: AppTest) -> None:
    foreign = profile()
    foreign["supernet"]["layout"] = "0" * 64
    for content, sentence in (
        (b"{}", "cannot be used"),
        (b"{", "not JSON"),
        (json.dumps(foreign).encode(), "another supernet"),
    ):
        app = load(opened, content)
        [said] = [e.value for e in app.error]
        assert sentence in said
        assert not app.success
    assert resources.store().list_runs(kind="add_profile") == []


def test_a_kit_is_made_in_the_background_as_the_form_says(
    opened: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "core.jobs.manager.JobManager.submit",
        lambda self, kind, params, **told: asked.append((kind, dict(params))) or "0" * 32,
    )
    opened.number_input(key="kit-threads").set_value(4)
    opened.selectbox(key="kit-precision").set_value("int8")
    opened.button(key="kit-make").click().run()
    assert not opened.exception
    assert asked == [
        (
            "make_kit",
            {
                "supernet": "digits-cnn",
                "runtime": "onnxruntime",
                "precision": "int8",
                "threads": 4,
                "batch": 1,
                "after": "",
            },
        )
    ]


def test_what_no_kit_can_be_is_said_and_the_button_waits(opened: AppTest) -> None:
    opened.selectbox(key="kit-runtime").set_value("torch").run()
    assert opened.selectbox(key="kit-precision").options == ["32 bits (float)"]
    opened.number_input(key="kit-threads").set_value(0).run()
    assert any("Threads" in e.value for e in opened.error)
    assert opened.button(key="kit-make").disabled
