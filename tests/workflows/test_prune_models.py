"""Pruning as a job: what it keeps, that it resumes, and that its networks are models like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from core.errors import InvalidInput, NotFound
from core.library.benchmarks import CLEAN, corruption_names, evaluation_probe, load_margins
from core.library.library import Library
from core.library.networks import describe, load_model
from core.library.pruned import (
    PruningRecord,
    as_points,
    describe_pruned,
    failures,
    list_pruned,
    load_compact,
    load_masked,
    margins_file,
    net_file,
    parents,
)
from core.networks.answers import predictions
from core.pruning.criteria.base import prunable_weights
from core.pruning.pruners import creating
from core.records import RunState
from core.store import RunStore
from core.workflows import prune_models
from tests.helpers.pruning import LARGEST, METHODS, SMALLEST, new_run, pruned, small_request


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for the module: the severities are calibrated once."""
    path = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSCOPE_HOME", str(path))
        # Jobs open the store by its settings.
        patch.setenv("PARETOSCOPE_DATABASE_URL", f"sqlite:///{path / 'test.db'}")
        yield path


@pytest.fixture(scope="module")
def store(home: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{home / 'test.db'}", home) as opened:
        yield opened


@pytest.fixture(scope="module")
def run_id(store: RunStore) -> str:
    return pruned(store)


@pytest.mark.slow
def test_every_network_is_kept_with_its_numbers(store: RunStore, run_id: str) -> None:
    found = list_pruned(store, SMALLEST)
    assert [(m.method, m.asked) for m in found] == [
        ("", 0),
        ("magnitude", 0.5),
        ("magnitude", 0.9),
        ("l1_filters", 0.5),
        ("random_like", 0.5),
        ("small_dense", 0.5),
    ]
    parent, magnitude, _, filters, _, small = found
    assert parent.is_parent
    assert parent.sparsity == 0
    assert magnitude.sparsity == pytest.approx(0.5, abs=2e-3)  # 136 of 273 weights
    assert filters.sparsity >= 0.5
    assert small.sparsity >= 0.5
    assert magnitude.numbers["macs"] == parent.numbers["macs"]
    assert magnitude.numbers["nonzero"] < parent.numbers["nonzero"]
    for smaller in (filters, small):
        for name in ("macs", "params", "bytes"):
            assert smaller.numbers[name] < parent.numbers[name]
        assert smaller.numbers["latency_ms"] > 0
    assert "latency_ms" in parent.numbers
    assert "latency_ms" not in magnitude.numbers, "single zeros save no time"
    assert "zero_shot" in magnitude.numbers
    assert "zero_shot" not in small.numbers, "it was trained as it is"
    assert [m.tuning_epochs for m in found] == [0, 1, 1, 1, 1, 0]


def test_a_method_that_cannot_prune_is_named_and_the_others_go_on(store: RunStore, run_id: str) -> None:
    [failure] = failures(store, SMALLEST)
    assert failure.label == "Taylor"
    assert "scores units once" in failure.reason
    assert failure.run_id == run_id


def test_margins_of_every_benchmark_are_kept_and_agree_with_the_network(store: RunStore, run_id: str) -> None:
    probe = evaluation_probe(load_model(store, SMALLEST).entry)
    for model in list_pruned(store, SMALLEST):
        kept = load_margins(store.ledger(run_id).artifact(margins_file(model.index)))
        assert kept.fingerprint == probe.fingerprint
        assert set(kept.values) == {CLEAN, "fgsm@3", *(f"{name}@3" for name in corruption_names())}
        clean = kept.values[CLEAN]
        net = load_model(store, model.model_id).net
        answered = predictions(net, probe.x)
        assert np.array_equal(clean["margin"] > 0, answered == probe.y)
        assert model.numbers["accuracy"] == pytest.approx((answered == probe.y).mean())
        assert (kept.values["fgsm@3"]["margin"] > 0).mean() <= (clean["margin"] > 0).mean()


def test_removed_weights_are_zero_and_the_compact_network_computes_the_same(
    store: RunStore, run_id: str
) -> None:
    x = torch.from_numpy(evaluation_probe(load_model(store, SMALLEST).entry).x[:64])
    for model in list_pruned(store, SMALLEST)[1:]:
        masked, kept = load_masked(store, run_id, model.index)
        compact = load_compact(store, run_id, model.index)
        assert bool(kept) == model.surgery == (model.method == "l1_filters")
        with torch.no_grad():
            assert (masked(x) - compact(x)).abs().max() <= 1e-5 * masked(x).abs().max().clamp_min(1)
        if model.removes == "weights":
            weights = dict(masked.named_parameters())
            zeros = sum(int((weights[n] == 0).sum()) for n in prunable_weights(masked))
            total = sum(weights[n].numel() for n in prunable_weights(masked))
            assert zeros == round(model.asked * total), "fine-tuning has revived nothing and killed nothing"


def test_a_pruned_network_is_a_model(store: RunStore, run_id: str) -> None:
    from core.views.compare_models import Question, compare_models

    filters = next(m for m in list_pruned(store, SMALLEST) if m.method == "l1_filters")
    info = describe(store, filters.model_id)
    assert info.origin == "pruned"
    assert "L1 filters (1 epoch), 50 % pruned" in info.title
    a, b = load_model(store, SMALLEST), load_model(store, filters.model_id)
    assert b.labels == a.labels
    found = compare_models(a, b, Question("cka", (), "pooled", False))
    assert np.isfinite(found.result.values).any()
    assert sum(p.numel() for p in b.net.parameters()) < sum(p.numel() for p in a.net.parameters())


def test_points_for_the_front(store: RunStore, run_id: str) -> None:
    assert [p.model_id for p in parents(store, "digits-cnn")] == [SMALLEST]
    assert parents(store, "fashion-cnn") == []
    table = as_points(list_pruned(store, SMALLEST))
    assert len(table) == 5
    assert table["model_id"].str.startswith("pruned:").all()
    assert table["latency_ms"].notna().sum() == 2
    assert as_points([]).empty


@pytest.mark.parametrize("number", ["0", "77", "x"])
def test_strangers_are_not_found(store: RunStore, run_id: str, number: str) -> None:
    with pytest.raises(NotFound):
        describe(store, f"pruned:{run_id}:{number}")


def test_another_kind_of_run_has_no_pruned_networks(store: RunStore) -> None:
    other = store.create_run("search_front", {}, title="another")
    with pytest.raises(NotFound):
        describe_pruned(store, other, 1)


# --- going on ----------------------------------------------------------------------------------------


def forget(store: RunStore, run_id: str) -> None:
    store.set_state(run_id, RunState.CANCELLED)
    store.delete_run(run_id)


def files(store: RunStore, run_id: str) -> dict[str, str]:
    return {a.name: a.sha256 for a in store.ledger(run_id).artifacts() if a.name != PruningRecord.FILE}


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_the_next_method_and_ends_with_the_same_bytes(
    store: RunStore, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = small_request(latency=False)
    stopped = new_run(store, request)
    for step in prune_models.run(request, store.ledger(stopped), Library(store)):
        if "L1 filters" in step.message:
            break
    kept = files(store, stopped)
    assert net_file(2) in kept
    assert net_file(5) not in kept
    made: list[str] = []
    real = creating.METHODS.create

    def watched(name: str, config: dict[str, object] | None = None) -> object:
        pruner = real(name, config)
        if config is None:  # the criterion that "random_like" copies, not one of the request
            return pruner
        work = pruner.prune
        monkeypatch.setattr(pruner, "prune", lambda *a: (made.append(name), work(*a))[1])
        return pruner

    monkeypatch.setattr(creating.METHODS, "create", watched)
    fractions = [step.fraction for step in prune_models.run(request, store.ledger(stopped), Library(store))]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert made == ["l1_filters", "random_like", "taylor", "small_dense"], "magnitude was finished"
    assert files(store, stopped) == files(store, run_id)
    forget(store, stopped)


def test_a_finished_run_started_again_makes_nothing_anew(
    store: RunStore, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = [METHODS[0] | {"sparsities": [0.5]}, METHODS[3]]  # the second cannot prune
    request = small_request(methods=methods, latency=False)
    mine = pruned(store, request)
    before, summary = files(store, mine), store.ledger(mine).artifact(PruningRecord.FILE)
    monkeypatch.setattr(prune_models, "by_method", lambda *a: pytest.fail("a finished method was done again"))
    steps = list(prune_models.run(request, store.ledger(mine), Library(store)))
    assert steps[-1].message.startswith("1 pruned network kept and evaluated. 1 method could not prune it: ")
    assert files(store, mine) == before
    assert store.ledger(mine).artifact(PruningRecord.FILE) == summary
    forget(store, mine)


def test_a_parent_that_has_changed_is_refused(store: RunStore, run_id: str) -> None:
    request = small_request()
    mine = new_run(store, request)
    ledger = store.ledger(mine)
    summary = json.loads(store.ledger(run_id).artifact(PruningRecord.FILE))
    ledger.save_artifact(
        PruningRecord.FILE, json.dumps(summary | {"model_key": "another"}).encode(), "application/json"
    )
    with pytest.raises(InvalidInput, match="has changed"):
        list(prune_models.run(request, ledger, Library()))
    forget(store, mine)


@pytest.mark.slow
def test_another_seed_prunes_and_tunes_differently(store: RunStore, run_id: str) -> None:
    methods = [m for m in METHODS if m["name"] in ("magnitude", "random_like")]
    other = pruned(store, small_request(methods=methods, seed=1, latency=False))
    mine, theirs = files(store, run_id), files(store, other)
    assert theirs[net_file(3)] != mine[net_file(4)], "chance is of the seed"
    assert theirs[net_file(1)] != mine[net_file(1)], "so is the order of the images"
    forget(store, other)


# --- requests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "methods",
    [
        [],
        [{"name": "nothing", "sparsities": [0.5]}],
        [{"name": "magnitude", "sparsities": []}],
        [{"name": "magnitude", "sparsities": [1.0]}],
        [{"name": "magnitude", "sparsities": [0.0]}],
        [{"name": "magnitude"}],
    ],
)
def test_impossible_requests_are_refused(methods: list[dict[str, object]]) -> None:
    with pytest.raises((ValidationError, NotFound)):
        prune_models.Request.model_validate({"model": LARGEST, "methods": methods})


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (
            {"name": "magnitud", "sparsities": [0.5]},
            "no way to prune called 'magnitud'. Did you mean 'magnitude'",
        ),
        ({"name": "magnitude", "sparsities": [1.0]}, "sparsities lie between 0 and 1"),
    ],
)
def test_a_refusal_is_a_plain_sentence(method: dict[str, object], sentence: str) -> None:
    with pytest.raises((ValidationError, NotFound)) as refused:
        prune_models.Request.model_validate({"model": LARGEST, "methods": [method]})
    assert sentence in str(refused.value)


