"""What the Pruning page shows is what was measured: against brute force, without torch, and with damaged files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.datasets.corruptions import corrupt
from core.errors import NotFound
from core.library.benchmarks import (
    CLEAN,
    Benchmarks,
    Judge,
    benchmark_group,
    benchmark_label,
    margins_of,
)
from core.library.evaluated import KIND, EvaluatedRecord
from core.library.library import Library
from core.library.networks import load_model
from core.library.pruned import margins_file
from core.library.severities import strengths
from core.networks.answers import predictions
from core.records import RunState
from core.store import RunStore
from core.views import pruning_detail
from core.views.pruning import (
    PruningView,
    columns,
    missing,
    numbers_table,
    pruning_view,
    table,
)
from core.views.pruning_detail import all_angles, class_means, sample_detail, samples_of
from core.views.pruning_map import alike_benchmarks, pair_map
from core.views.pruning_samples import (
    first_failures,
    fragility,
    lines_of_classes,
    margin_paths,
    means_by_class,
    placed,
    sample_rows,
)
from core.views.pruning_seeds import sparsity_lines
from core.workflows import evaluate_pruned
from tests.helpers.pruning import SMALLEST, pruned, small_request

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSCOPE_HOME", str(path))
        patch.setenv("PARETOSCOPE_DATABASE_URL", f"sqlite:///{path / 'test.db'}")
        yield path


@pytest.fixture(scope="module")
def store(home: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{home / 'test.db'}", home) as opened:
        pruned(opened)
        yield opened


@pytest.fixture
def view(store: RunStore) -> PruningView:
    found = pruning_view(store, SMALLEST)
    assert found is not None
    return found


def by_method(view: PruningView, method: str, asked: float = 0.5) -> str:
    return next(m.model_id for m in view.models if m.method == method and m.asked == asked)


def test_before_anything_was_pruned_there_is_no_view(store: RunStore) -> None:
    assert pruning_view(store, "subnet:digits-cnn:311131113111") is None
    assert pruning_view(None, SMALLEST) is None


def test_cells_of_the_table_are_the_networks_accuracies(store: RunStore, view: PruningView) -> None:
    found = table(view, view.models, 3)
    assert found.models[0].is_parent
    assert found.benchmarks[0] == CLEAN
    assert len(found.benchmarks) == 19
    judge = Judge.of(store, view.entry)
    levels = strengths(judge.severities)
    for method, name in (("magnitude", "fog"), ("l1_filters", "shot_noise")):
        net = load_model(store, by_method(view, method)).net
        images = corrupt(view.probe.x, name, 3, ids=view.probe.ids, strength=levels[name])
        expected = (predictions(net, images) == view.probe.y).mean()
        row = [m.model_id for m in found.models].index(by_method(view, method))
        assert found.accuracy[row, found.benchmarks.index(f"{name}@3")] == pytest.approx(expected)


def test_mean_corruption_error_is_relative_to_the_parent(view: PruningView) -> None:
    found = table(view, view.models, 3)
    assert found.error[0] == 1
    spoiled = [i for i, b in enumerate(found.benchmarks) if benchmark_group(b) not in ("clean", "attack")]
    errors = 1 - found.accuracy[:, spoiled]
    np.testing.assert_allclose(found.error, (errors / errors[0]).mean(1))
    assert len(spoiled) == 17


def test_fragility_is_the_first_wrong_sparsity(view: PruningView) -> None:
    model = view.model(by_method(view, "magnitude", 0.9))
    assert model is not None
    fate = fragility(view, model, CLEAN)
    assert fate is not None
    assert fate.sparsities == (0, 0.5, 0.9)
    for row in range(len(view.probe)):
        wrong = [i for i, m in enumerate(fate.models) if view.margins[m][CLEAN]["margin"][row] <= 0]
        assert fate.first[row] == (wrong[0] if wrong else 3)
    assert all(fate.first[r] in (1, 2) for r in fate.fragile)
    assert all(fate.first[r] == 3 for r in fate.robust)
    assert not set(fate.fragile) & set(fate.robust)
    assert list(fate.first[fate.fragile]) == sorted(fate.first[fate.fragile])
    assert {fate.said(r) for r in fate.fragile} <= {"fails at 50 %", "fails at 90 %"}
    assert len(fate.fragile) + len(fate.robust) + int((fate.first == 0).sum()) == len(view.probe)


def test_failures_of_every_method_count_all_samples(view: PruningView) -> None:
    found = first_failures(view, view.models, CLEAN)
    assert len(found.labels) == 4
    assert found.sparsities == (0, 0.5, 0.9)
    assert (found.counts.sum(1) == len(view.probe)).all()


def test_samples_come_lowest_margin_first(view: PruningView) -> None:
    model = by_method(view, "l1_filters")
    chosen = [int(i) for i in view.probe.ids[[5, 3, 100]]]
    found = sample_rows(view, model, "fog@3", chosen)
    assert found.selected == 3
    assert sorted(found.rows) == [3, 5, 100]
    assert list(found.margin[found.rows]) == sorted(found.margin[found.rows])
    everyone = sample_rows(view, model, "fog@3", [])
    assert everyone.selected == 0
    assert everyone.margin[everyone.rows[0]] == everyone.margin.min()
    wrong = everyone.rows[0]
    assert "→" in everyone.caption(wrong)
    assert sample_rows(view, model, CLEAN, [10**9]).selected == 0


def test_placed_and_means_use_degrees(view: PruningView) -> None:
    model = by_method(view, "magnitude")
    placed_there = placed(view, model, CLEAN, SMALLEST)
    np.testing.assert_allclose(
        np.cos(np.radians(placed_there.angle)), np.cos(view.margins[model][CLEAN]["angle"]), atol=1e-5
    )
    assert placed_there.parent_margin is view.margins[SMALLEST][CLEAN]["margin"]
    means = means_by_class(view, [SMALLEST, model], CLEAN, "angle")
    assert means.shape == (2, 10)
    assert means[1, 4] == pytest.approx(placed_there.angle[view.probe.y == 4].mean())
    assert np.isnan(means_by_class(view, [model], "fog@5", "norm")).all()


def test_a_sample_keeps_its_margin_over_all_methods(view: PruningView) -> None:
    sample = int(view.probe.ids[7])
    paths = margin_paths(view, view.models, CLEAN, sample)
    assert paths.parent == pytest.approx(float(view.margins[SMALLEST][CLEAN]["margin"][7]))
    row, column = paths.labels.index("Magnitude (1 epoch)"), paths.sparsities.index(0.9)
    assert paths.values[row, column] == pytest.approx(
        float(view.margins[by_method(view, "magnitude", 0.9)][CLEAN]["margin"][7])
    )
    assert np.isnan(paths.values[paths.labels.index("L1 filters (1 epoch)"), column])


def test_lines_by_sparsity(view: PruningView) -> None:
    found = sparsity_lines(view, view.models, ("accuracy", "nc1"))
    assert found.sparsities == (0.5, 0.9)
    row = found.labels.index("Magnitude (1 epoch)")
    assert found.ids[row][1] == by_method(view, "magnitude", 0.9)
    model = view.model(found.ids[row][1])
    assert model is not None
    assert found.means("accuracy")[row, 1] == model.numbers["accuracy"]
    assert found.parent["accuracy"] == view.parent.numbers["accuracy"]
    table = numbers_table(view, view.models)
    assert len(table) == 6
    assert table["method"][0] == "not pruned"
    assert 0 < table["mean_angle"][0] < 180
    assert {"zero_shot", "nonzero", "nc1", "bytes"} <= set(table), "what is no objective is there, too"


def test_the_map_spans_all_pairs(view: PruningView) -> None:
    found = pair_map(view, view.models, 3)
    assert len(found.pairs) == 6 * 19
    assert len(found.map.edges) == len(found.pairs) - 1
    assert 0 <= found.by_model <= 1
    assert found.left_out == 0
    assert pair_map(view, view.models, 3) is found, "kept"
    alike = alike_benchmarks(view, view.models, 3)
    assert set(alike.names) == set(columns(view, 3)) - {CLEAN}
    assert sorted(b for group in alike.clusters for b in group) == sorted(alike.names)


def test_of_two_equal_runs_the_newest_counts(store: RunStore, view: PruningView) -> None:
    again = pruned(store, small_request(methods=[{"name": "magnitude", "sparsities": [0.5]}], latency=False))
    found = pruning_view(store, SMALLEST)
    assert found is not None
    assert len(found.models) == len(view.models)
    assert found.model(f"pruned:{again}:1") is not None
    store.set_state(again, RunState.CANCELLED)
    store.delete_run(again)


@pytest.mark.slow
def test_other_severities_are_measured_later(store: RunStore, view: PruningView) -> None:
    assert columns(view, 5) == [CLEAN]
    left = missing(view, view.models, 5, ["fgsm"])
    assert left == [m.model_id for m in view.models]
    request = evaluate_pruned.Request(parent=SMALLEST, models=left, benchmarks=Benchmarks(severities=(1, 5)))
    run_id = store.create_run(KIND, request.model_dump(mode="json"), title="more", state=RunState.RUNNING)
    steps = evaluate_pruned.run(request, store.ledger(run_id), Library(store))
    for step in steps:
        if step.fraction > 0.5:
            break
    so_far = EvaluatedRecord.so_far(store.ledger(run_id))
    assert so_far is not None
    half = so_far.files
    assert 0 < len(half) < len(left)
    fractions = [step.fraction for step in evaluate_pruned.run(request, store.ledger(run_id), Library(store))]
    assert fractions[-1] == 1.0
    found = pruning_view(store, SMALLEST)
    assert found is not None
    assert missing(found, found.models, 5, ["fgsm"]) == []
    mild, middle, hard = (table(found, found.models, s).accuracy[:, 1:].mean() for s in (1, 3, 5))
    assert hard < middle < mild
    store.set_state(run_id, RunState.CANCELLED)
    store.delete_run(run_id)


def test_a_damaged_file_costs_one_row(store: RunStore, home: Path) -> None:
    other = pruned(store, small_request(methods=[{"name": "magnitude", "sparsities": [0.3]}], latency=False))
    whole = pruning_view(store, SMALLEST)
    assert whole is not None
    sha256 = {a.name: a.sha256 for a in store.ledger(other).artifacts()}[margins_file(1)]
    [path] = [p for p in home.rglob("*") if p.is_file() and p.name.startswith(sha256)]
    path.chmod(0o600)
    path.write_bytes(b"damaged" + path.read_bytes()[7:])
    from core.views import pruning as module

    module._margins.clear()
    found = pruning_view(store, SMALLEST)
    assert found is not None
    assert len(found.models) == len(whole.models) - 1
    store.set_state(other, RunState.CANCELLED)
    store.delete_run(other)


def test_looking_needs_no_torch(store: RunStore, home: Path) -> None:
    code = f"""
