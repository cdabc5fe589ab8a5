"""The panel of evolved layers: what it offers, starts and shows. Run by itself, on a store of its own."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from core.library.norm_search import EVOLVED, KIND, Candidate
from core.norm_search.expressions import EVONORM_S0, STARTS
from core.records import RunState
from core.workflows.evolve_norm import Request
from pages.ui import resources


def panel_app() -> AppTest:
    def script() -> None:
        import streamlit as st

        from pages.ui.search.norm_panel import panel

        st.session_state.setdefault("session", "test")
        panel()

    app = AppTest.from_function(script, default_timeout=60)
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def searched(*, compared: bool) -> str:
    store = resources.store()
    run_id = store.create_run(
        KIND, Request().model_dump(), title="Evolved layer, seed 0", state=RunState.RUNNING
    )
    ledger = store.ledger(run_id)
    tried = [
        Candidate(0, STARTS[0], "", {"plain": 0.9, "residual": 0.7}),
        Candidate(0, STARTS[1], "learns nothing"),
        Candidate(1, EVONORM_S0, "", {"plain": 0.95, "residual": 0.85}),
    ]
    rows = [candidate.row() for candidate in tried]
    if compared:
        rows += [
            {"layer": name, "seed": seed, "test_accuracy": base + seed / 1000}
            for seed in range(1, 7)
            for name, base in ((EVOLVED, 0.9), ("BatchNorm + ReLU", 0.8))
        ]
    for step, row in enumerate(rows):
        ledger.log_metrics(step, row)
    store.set_state(run_id, RunState.DONE)
    return run_id


@pytest.mark.slow
def test_it_explains_and_offers_a_search_with_the_requests_own_bounds() -> None:
    app = panel_app()
    assert "normalizes (BatchNorm)" in app.markdown[0].value
    assert app.number_input(key="norm-population").value == Request().population
    assert not app.get("plotly_chart")
    app.number_input(key="norm-tournament").set_value(50).run()
    assert any("at most as many contestants" in e.value for e in [*app.error, *app.warning, *app.caption])
    app.number_input(key="norm-tournament").set_value(2).run()
    app.button(key="norm-start").click().run()
    assert not app.exception
    [run] = [run for run in resources.store().list_runs() if run.kind == KIND]
    assert run.params["tournament"] == 2


def test_it_shows_every_expression_the_best_formula_and_who_is_better() -> None:
    searched(compared=True)
    app = panel_app()
    [chart] = app.get("plotly_chart")
    drawn = json.loads(chart.proto.spec)
    names = {trace["name"] for trace in drawn["data"]}
    assert {"expression", "best so far", "rejected before training"} <= names
    assert drawn["layout"]["title"]["text"] == "Best so far: (x · σ(v·x)) / std_group(x)"
    said = " ".join(m.value for m in [*app.markdown, *app.caption])
    assert "3 expressions, 1 rejected before training" in said
    assert "90.0 % on validation images" in said
    assert "Evolved is better on average" in said
    tables = " ".join(h.proto.body for h in app.get("html"))
    assert "BatchNorm + ReLU" in tables


def test_before_the_comparison_only_the_expressions_are_there() -> None:
    searched(compared=False)
    app = panel_app()
    assert len(app.get("plotly_chart")) == 1
    assert "better on average" not in " ".join(m.value for m in app.markdown)
