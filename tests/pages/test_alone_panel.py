"""The panel of shared against alone: what it offers, starts and shows. Run by itself, on a store of its own."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from core.library.alone import KIND
from core.library.library import Library
from core.library.presets import PRESETS
from core.records import RunState
from core.workflows import train_alone
from core.workflows.train_alone import Request
from pages.ui import resources

pytestmark = pytest.mark.slow

ARCH = "201020001010"


def alone_app(model_id: str, other: str, measure: str = "cka") -> AppTest:
    def script(model_id: str, other: str, measure: str) -> None:
        import streamlit as st

        from core.library.activations import ProbeChoice
        from core.library.networks import describe
        from pages.ui import resources
        from pages.ui.similarity.alone_panel import panel
        from pages.ui.similarity.selection import Compared

        st.session_state.setdefault("session", "test")
        store = resources.store_or_none()
        a, b = describe(store, model_id), describe(store, other)
        panel(Compared(a, b, (a, b), "0", "0", "pooled", False, ProbeChoice(n=100), (), measure))

    app = AppTest.from_function(
        script, kwargs={"model_id": model_id, "other": other, "measure": measure}, default_timeout=60
    )
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def trained(arch_id: str = ARCH, epochs: int = 2, seeds: int = 3, seed: int = 1) -> str:
    """A finished run, made in this process."""
    store = resources.store()
    asked = Request(supernet="digits-cnn", arch=arch_id, epochs=epochs, seeds=seeds, seed=seed)
    run_id = store.create_run(KIND, asked.model_dump(), title="alone", state=RunState.RUNNING)
    for _ in train_alone.run(asked, store.ledger(run_id), Library(store)):
        pass
    store.set_state(run_id, RunState.DONE)
    return run_id


def charts(app: AppTest) -> list:
    return [e for e in app.get("plotly_chart") if "alone-figure" in e.proto.id]


def test_without_a_training_it_explains_and_offers_one() -> None:
    app = alone_app(f"subnet:digits-cnn:{ARCH}", "subnet:digits-cnn:000000000000")
    assert ARCH in app.markdown[0].value
    assert "trained from scratch" in app.caption[0].value
    assert (
        app.number_input(key="train-alone-epochs-digits-cnn").value
        == PRESETS["digits-cnn"]["training"]["epochs"]
    )
    assert app.button(key="train-alone-start").label == "Train it alone"
    assert not charts(app)


def test_the_button_starts_a_job_whose_result_is_shown() -> None:
    app = alone_app(f"subnet:digits-cnn:{ARCH}", "subnet:digits-cnn:000000000000")
    app.number_input(key="train-alone-epochs-digits-cnn").set_value(2)
    app.number_input(key="train-alone-seeds-digits-cnn").set_value(3)
    app.button(key="train-alone-start").click().run()
    assert not app.exception
    [run] = resources.store().list_runs()
    assert (run.kind, run.params["arch"], run.params["epochs"], run.seed) == (KIND, ARCH, 2, 1)
    ended = resources.jobs().wait(run.run_id, 90)
    assert ended.state is RunState.DONE, ended.message
    app.run()
    assert not app.exception
    assert charts(app)


@pytest.mark.parametrize("measure", ["cka", pytest.param("agreement", marks=pytest.mark.long)])
def test_a_finished_training_shows_verdict_figure_and_accuracies(measure: str) -> None:
    run_id = trained()
    app = alone_app(f"alone:{run_id}:0", f"subnet:digits-cnn:{ARCH}", measure)
    [chart] = charts(app)
    assert len(json.loads(chart.proto.spec)["data"]) == 6
    text = " ".join(m.value for m in app.markdown)
    assert "seeds 1, 2, 3" in text.replace("\\", "")
    assert "| inside the supernet |" in text
    assert text.count("| alone, seed ") == 3
    before = chart.proto.spec
    app.run()
    assert charts(app)[0].proto.spec == before


def test_one_seed_says_why_there_is_no_verdict() -> None:
    trained(seeds=1)
    app = alone_app(f"subnet:digits-cnn:{ARCH}", "subnet:digits-cnn:000000000000")
    assert any(m.value.startswith("No verdict") for m in app.markdown)
    assert charts(app)


def test_of_several_trainings_one_is_chosen() -> None:
    trained(epochs=1, seeds=1)
    newest = trained(epochs=2, seeds=1)
    app = alone_app(f"subnet:digits-cnn:{ARCH}", "subnet:digits-cnn:000000000000")
    picked = app.selectbox(key="pick-alone")
    assert picked.value == newest
    picked.set_value(picked.options[1] if picked.options[1] != picked.value else picked.options[0])
    app.run()
    assert not app.exception


def test_trainings_of_equal_settings_are_one_and_told_apart_on_request() -> None:
    trained(epochs=1, seeds=2)
    trained(epochs=1, seeds=1, seed=3)
    trained(epochs=1, seeds=1, seed=2)
    app = alone_app(f"subnet:digits-cnn:{ARCH}", "subnet:digits-cnn:000000000000")
    assert all(box.key != "pick-alone" for box in app.selectbox), "there is one choice"
    text = " ".join(m.value for m in app.markdown)
    assert text.count("| alone, seed ") == 3, "seed 2 was trained twice and is one seed"
    assert "alone, mean (min to max, n)" in text
    assert text.count(", n = 3)") == 2
    together = json.loads(charts(app)[0].proto.spec)["data"]
    app.toggle(key="alone-apart").set_value(True).run()
    assert not app.exception
    assert len(json.loads(charts(app)[0].proto.spec)["data"]) == len(together) + 2


def test_damage_is_a_warning() -> None:
    run_id = trained(seeds=1, epochs=1)
    store = resources.store()
    for artifact in store.ledger(run_id).artifacts():
        if artifact.name.startswith("net"):
            file = next(p for p in store.home.rglob(artifact.sha256))
            file.chmod(0o644)
            file.write_bytes(b"gone")
    app = alone_app(f"subnet:digits-cnn:{ARCH}", "subnet:digits-cnn:000000000000")
    assert app.warning