import sys
from core.cli.driving import open_store
from core.views.pruning import pruning_view, table
from core.views.pruning_seeds import sparsity_lines
from core.views.pruning_map import pair_map, alike_benchmarks
from core.views.pruning_samples import first_failures
from core.pruning.pruners.creating import METHODS
from core.pruning.experiments.base import EXPERIMENTS
view = pruning_view(open_store(), {SMALLEST!r})
assert table(view, view.models, 3).accuracy.shape == (6, 19)
pair_map(view, view.models, 3), alike_benchmarks(view, view.models, 3), first_failures(view, view.models, "clean")
assert METHODS.describe() and EXPERIMENTS.describe()
assert "torch" not in sys.modules
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120, cwd=ROOT)


# --- what needs the network --------------------------------------------------------------------------


def test_a_sample_from_near_is_the_one_of_the_table(store: RunStore, view: PruningView) -> None:
    model = by_method(view, "magnitude")
    sample = int(view.probe.ids[0])
    found = sample_detail(store, model, CLEAN, sample)
    assert found.margin == pytest.approx(float(view.margins[model][CLEAN]["margin"][0]), abs=1e-5)
    assert found.loss.shape == (8, 8)
    assert np.abs(found.loss).max() > 0
    np.testing.assert_array_equal(found.image, view.probe.x[0])
    spoiled = sample_detail(store, model, "fog@3", sample)
    np.testing.assert_array_equal(spoiled.image, samples_of(store, model, "fog@3", np.array([0]))[0])
    with pytest.raises(NotFound):
        sample_detail(store, model, CLEAN, 10**9)


