"""The ranking check on a supernet's page: empty, asked for, and read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.library.ranking_check import KIND
from core.records import RunState
from core.workflows.check_ranking import Request
from pages.ui import resources
from tests.pages.test_similarity_page import said
from tests.views.test_ranking import planted


def panel_app() -> AppTest:
    def script() -> None:
        import streamlit as st

        from core.library import supernets
        from pages.ui.supernets import ranking

        st.session_state.setdefault("session", "test")
        ranking.draw(supernets.find(None, "digits-lesson"))

    app = AppTest.from_function(script, default_timeout=60).run()
    assert not app.exception, app.exception[0].message
    return app


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "pages.ui.supernets.ranking.submit", lambda kind, params, **_: asked.append((kind, params))
    )
    return asked


def test_an_unchecked_supernet_explains_the_budget_and_starts_what_the_form_holds(
    submitted: list[tuple[str, dict[str, Any]]],
) -> None:
    app = panel_app()
    words = said(app)
    assert "Nothing was checked yet" in words
    assert "24 networks are trained from scratch, " in words
    app.number_input(key="ranking-subnets-digits-lesson").set_value(8).run()
    app.number_input(key="ranking-seeds-digits-lesson").set_value(3).run()
    assert "24 networks are trained" in said(app)
    app.button(key="ranking-start").click().run()
    [(kind, params)] = submitted
    assert kind == KIND
    asked = Request.model_validate(params)
    assert (asked.subnets, asked.seeds, asked.chosen, asked.supernet) == (8, 3, "spread", "digits-lesson")
    assert asked.epochs == supernets.find(None, "digits-lesson").card.training["epochs"]


def test_subnets_by_hand_are_held_against_the_space(submitted: list[tuple[str, dict[str, Any]]]) -> None:
    app = panel_app()
    app.session_state["ranking-way-digits-lesson"] = "hand"
    app.run()
    assert app.button(key="ranking-start").disabled
    space = supernets.find(None, "digits-lesson").space
    ids = space.arch_ids(space.array()[:3])
    app.text_input(key="ranking-ids-digits-lesson").set_value(f"{ids[0]}, zzz, {ids[1]}").run()
    assert any("zzz is not the id" in error.value for error in app.error)
    app.text_input(key="ranking-ids-digits-lesson").set_value(",".join(ids)).run()
    app.button(key="ranking-start").click().run()
    [(_, params)] = submitted
    assert Request.model_validate(params).ids == tuple(ids)


def test_a_check_shows_verdict_figure_tables_and_what_it_is_of() -> None:
    space = supernets.find(None, "digits-lesson").space
    ids = tuple(space.arch_ids(space.array()[::40]))
    rng = np.random.default_rng(0)
    inside = np.linspace(0.4, 0.9, len(ids))
    record = planted(inside, inside[:, None] + 0.02 * rng.normal(size=(len(ids), 2)), ids=ids)
    store = resources.store()
    asked = Request(supernet="digits-lesson").model_dump(mode="json")
    run_id = store.create_run(KIND, asked, title="check", state=RunState.RUNNING)
    record.save(store.ledger(run_id))
    store.set_state(run_id, RunState.DONE)
    app = panel_app()
    words = said(app)
    assert "better than chance" in words
    assert "Rule: below 8 subnets" in words
    assert f"{2 * len(ids)} of {2 * len(ids)} networks trained alone, seeds 1, 2 (n = 2)" in words
    assert "of one training" in words

    def spec() -> dict[str, Any]:
        [chart] = [e for e in app.get("plotly_chart") if "ranking-figure" in e.proto.id]
        return json.loads(chart.proto.spec)

    drawn = spec()["data"]
    assert sum(len(trace["x"]) for trace in drawn[1:]) == len(ids)
    app.session_state["ranking-axes"] = "ranks"
    app.run()
    assert sorted(x for trace in spec()["data"][1:] for x in trace["x"]) == list(range(1, len(ids) + 1))


def test_a_published_table_takes_the_place_of_seeds(submitted: list[tuple[str, dict[str, Any]]]) -> None:
    from core.library.foreign_tables.decoding import decoded
    from core.library.kept_tables import add
    from core.library.table_guessing import guessed

    found, data = decoded(b"arch_str,acc,macs\na,0.5,10\nb,0.6,20\nc,0.7,30\n")
    table_id = add(resources.store(), "theirs", found, data, guessed(found), "0" * 64)
    app = panel_app()
    app.session_state["ranking-against-digits-lesson"] = "table"
    app.run()
    assert not app.exception
    app.button(key="ranking-start").click().run()
    [(_, params)] = submitted
    asked = Request.model_validate(params)
    assert (asked.table, asked.columns) == (table_id, ("acc",))
