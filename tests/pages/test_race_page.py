"""Races on the Search page: what a click starts, what is said while it runs, is paused and is done, and its replay."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.jobs.manager import JobManager
from core.library import supernets
from core.records import Measurement, RunState
from core.workflows import search_front
from pages.ui import choosers, resources
from pages.ui.search import measured
from tests.pages.test_similarity_page import said

Open = Callable[..., AppTest]


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs stay in the queue."""
    monkeypatch.setattr(JobManager, "_start_next", lambda self, order: None)


def planted(algorithm: str, seed: int, lead: float, state: RunState = RunState.DONE, **more: Any) -> str:
    """A search that measured 60 subnets in three batches, its accuracies higher by `lead`."""
    store = resources.store()
    entry = supernets.find(store, "digits-cnn")
    rows = entry.space.sample_array(60, np.random.default_rng(seed))
    params = {
        "supernet": "digits-cnn",
        "algorithm": algorithm,
        "objectives": ["accuracy", "macs"],
        "budget": 60,
    }
    params |= {"seed": seed, **more}
    run_id = store.create_run("search_front", params, title=f"{algorithm}, seed {seed}", seed=seed)
    ledger = store.ledger(run_id)
    for step in range(3):
        values = [0.62 + lead + 0.001 * ((7 * k + seed) % 60) for k in range(20 * step, 20 * step + 20)]
        batch = rows[20 * step : 20 * step + 20].tolist()
        ledger.add_measurements(
            step,
            [
                Measurement(tuple(arch), dict(zip(params["objectives"], (v, 1e4 + 100.0 * k), strict=False)))
                for k, (arch, v) in enumerate(zip(batch, values, strict=True))
            ],
        )
        ledger.log_metrics(step, {"evaluations": 20 * (step + 1), "seconds": 0.5 * (step + 1)})
    store.set_state(run_id, state)
    return run_id


def chart(app: AppTest, key: str) -> dict[str, Any]:
    [found] = [e for e in app.get("plotly_chart") if key in e.proto.id]
    spec: dict[str, Any] = json.loads(found.proto.spec)
    return spec


def test_one_click_starts_every_algorithm_over_the_same_seeds(open_page: Open, idle: None) -> None:
    app = open_page("search", supernet="digits-cnn")
    assert "No search of this supernet yet" in said(app)
    app.number_input(key="search-budget").set_value(120)
    app.number_input(key="search-seed").set_value(3)
    app.number_input(key="race-seeds").set_value(2)
    bound = sorted(supernets.table(supernets.find(None, "digits-cnn"))["macs"])[5000]
    stops = choosers._stops(supernets.find(None, "digits-cnn").revision, "macs", None)
    limit = min(stops, key=lambda stop: abs(stop - bound))
    app.select_slider(key="search-limit-macs").set_value(limit)
    app.run()
    assert "4 searches" in said(app)
    assert "With fewer than 6 seeds each no test can say who won" in said(app)
    app.button(key="race-start").click().run()
    assert not app.exception
    runs = list(reversed(resources.store().list_runs()))
    asked = [search_front.Request.model_validate(run.params) for run in runs]
    assert [(each.seed, each.algorithm) for each in asked] == [
        (3, "nsga2"), (3, "random_search"), (4, "nsga2"), (4, "random_search"),
    ]  # fmt: skip
    assert {each.budget for each in asked} == {120}
    assert {(b.objective, b.lower, b.upper) for each in asked for b in each.constraints} == {
        ("macs", None, limit)
    }
    # All of them are shown at once, and where each stands is said.
    assert "0 of 4 searches done" in [e.proto.text for e in app.get("progress")]
    assert "NSGA-II: 0 of 2 done, 2 queued" in said(app).replace("\\", "")
    assert "Waiting, number 4 in the queue" in [e.proto.text for e in app.get("progress")]
    app.button(key="race-pause").click().run()
    assert {run.state for run in resources.store().list_runs()} == {RunState.CANCELLED}
    app.button(key="race-resume").click().run()
    assert {run.state for run in resources.store().list_runs()} == {RunState.QUEUED}
    queue = [job.run_id for job in resources.store().leases.queued(resources.jobs().owner.owner_id)]
    assert sorted(queue) == sorted(run.run_id for run in runs)
    app.number_input(key="race-seeds").set_value(30)
    app.multiselect(key="race-algorithms").set_value(["random_search", "exhaustive"]).run()
    assert app.button(key="race-start").disabled
    assert "90 searches are more than" in " ".join(e.value for e in app.error)
    assert not app.button(key="search-start").disabled, "one search still fits"