def test_the_loss_of_a_patch_is_the_margin_that_covering_it_takes(store: RunStore, view: PruningView) -> None:
    model = by_method(view, "magnitude")
    found = sample_detail(store, model, CLEAN, int(view.probe.ids[4]))
    net = load_model(store, model).net
    image = view.probe.x[4]
    for row, column in ((3, 4), (0, 0), (6, 2)):  # digits have 8 x 8 pixels: a patch is one of them
        covered = image.copy()
        covered[:, row, column] = image.mean((1, 2))
        pair, y = np.stack([image, covered]), np.repeat(view.probe.y[4], 2)
        before, after = margins_of(net, pair, y).margin
        assert found.loss[row, column] == pytest.approx(before - after, abs=1e-5)


def test_covering_what_is_even_already_costs_nothing(
    store: RunStore, view: PruningView, monkeypatch: pytest.MonkeyPatch
) -> None:
    even = np.full_like(view.probe.x, 0.3)
    even[:, :, :4] = view.probe.x[:, :, :4]  # the lower half of each image is its mean
    even[:, :, 4:] = even[:, :, :4].mean((2, 3), keepdims=True)
    monkeypatch.setattr(pruning_detail, "_spoiled", lambda *a: SimpleNamespace(x=even))
    found = sample_detail(store, by_method(view, "l1_filters"), CLEAN, int(view.probe.ids[11]))
    assert np.abs(found.loss[4:]).max() < 1e-5
    assert np.abs(found.loss[:4]).max() > 1e-3


