"""Searches of equal settings on the Search page: one entry, a mean and a band, told apart on request, a verdict."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.chance.resampling import resampled_volumes, sample_weights
from core.library import supernets
from core.pareto import hypervolume
from core.records import Measurement, RunState
from core.views.race import race, search_labels
from core.views.race_chance import by_samples
from core.views.race_table import seed_rows
from core.views.seed_groups import seed_groups
from pages.ui import resources
from tests.pages.test_similarity_page import said

Open = Callable[..., AppTest]


def search(
    seed: int, algorithm: str, lead: int, *, budget: int = 6, made: int = 0, state: RunState = RunState.DONE
) -> str:
    """A search that is done; its k-th subnet is the (k + lead)-th member of the exact front."""
    store = resources.store()
    entry = supernets.find(store, "digits-cnn")
    table = supernets.table(entry)
    assert table is not None
    members = table.sort_values("macs").reset_index(drop=True)
    rows = members.iloc[[(seed + 37 * (k + lead)) % len(members) for k in range(made or budget)]]
    params = {
        "supernet": "digits-cnn",
        "algorithm": algorithm,
        "objectives": ["accuracy", "macs"],
        "budget": budget,
        "seed": seed,
    }
    run_id = store.create_run("search_front", params, title=f"{algorithm}, seed {seed}", seed=seed)
    store.ledger(run_id).add_measurements(
        0,
        [
            Measurement(
                entry.space.from_id(r["arch_id"]), {"accuracy": r["accuracy"], "macs": float(r["macs"])}
            )
            for _, r in rows.iterrows()
        ],
    )
    store.set_state(run_id, state)
    return run_id


def lines(app: AppTest) -> list[str]:
    [chart] = [e for e in app.get("plotly_chart") if "search-hypervolume" in e.proto.id]
    drawn: list[dict[str, Any]] = json.loads(chart.proto.spec)["data"]
    return [t["name"] for t in drawn if t.get("line", {}).get("width") == 2]


def test_seeds_are_one_entry_with_a_mean_and_told_apart_on_request(open_page: Open) -> None:
    for seed in range(3):
        search(seed, "nsga2", lead=2)
    other = search(0, "random_search", lead=0)
    app = open_page("search", supernet="digits-cnn")
    picker = app.multiselect(key="pick-search")
    assert len(picker.options) == 2
    assert any("NSGA-II · 3 seeds" in option for option in picker.options)
    newest = next(r.run_id for r in resources.store().list_runs() if "nsga2" in r.title)
    picker.set_value([newest, other]).run()
    assert not app.exception
    assert lines(app) == ["NSGA-II · n = 3", "Random search"]
    words = said(app)
    assert "band: min to max" in words
    assert ", n = 3)" in words, "the mean says how many seeds"
    assert "(n = 1)<" in words, "one seed has no spread"
    assert "No verdict" in words
    app.toggle(key="search-apart").set_value(True).run()
    assert not app.exception
    assert lines(app) == ["NSGA-II · n = 3"] * 3 + ["Random search"]


@pytest.mark.slow
def test_six_shared_seeds_have_a_verdict_that_names_its_test(open_page: Open) -> None:
    for seed in range(6):
        search(seed, "nsga2", lead=0, budget=9)
        search(seed, "random_search", lead=0, budget=3)
    groups = seed_groups(resources.store().list_runs())
    entry = supernets.find(None, "digits-cnn")
    tables = {r.run_id: resources.search_table(r.run_id, 3, entry) for g in groups for r in g.runs}
    labels = search_labels(groups)
    assert sorted(labels) == ["NSGA-II, budget 9", "Random search, budget 3"]
    found = race(groups, labels, tables, None)
    assert found is not None
    # Both are compared after as many evaluations as the shorter one made, where they are equal.
    assert found.at == 3
    assert [(v.n, v.equal) for v in found.verdicts] == [(6, 6)]
    rows = seed_rows(found)
    assert len(rows) == 12
    assert {(r["seed"], r["evaluations"]) for r in rows} == {(s, 3) for s in range(6)}
    app = open_page("search", supernet="digits-cnn")
    newest = {r.params["algorithm"]: r.run_id for r in reversed(resources.store().list_runs())}
    app.multiselect(key="pick-search").set_value(list(newest.values())).run()
    assert "exact sign\\-flip test" in said(app) or "exact sign-flip test" in said(app)


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.CANCELLED])
def test_a_search_that_did_not_end_is_drawn_and_not_counted(open_page: Open, state: RunState) -> None:
    search(0, "nsga2", lead=0)
    search(1, "nsga2", lead=0, made=2, state=state)
    groups = seed_groups(resources.store().list_runs())
    entry = supernets.find(None, "digits-cnn")
    tables = {r.run_id: resources.search_table(r.run_id, 6, entry) for r in groups[0].runs}
    found = race(groups, search_labels(groups), tables, None)
    assert found is not None
    [racer] = found.racers
    # What it would have found after it was stopped, nobody knows.
    assert np.isnan(racer.curves[1]).tolist() == [False, False, True, True, True, True]
    assert (racer.seeds, set(racer.ended), found.at) == ((0, 1), {0}, 6)
    app = open_page("search", supernet="digits-cnn")
    assert lines(app) == ["NSGA-II · n = 2"]
    assert "(n = 1)<" in said(app)


def test_who_won_is_asked_of_the_images_too(open_page: Open) -> None:
    better = search(0, "nsga2", lead=200, budget=9)
    search(0, "random_search", lead=0, budget=9)
    app = open_page("search", supernet="digits-cnn")
    newest = {r.params["algorithm"]: r.run_id for r in reversed(resources.store().list_runs())}
    app.multiselect(key="pick-search").set_value(list(newest.values())).run()
    words = said(app)
    assert "With the images drawn anew, 2,000 times" in words
    assert re.search(r"in \d+ % of the resamples", words)
    entry = supernets.find(None, "digits-cnn")
    groups = seed_groups(resources.store().list_runs())
    tables = {r.run_id: resources.search_table(r.run_id, 9, entry) for g in groups for r in g.runs}
    found = race(groups, search_labels(groups), tables, None)
    assert found is not None
    [sentence] = by_samples(entry, found, tables, "images")
    ahead = max(found.racers, key=lambda racer: racer.ended[0])
    assert f"{ahead.label} has more hypervolume" in sentence
    # Without bits nothing is claimed.
    assert by_samples(dataclasses.replace(entry, read_bits=None), found, tables, "images") == []
    assert better in {r.run_id for g in groups for r in g.runs}


def test_hypervolumes_of_resamples_are_those_of_their_fronts() -> None:
    rng = np.random.default_rng(0)
    right, costs = (rng.random((30, 50)) < 0.8).astype(np.uint8), rng.integers(1, 20, 30).astype(float)
    weights = sample_weights(50, 40)
    found = resampled_volumes(right, costs, weights, reference=(0.4, 15.0))
    for drawn, volume in zip(weights, found, strict=True):
        points = np.stack([right @ drawn / 50, costs], axis=1)
        assert volume == pytest.approx(hypervolume(points, (0.4, 15.0), maximize=[True, False]), rel=1e-5)
    assert resampled_volumes(right, costs + 100, weights, reference=(0.4, 15.0)).tolist() == [0.0] * 40


def test_the_front_that_was_found_is_a_table_with_intervals(open_page: Open) -> None:
    search(0, "nsga2", lead=0, budget=12)
    app = open_page("search", supernet="digits-cnn")
    app.toggle(key="search-table-front").set_value(True).run()
    assert not app.exception
    words = said(app)
    assert "in resamples" in words
    assert re.search(r"\d\d\.\d.\(\d\d\.\d.to.\d\d\.\d\).%", words), "accuracies have their interval"
    assert "would be on the front of another 359 images" in words
