"""How long work will take is said above the button that starts it, and a click is never lost to it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.jobs.forecast import PhaseTime, Trial
from pages.ui import resources

Open = Callable[..., AppTest]
TRIAL = Trial(
    kind="training",
    start=2.0,
    prepare=1.0,
    phases=(PhaseTime(name="sandwich", share=1.0, step=0.1, passes=4),),
    steps=10,
    after=0.5,
    space=13_824,
    measuring=20.0,
    tried="9 steps and 96 subnets",
)


def said(app: AppTest) -> str:
    return " ".join([*(e.value for e in app.markdown), *(e.value for e in app.caption)]).replace("\\", "")


def test_a_training_says_how_long_it_will_take(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("core.jobs.trials.spawn", lambda request: asked.append(request) or TRIAL)
    monkeypatch.setattr("pages.ui.forecast.busy", lambda: 1.0)
    app = open_page("supernets")
    deadline = time.monotonic() + 20
    while "Will take" not in said(app) and time.monotonic() < deadline:
        app.run()
    # 150 epochs of 10 steps and a measurement, after 3 s of starting.
    assert "Will take **about 4 minutes** on this machine." in said(app)
    assert (
        "Afterwards, measuring all 13,824 subnets 23 s. Found by trying 9 steps and 96 subnets here."
        in said(app)
    )
    app.number_input(key="train-epochs-digits-cnn").set_value(15).run()
    assert "Will take **about 25 seconds** on this machine." in said(app)
    assert len(asked) == 1, "another number of epochs asks for no other trial"


@pytest.mark.slow
def test_a_click_on_start_is_not_lost_to_a_trial_that_ends(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes between two looks in the very run that handles the click."""
    app = open_page("search")
    answers = [None, "Nothing was tried."]
    monkeypatch.setattr(
        "core.jobs.trials.Trials.ask", lambda *_, **__: answers.pop(0) if len(answers) > 1 else answers[0]
    )
    app.button(key="search-start").click().run()
    assert len(resources.store().list_runs()) == 1