def test_angles_to_all_classes_agree_with_what_is_kept(store: RunStore, view: PruningView) -> None:
    model = by_method(view, "l1_filters")
    found = all_angles(store, model, CLEAN)
    np.testing.assert_allclose(found.angle, view.margins[model][CLEAN]["angle"], atol=1e-4)
    angles, rows = lines_of_classes(found, view.probe, [2, 5], most=20)
    assert angles.shape == (len(view.probe), 10)
    assert len(rows) == 20
    assert set(view.probe.y[rows]) == {2, 5}
    assert class_means(store, SMALLEST).cosines.shape == (10, 10)


def test_labels_and_groups() -> None:
    assert benchmark_label(CLEAN) == "Clean"
    assert benchmark_label("fgsm@2") == "FGSM attack, severity 2"
    assert benchmark_label("jpeg@2", severity=False) == "JPEG"
    assert [benchmark_group(b) for b in (CLEAN, "pgd@1", "snow@4")] == ["clean", "attack", "weather"]


def test_a_damaged_list_of_later_evaluations_is_measured_again(store: RunStore, home: Path) -> None:
    run_id = store.create_run(KIND, {"parent": SMALLEST}, title="more", state=RunState.RUNNING)
    ledger = store.ledger(run_id)
    sha256 = ledger.save_artifact(EvaluatedRecord.FILE, b'{"a": "margins-0.safetensors"}', "application/json")
    [path] = [p for p in home.rglob("*") if p.is_file() and p.name.startswith(sha256)]
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    assert evaluate_pruned._so_far(ledger) == {}
    assert pruning_view(store, SMALLEST) is not None
    store.set_state(run_id, RunState.CANCELLED)
    store.delete_run(run_id)


def test_two_seeds_are_two_methods(store: RunStore, view: PruningView) -> None:
    methods = [{"name": "magnitude", "sparsities": [0.5, 0.9]}]
    other = pruned(store, small_request(methods=methods, seed=3, latency=False))
    found = pruning_view(store, SMALLEST)
    assert found is not None
    failures = first_failures(found, found.models, CLEAN)
    assert len(failures.labels) == len(first_failures(view, view.models, CLEAN).labels) + 1
    assert "Magnitude (1 epoch, seed 3)" in failures.labels
    assert (failures.counts.sum(1) == len(found.probe)).all()
    store.set_state(other, RunState.CANCELLED)
    store.delete_run(other)
