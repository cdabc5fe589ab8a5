"""The card's tab that tunes the selected subnet: the form, what it starts, what was found, and where it leads."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.library.alone import net_file
from core.library.tuned import KIND, StartedNet, TunedRecord
from core.records import RunState
from core.workflows.tune_subnet import Request
from pages.ui import resources
from tests.pages.test_similarity_page import said

ARCH = "311131113111"


def panel_app() -> AppTest:
    def script(arch: str) -> None:
        import streamlit as st

        from core.library import supernets
        from pages.ui.front import tuning_panel

        st.session_state.setdefault("session", "test")
        tuning_panel.draw(supernets.find(None, "digits-cnn"), arch)

    app = AppTest.from_function(script, kwargs={"arch": ARCH}, default_timeout=60).run()
    assert not app.exception, app.exception[0].message
    return app


def kept() -> str:
    """A finished run with made-up numbers, whose networks nobody loads."""
    entry, store = supernets.find(None, "digits-cnn"), resources.store()
    record = TunedRecord(
        supernet=entry.supernet_id,
        sha256=entry.sha256,
        arch_id=ARCH,
        arch={},
        data={},
        training={"epochs": 5, "learning_rate": 0.02},
        scratch={"epochs": 5, "learning_rate": 0.1},
        teacher=False,
        asked=2,
        inside={"accuracy": 0.9, "test_accuracy": 0.9},
        versions={},
        nets=tuple(
            StartedNet(
                index=2 * seed + at,
                start=start,  # type: ignore[arg-type]
                seed=seed,
                sha256="0" * 64,
                seconds=4,
                accuracy=0.95 + 0.01 * seed,
                test_accuracy=(0.94, 0.93)[at] + 0.01 * seed,
            )
            for seed in (0, 1)
            for at, start in enumerate(("tuned", "scratch"))
        ),
    )
    asked = Request(supernet=entry.supernet_id, arch=ARCH).model_dump(mode="json")
    run_id = store.create_run(KIND, asked, title="tuned", state=RunState.RUNNING)
    for net in record.nets:
        store.ledger(run_id).save_artifact(net_file(net.index), b"made up", "application/octet-stream")
    record.save(store.ledger(run_id))
    store.set_state(run_id, RunState.DONE)
    return run_id


def test_a_subnet_that_was_not_tuned_is_offered_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "pages.ui.front.tuning_panel.submit", lambda kind, params, **_: asked.append((kind, params))
    )
    app = panel_app()
    assert "how much of the gain is training" in said(app)
    app.number_input(key="tune-subnet-epochs-digits-cnn").set_value(2).run()
    app.toggle(key="tune-subnet-teacher-digits-cnn").set_value(True).run()
    app.button(key="tune-subnet-start").click().run()
    [(kind, params)] = asked
    assert kind == KIND
    request = Request.model_validate(params)
    assert (request.arch, request.epochs, request.seeds, request.teacher) == (ARCH, 2, 3, True)
    assert request.scratch


def test_what_was_found_is_said_with_seeds_and_leads_on(open_page) -> None:  # type: ignore[no-untyped-def]
    run_id = kept()
    app = open_page("front", supernet="digits-cnn", sid=ARCH)
    app.session_state["card-tabs"] = "Tune"
    app.run()
    assert not app.exception
    words = said(app).replace("\\", "")
    for cell in (
        "as shared",
        "tuned, 5 epochs",
        "from scratch, as long, 5 epochs",
        "94.5 % (94.0 to 95.0 %)",
    ):
        assert cell in words, cell
    assert "+4.5 points (n = 2)" in words
    assert "78 % of the gain is training" in words
    assert "No verdict" in words
    assert "Train it alone at full length, too" in [e.proto.label for e in app.get("page_link")]
    assert "Download the tuned one" in [e.proto.label for e in app.get("download_button")]
    leads: list[dict[str, str]] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("streamlit.switch_page", lambda page, query_params: leads.append(query_params))
        app.button(key="prune-tuned").click().run()
    assert leads == [{"parent": f"tuned:{run_id}:2"}], "the best validation accuracy is that of seed 1"


def test_nothing_of_it_is_loaded_before_it_is_asked_for(open_page) -> None:  # type: ignore[no-untyped-def]
    def names() -> list[str]:
        [chart] = [e for e in app.get("plotly_chart") if "front-chart" in e.proto.id]
        return [trace.get("name") for trace in json.loads(chart.proto.spec)["data"]]

    kept()
    late = ("pages.ui.front.tuning_panel", "core.views.trained")
    for module in late:
        sys.modules.pop(module, None)
    app = open_page("front", supernet="digits-cnn", sid="000000000000")
    assert not set(late) & set(sys.modules)
    assert "trained" not in names()
    app.toggle(key="log-trained").set_value(True)
    app.session_state["card-tabs"] = "Tune"
    app.run()
    assert not app.exception
    assert "trained" in names(), "stars beside the front"
    assert app.button(key="tune-subnet-start").label == "Tune this subnet"