@pytest.mark.slow
def test_a_finished_race_is_decided_and_replayed(open_page: Open) -> None:
    for seed in range(6):
        planted("nsga2", seed, 0.3)
        planted("random_search", seed, 0.0)
    app = open_page("search", supernet="digits-cnn")
    words = said(app).replace("\\", "")
    assert "NSGA-II won after 60 evaluations: +" in words
    assert "NSGA-II won after 1.5 measured seconds: +" in words
    assert "6 of 6 equal seeds" in words
    assert "after 50" in words
    assert "0 of 6" in words, "nobody came to 99 % of the exact hypervolume"
    assert chart(app, "search-hypervolume")["layout"]["xaxis"]["title"]["text"] == "Evaluations"
    app.segmented_control(key="search-across").set_value("Seconds").run()
    assert not app.exception
    drawn = chart(app, "search-hypervolume")
    assert drawn["layout"]["xaxis"]["title"]["text"] == "Measured seconds"
    [line] = [
        t for t in drawn["data"] if t["name"].startswith("NSGA-II") and t.get("line", {}).get("width") == 2
    ]
    assert (line["x"][0], line["x"][-1], line["y"][0]) == (0.0, 1.5, 0.0)

    app.segmented_control(key="search-closer").set_value("attainment").run()
    assert not app.exception
    assert {"exact front", "NSGA-II · n = 6", "Random search · n = 6"} <= {
        t["name"] for t in chart(app, "search-attainment")["data"]
    }
    app.segmented_control(key="search-closer").set_value("replay").run()
    last = chart(app, "replay-chart")
    app.select_slider(key="replay-step-evaluations").set_value(20.0).run()
    assert not app.exception
    step = chart(app, "replay-chart")
    for axis in ("xaxis", "yaxis"):
        assert step["layout"][axis]["range"] == last["layout"][axis]["range"], "the axes stand still"
    [points] = [t for t in step["data"] if t["name"] == "NSGA-II, measured"]
    assert len(points["x"]) == 20
    app.segmented_control(key="replay-by").set_value("Seconds").run()
    app.select_slider(key="replay-step-seconds").set_value(1.0).run()
    [points] = [t for t in chart(app, "replay-chart")["data"] if t["name"] == "NSGA-II, measured"]
    assert len(points["x"]) == 40, "two batches had ended after a second"


def test_searches_of_other_supernets_and_of_one_objective_do_not_mix_in(open_page: Open) -> None:
    planted("nsga2", 0, 0.3)
    other = planted("nsga2", 1, 0.3, supernet="fashion-cnn")
    app = open_page("search", supernet="digits-cnn")
    assert app.multiselect(key="pick-search").options == ["NSGA-II · seed 0"]
    one = planted("random_search", 2, 0.3, objectives=["accuracy"])
    app = open_page("search", supernet="digits-cnn", run=one)
    assert "has no front to draw" in said(app)
    app.segmented_control(key="search-closer").set_value("replay").run()
    assert not app.exception
    app.multiselect(key="pick-search").set_value([]).run()
    assert not app.exception
    assert other not in app.session_state["pick-search"]


def test_a_search_by_seconds_begins_with_an_earlier_one(open_page: Open, idle: None) -> None:
    earlier = planted("nsga2", 0, 0.3)
    app = open_page("search", supernet="digits-cnn")
    app.segmented_control(key="search-budget-in").set_value("Seconds").run()
    app.number_input(key="search-seconds").set_value(5)
    app.selectbox(key="search-warm").set_value(earlier).run()
    assert "at most **about 5 seconds**" in said(app)
    app.button(key="search-start").click().run()
    assert not app.exception
    run = next(r for r in resources.store().list_runs() if r.state is RunState.QUEUED)
    asked = search_front.Request.model_validate(run.params)
    assert (asked.seconds, asked.from_runs) == (5.0, [earlier])
    assert asked.budget == supernets.find(None, "digits-cnn").space.size


def test_what_stands_beside_searches_comes_when_it_is_opened(open_page: Open, idle: None) -> None:
    planted("nsga2", 0, 0.3)
    app = open_page("search", supernet="digits-cnn")
    assert {"SQLite file", "Journal file"} <= {b.label for b in app.get("download_button")}
    assert not [b for b in app.button if b.key == "norm-start"]
    app.segmented_control(key="search-guessing").set_value("norm").run()
    assert not app.exception
    assert not app.button(key="norm-start").disabled


def test_seconds_that_were_read_too_early_are_read_again() -> None:
    """A batch is stored before its seconds are."""
    run_id = planted("nsga2", 0, 0.3, RunState.RUNNING)
    store = resources.store()
    row = {"evaluations": 80, "seconds": 2.0}
    [run] = store.list_runs()
    entry = supernets.find(store, "digits-cnn")
    rows = entry.space.sample_array(80, np.random.default_rng(99))[60:].tolist()
    store.ledger(run_id).add_measurements(
        3, [Measurement(tuple(arch), {"accuracy": 0.5, "macs": 1.0}) for arch in rows]
    )
    early = measured.seconds(run, 80)
    assert early is not None
    assert len(early) == 60
    store.ledger(run_id).log_metrics(3, row)
    store.set_state(run_id, RunState.DONE)
    late = measured.seconds(store.get_run(run_id), 80)
    assert late is not None
    assert late[-1] == 2.0


def test_asking_while_answers_are_on_their_way_is_offered_where_a_cluster_measures(
    open_page: Open, idle: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys(app: AppTest) -> set[str | None]:
        return {toggle.key for toggle in app.toggle}

    app = open_page("search", supernet="digits-cnn")
    app.toggle(key="search-table").set_value(False).run()
    assert "search-in-flight" not in keys(app)
    monkeypatch.setenv("PARETOSCOPE_RAY_ADDRESS", "127.0.0.1:6379")
    app = open_page("search", supernet="digits-cnn")
    assert "search-in-flight" not in keys(app), "what is looked up is never on its way"
    app.toggle(key="search-table").set_value(False).run()
    started = []
    for at_once in (True, False):
        app.toggle(key="search-in-flight").set_value(at_once).run()
        app.button(key="search-start").click().run()
        started.append(resources.store().list_runs()[0].params.get("in_flight"))
    assert started == [None, 1]
    app.selectbox(key="search-algorithm").set_value("linas").run()
    assert "search-in-flight" not in keys(app)
    assert "LINAS learns from whole batches: each is divided among the cores of the cluster." in said(app)