@pytest.mark.parametrize("benchmarks", [{"severities": [0]}, {"severities": []}, {"attacks": ["sticks"]}])
def test_impossible_benchmarks_are_refused(benchmarks: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        small_request(benchmarks=benchmarks)


def test_a_wrong_setting_fails_before_anything_is_made(store: RunStore) -> None:
    request = small_request(methods=[{"name": "magnitude", "sparsities": [0.5], "config": {"colour": 3}}])
    mine = new_run(store, request)
    with pytest.raises(InvalidInput, match="colour"):
        list(prune_models.run(request, store.ledger(mine), Library(store)))
    assert not files(store, mine)
    forget(store, mine)


def test_what_was_cut_can_be_pruned_again_what_is_held_at_zero_cannot(store: RunStore, run_id: str) -> None:
    first = {m.method: m for m in list_pruned(store, SMALLEST)}
    methods = [{"name": "magnitude", "sparsities": [0.3]}]
    again = pruned(store, small_request(first["l1_filters"].model_id, methods=methods, latency=False))
    parent, smaller = list_pruned(store, first["l1_filters"].model_id)
    assert parent.title == "As it was"
    assert parent.numbers["accuracy"] == first["l1_filters"].numbers["accuracy"]
    assert smaller.sparsity == pytest.approx(0.3, abs=0.01)
    assert smaller.numbers["nonzero"] < parent.numbers["nonzero"] < first[""].numbers["nonzero"]
    assert describe(store, smaller.model_id).supernet_id == "digits-cnn"
    request = small_request(first["magnitude"].model_id, methods=methods)
    mine = new_run(store, request)
    with pytest.raises(InvalidInput, match="revive"):
        list(prune_models.run(request, store.ledger(mine), Library(store)))
    forget(store, mine)
    forget(store, again)
