"""What the Similarity page shows, computed: comparisons, units, samples, geometry, sets and maps of shipped subnets."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.library import model_map, supernets
from core.library.activations import ProbeChoice, activations, layers, logits, probe_of
from core.library.library import Library
from core.library.maps import MapRecord
from core.library.model_map import MapChoice
from core.library.networks import Model, load_model
from core.similarity.base import MEASURES, Undefined
from core.store import MemoryLedger
from core.views import rashomon as rashomon_view
from core.views.compare_models import (
    Question,
    accuracies,
    as_csv,
    as_rows,
    compare_models,
    compare_outputs,
)
from core.views.match_units import LayerPair, sparse_match, top_of_probe, unit_groups, unit_match
from core.views.samples import sample_view
from core.views.task_geometry import collapse_view, complexity_view, depth_path, remaining_widths
from core.workflows import map_models

FEW = ProbeChoice(n=120)


@pytest.fixture(scope="module")
def small() -> Model:
    return load_model(None, "subnet:digits-cnn:111011100110")


@pytest.fixture(scope="module")
def large() -> Model:
    return load_model(None, "subnet:digits-cnn:311131113111")


@pytest.mark.parametrize(
    "name", [i.name for i in MEASURES.describe() if MEASURES.get(i.name).of == "activations"]
)
def test_every_measure_compares_two_shipped_subnets(small: Model, large: Model, name: str) -> None:
    found = compare_models(small, large, Question(name, probe=FEW))
    measure = MEASURES.create(name)
    known = np.isfinite(found.result.values)
    assert known.mean() >= 0.5
    assert set(found.result.reasons) == {(int(i), int(j)) for i, j in zip(*np.nonzero(~known), strict=True)}
    assert (found.result.values[known] <= measure.high + 1e-9).all()
    alike = compare_models(large, large, Question(name, probe=FEW)).result
    assert np.allclose(np.diag(alike.values), measure.identical, atol=1e-5)
    away = alike.null_mean - measure.identical
    assert (away > 0.1).all() if measure.kind == "distance" else (away < -0.1).all(), (
        "shuffled samples are not alike"
    )


def test_asking_again_costs_nothing_and_gives_the_same(small: Model, large: Model) -> None:
    question = Question("procrustes", probe=FEW)
    assert compare_models(small, large, question) is compare_models(small, large, question)


def test_the_table_has_a_row_per_pair_of_layers(small: Model, large: Model) -> None:
    found = compare_models(small, large, Question("cca_mean", pooling="flattened", probe=ProbeChoice(n=40)))
    rows = as_rows(small, large, found)
    assert len(rows) == len(layers(small)) * len(layers(large))
    said = [r for r in rows if r["reason"]]
    assert said, "40 samples are too few for flattened layers"
    text = as_csv(rows)
    assert text.count("\n") == len(rows) + 1
    assert "nan" not in text


def test_positions_of_maps_of_different_size_have_a_reason(large: Model) -> None:
    found = compare_models(large, large, Question(pooling="positions", probe=ProbeChoice(n=30))).result
    first, last = 0, len(found.layers_a) - 1
    assert "differ in size" in found.reasons[first, last]
    assert np.isfinite(found.values[0, 1])


def test_output_measures_are_refused_for_layers_and_given_for_answers(small: Model, large: Model) -> None:
    with pytest.raises(InvalidInput, match="answers"):
        compare_models(small, large, Question("agreement"))
    found = {o.name: o for o in compare_outputs(small, large, FEW)}
    probe = probe_of(small, FEW)
    answers = [logits(m, probe).argmax(1) for m in (small, large)]
    assert found["agreement"].value == pytest.approx(np.mean(answers[0] == answers[1]))
    assert found["agreement"].null_mean < 0.3
    shares = accuracies(small, large, FEW)
    assert shares["both right"] <= min(shares["A right"], shares["B right"]) <= shares["at least one right"]


def test_models_of_different_data_are_not_compared(small: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.library import activations as module

    probe = probe_of(small, FEW)
    import dataclasses

    other = dataclasses.replace(probe, fingerprint="another", title="Others")
    monkeypatch.setattr(module, "probe_of", lambda m, c: probe if m is small else other)
    with pytest.raises(InvalidInput, match="different data"):
        module.common_probe(small, load_model(None, "subnet:digits-cnn:000000000000"), FEW)


def test_a_layer_matches_itself_unit_by_unit(large: Model) -> None:
    layer = layers(large)[-2].layer_id
    found = unit_match(large, large, LayerPair(layer, layer, "pooled", FEW))
    assert found.matching.mean == pytest.approx(1)
    assert [found.partner(int(u)) for u in found.correlations.live_a] == found.correlations.live_a.tolist()
    assert found.chance[0] < 0.6


def test_top_images_are_those_of_the_largest_activations(large: Model) -> None:
    probe = probe_of(large, FEW)
    layer = layers(large)[3].layer_id
    x = activations(large, probe, layer)
    top = top_of_probe(large, probe, layer, "pooled", unit=2, k=4)
    rows = np.argsort(-x[:, 2], kind="stable")[:4]
    assert np.array_equal(top.ids, probe.ids[rows])
    assert np.array_equal(top.samples, probe.x[rows])
    by_position = top_of_probe(large, probe, layers(large)[0].layer_id, "positions", unit=0)
    assert len(by_position.ids) == 9


def test_sparse_and_grouped_matches_of_shipped_layers(small: Model, large: Model) -> None:
    pair = LayerPair(layers(small)[-2].layer_id, layers(large)[-2].layer_id, "pooled", FEW)
    assert (
        sparse_match(large, large, LayerPair(pair.layer_b, pair.layer_b, "pooled", FEW)).r2[-1].mean() > 0.9
    )
    assert 2 <= unit_groups(small, large, pair, None).count <= 12


def test_maps_of_different_sizes_cannot_be_matched_by_position(large: Model) -> None:
    stages = layers(large)
    with pytest.raises(Undefined, match="differ in size"):
        unit_match(
            large, large, LayerPair(stages[0].layer_id, stages[-2].layer_id, "positions", ProbeChoice(n=30))
        )


def test_samples_of_one_layer_lie_on_themselves(large: Model, small: Model) -> None:
    layer = layers(large)[-2].layer_id
    found = sample_view(large, large, layer, layer, "pooled", FEW)
    assert found.maps.disparity < 1e-10
    assert (found.maps.overlap == 1).all()
    other = sample_view(small, large, layers(small)[-2].layer_id, layer, "pooled", FEW)
    assert 0 < other.maps.disparity < 1
    assert other.ringed.sum() == 6
    texts, wrong = other.captions(other.least_alike[:5])
    y, answers = other.probe.y, other.answers
    assert wrong == [bool((answers[:, r] != y[r]).any()) for r in other.least_alike[:5]]
    assert all(" · A " in t for t in texts)
    with pytest.raises(InvalidInput, match="no sample"):
        sample_view(large, large, layer, layer, "positions", FEW)


def test_depth_collapse_and_complexity_of_a_shipped_subnet(large: Model) -> None:
    path = depth_path(large, FEW)
    assert path.alignments[-2].target.value > path.alignments[0].target.value
    assert path.alignments[-1].decodability > 0.7
    collapsed = collapse_view(large, FEW)
    assert collapsed.found.nc4 < 0.1
    assert collapsed.n == 120
    assert 0 < collapsed.to_simplex < 2
    found = complexity_view(large, FEW, atoms=8)
    assert found.found.information.shape == (len(found.found.complexity), len(layers(large)) - 1)
    assert found.found.importance.sum() == pytest.approx(1)
    images, captions = found.top(0)
    assert len(images) == len(captions) == 9
    assert set(found.extremes()) == {"simple", "complex"}


def test_remaining_widths_of_a_shipped_subnet(large: Model) -> None:
    kept = remaining_widths(large, FEW, 0.0)
    assert kept.accuracy == kept.accuracy_before
    assert all(left == size for _, left, size in kept.rows)
    assert any(name.startswith("block 2.1") for name, *_ in kept.rows)
    joined = remaining_widths(large, FEW, 0.5)
    assert sum(left for _, left, _ in joined.rows) < sum(left for _, left, _ in kept.rows)
    assert joined.accuracy <= kept.accuracy


def test_predictions_are_those_of_the_extracted_nets() -> None:
    from core.evaluation.evaluator import predictions
    from core.tasks.base import evaluation_data

    entry = supernets.find(None, "digits-cnn")
    rows = entry.space.sample_array(6, np.random.default_rng(0))
    dataset = supernets.dataset(entry)
    data = evaluation_data(dataset, ("validation",))
    found = dict(predictions(supernets.load(entry), rows, data, "validation"))
    for i, row in enumerate(rows):
        net = load_model(None, f"subnet:digits-cnn:{entry.space.arch_id(tuple(row.tolist()))}").net
        with torch.no_grad():
            expected = net(torch.from_numpy(dataset.validation.x)).argmax(1).numpy()
        assert (found[i] == expected).mean() > 0.997, "near ties may fall either way"
    with pytest.raises(InvalidInput, match="lacks"):
        next(predictions(supernets.load(entry), rows, data, "test"))


@pytest.mark.slow
def test_the_rashomon_set_of_a_shipped_supernet() -> None:
    entry = supernets.find(None, "digits-cnn")
    table = supernets.table(entry)
    assert table is not None
    found = rashomon_view.rashomon_view(entry, 0.02)
    accuracy = table.set_index("arch_id")["accuracy"]
    assert found.size == int((table["accuracy"] >= accuracy.max() - 0.02 - 1e-9).sum())
    assert accuracy[found.best] == accuracy.max()
    assert len(found.drawn) <= rashomon_view.MOST_DOTS
    assert found.drawn[0] == found.best == found.member_ids[0]
    assert accuracy[found.cheapest] >= found.threshold - 1e-9
    space, member = entry.space, entry.space.from_id(found.drawn[3])
    at = 0
    others = [
        space.canonical([o, *member[1:]]) for o in range(len(space.choices[at].options)) if o != member[at]
    ]
    expected = accuracy[found.drawn[3]] - np.mean([accuracy[space.arch_id(o)] for o in others])
    assert found.importance[3, at] == pytest.approx(expected)
    decided = rashomon_view.decisions(entry, 0.02)
    assert decided.found.discrepancy <= decided.found.ambiguity
    images, captions, wrong = decided.pictures(5)
    assert len(images) == len(captions) == len(wrong) <= 5


def test_a_map_holds_the_chosen_the_front_and_a_sample() -> None:
    entry = supernets.find(None, "digits-cnn")
    choice = MapChoice(
        supernet="digits-cnn", models=("subnet:digits-cnn:000000000000",), sample=5, probe=ProbeChoice(n=60)
    )
    ids = model_map.members(entry, choice)
    assert ids[0] == choice.models[0]
    assert ids == model_map.members(entry, choice)
    found = model_map.distances(None, entry, choice)
    assert found.model_ids == tuple(ids)
    assert np.array_equal(found.values, found.values.T)
    assert (np.diag(found.values) == 0).all()
    first, last = (load_model(None, ids[i]) for i in (0, 3))
    probe = probe_of(first, choice.probe)
    x, y = (activations(m, probe, layers(m)[-2].layer_id).astype(float) for m in (first, last))
    measure = MEASURES.create("angular")
    assert found.values[0, 3] == pytest.approx(
        measure.compare(measure.prepare(x), measure.prepare(y)), abs=1e-7
    )
    assert 0 < model_map.flat_map(found).explained <= 1
    colors = model_map.colors(None, entry, found, "accuracy")
    assert min(colors) > 0.5
    assert set(model_map.colors(None, entry, found, "depth1")) <= {"1", "2"}


@pytest.mark.long
def test_the_umap_job_is_kept_resumed_and_repeats(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    choice = MapChoice(supernet="digits-cnn", sample=3, probe=ProbeChoice(n=40))
    request = map_models.Request(choice=choice, epochs=20, neighbors=4)
    whole, cut = MemoryLedger(), MemoryLedger()
    fractions = [p.fraction for p in map_models.run(request, whole, Library())]
    assert fractions == sorted(fractions)
    for progress in map_models.run(request, cut, Library()):
        if progress.fraction >= 0.7:
            break
    assert cut.latest_checkpoint() is not None
    list(map_models.run(request, cut, Library()))
    assert whole.artifact(MapRecord.FILE) == cut.artifact(MapRecord.FILE)
    record = MapRecord.decode(whole.artifact(MapRecord.FILE))
    found, points = record.distances, record.placed
    assert points.shape == (len(found.model_ids), 2)
    assert json.loads(whole.artifact(MapRecord.FILE))["model_ids"] == list(found.model_ids)
