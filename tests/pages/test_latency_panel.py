"""Latency on the Front page: an axis by one click, predicted subnets hollow and on no front, said on the card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation.latency.campaign import Settled
from core.evaluation.latency.model import LatencyModel
from core.library import supernets
from core.library.latency import LatencyRecord, identity_of
from core.records import RunState
from pages.ui import resources
from tests.helpers.latency_world import World, profile_of
from tests.pages.test_front_page import click, html_of, traces

Open = Callable[..., AppTest]
EASY = LatencyModel(form="linear", strength=0.003, intercept=0.0, weights=(), columns="0" * 64)


@pytest.fixture(scope="module")
def record() -> LatencyRecord:
    entry = supernets.find(None, "digits-cnn")
    costs = supernets.costs(entry)
    profile = profile_of(World(costs), identity_of(entry), n=300)
    settled = Settled(objective="accuracy", confidence=0.95, chance=0.02, table=entry.table_sha256)
    return LatencyRecord.of(profile, costs, like=EASY).model_copy(update={"settled": settled})


def keep(record: LatencyRecord) -> str:
    store = resources.store()
    run_id = store.create_run(
        "measure_latency", {"supernet": "digits-cnn"}, title="Latency of digits-cnn", state=RunState.DONE
    )
    record.save(store.ledger(run_id))
    return run_id


def drawn(app: AppTest) -> dict[str, Any]:
    assert not app.exception
    return traces(app)


def test_before_anything_was_timed_the_panel_says_what_it_will_do(open_page: Open) -> None:
    app = open_page("front")
    assert not [b for b in app.button if b.key in ("latency-show", "latency-start")]
    assert "predicted" not in drawn(app)
    app.session_state["latency"] = True
    app.run()
    assert "About 300 of 13,824 subnets" in " ".join(c.value for c in app.caption)
    assert not app.button(key="latency-start").disabled
    app.session_state["latency"] = True  # AppTest closes it with every run
    app.number_input(key="latency-threads").set_value(0).run()
    assert any("0 is not possible, only numbers from 1 to 256" in e.value for e in app.error)
    assert app.button(key="latency-start").disabled


@pytest.mark.slow
def test_one_click_draws_accuracy_against_latency(open_page: Open, record: LatencyRecord) -> None:
    keep(record)
    app = open_page("front")
    assert "predicted" not in drawn(app), "MACs are counted"
    app.button(key="latency-show").click().run()
    found = drawn(app)
    assert app.selectbox(key="axis-x").value == record.objective
    assert app.query_params["x"] == record.objective
    assert not [b for b in app.button if b.key == "latency-show"]
    timed = set(record.profile.timings.arch_ids)
    assert set(found["front"]["customdata"]) <= timed
    assert not set(found["predicted"]["customdata"]) & timed
    assert found["predicted"]["marker"]["symbol"] == "circle-open"
    assert "at most 2.0 %" in " ".join(c.value for c in app.caption)
    click(app, found["predicted"]["customdata"][0])
    card = html_of(app)
    assert "Latency on Toy machine, 1 thread" in card
    assert "<td class='how'>predicted</td>" in card
    click(app, found["front"]["customdata"][0])
    assert "<td class='how'>predicted</td>" not in html_of(app)
    assert "<td class='how'>timed</td>" in html_of(app)


def test_a_link_keeps_the_latency_and_its_limit(open_page: Open, record: LatencyRecord) -> None:
    keep(record)
    limit = sorted(record.profile.timings.ms)[150]
    app = open_page("front", x=record.objective, limits=f"{record.objective}<={limit:.6g}")
    assert app.selectbox(key="axis-x").value == record.objective
    assert app.query_params["limits"].startswith(f"{record.objective}<=")


def test_a_link_to_a_latency_that_is_not_here_says_so(open_page: Open, record: LatencyRecord) -> None:
    app = open_page("front", x=record.objective)
    assert "axis Latency on Toy machine, 1 thread" in " ".join(w.value for w in app.warning)
    assert app.selectbox(key="axis-x").value == "macs"


def test_the_panel_describes_what_is_known_and_a_stale_profile_says_so(
    open_page: Open, record: LatencyRecord
) -> None:
    device = record.profile.device.model_copy(update={"version": "0.1"})
    keep(record.model_copy(update={"profile": record.profile.model_copy(update={"device": device})}))
    app = open_page("front")
    app.session_state["latency"] = True
    app.run()
    assert not app.exception
    told = html_of(app)
    assert "rank correlation" in told.lower()
    assert "onnxruntime 0.1, float32, one sample at a time" in told
    assert any("another one since this was timed" in w.value for w in app.warning)
    assert not [b for b in app.button if b.key and b.key.startswith("latency-check")], (
        "it is not this machine"
    )


def test_a_check_of_the_anchors_is_started_from_the_panel(
    open_page: Open, record: LatencyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, asked = keep(record), []
    monkeypatch.setattr(
        "core.jobs.manager.JobManager.submit",
        lambda self, kind, params, **rest: asked.append((kind, params)) or self.store.list_runs()[0].run_id,
    )
    app = open_page("front")
    app.session_state["latency"] = True
    app.run()
    app.button(key=f"latency-check-{run_id}").click().run()
    assert not app.exception
    assert asked == [("check_latency", {"supernet": "digits-cnn", "run": run_id})]
    assert app.session_state["latency"] is False, "the panel would lie upon the progress"
