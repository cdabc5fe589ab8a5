"""Maps of networks: who is on them, what is left out and why, and the job that draws them by UMAP."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput
from core.library import model_map, supernets
from core.library.activations import ProbeChoice, activations, layers, probe_of
from core.library.library import Library
from core.library.maps import MapRecord
from core.library.model_map import Distances, MapChoice
from core.library.networks import load_model
from core.similarity.base import MEASURES, between
from core.store import MemoryLedger
from core.workflows import map_models
from core.workflows.map_models import Request, run

pytestmark = pytest.mark.slow

PROBE = ProbeChoice(n=80)
LARGEST = "subnet:digits-cnn:311131113111"


def choice(**changes: object) -> MapChoice:
    return MapChoice.model_validate({"supernet": "digits-cnn", "sample": 4, "probe": PROBE} | changes)


@pytest.fixture(scope="module")
def entry() -> supernets.SupernetEntry:
    return supernets.find(None, "digits-cnn")


@pytest.fixture(scope="module")
def found(entry: supernets.SupernetEntry) -> Distances:
    return model_map.distances(None, entry, choice())


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)


def test_distances_are_those_of_the_measure(found: Distances) -> None:
    assert 10 < len(found.model_ids) <= model_map.MOST_OF_FRONT + 4
    assert np.array_equal(found.values, found.values.T)
    for i, j in ((0, 1), (2, 7)):
        one, other = (load_model(None, found.model_ids[k]) for k in (i, j))
        probe = probe_of(one, PROBE)
        x, y = (activations(m, probe, layers(m)[-2].layer_id).astype(float) for m in (one, other))
        assert found.values[i, j] == pytest.approx(between(x, y, MEASURES.create("angular")).value, abs=1e-6)


def test_a_larger_sample_holds_the_smaller_one(entry: supernets.SupernetEntry) -> None:
    small, large = (model_map.members(entry, choice(sample=k)) for k in (5, 30))
    assert set(small) < set(large)
    assert model_map.members(entry, choice(sample=5, seed=1)) != small


def test_choosing_a_dot_leaves_the_map_as_it_is(entry: supernets.SupernetEntry) -> None:
    plain = model_map.settled(entry, choice())
    on_it = model_map.members(entry, plain)
    assert model_map.settled(entry, choice(models=(on_it[3], on_it[-1]))) == plain
    other = [
        m
        for m in (LARGEST, "subnet:digits-cnn:000000000000", "subnet:digits-cnn:100000000000")
        if m not in on_it
    ]
    forward, backward = (model_map.settled(entry, choice(models=tuple(o))) for o in (other, other[::-1]))
    assert forward == backward
    assert set(forward.models) == set(other)


def test_a_network_that_is_gone_is_left_out(entry: supernets.SupernetEntry) -> None:
    asked = choice(models=("subnet:nowhere:0", LARGEST), sample=2)
    result = model_map.distances(None, entry, asked)
    assert set(result.left_out) == {"subnet:nowhere:0"}
    assert LARGEST in result.model_ids


def test_wide_layers_say_what_to_do(entry: supernets.SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_map, "MOST_UNITS", 3)
    with pytest.raises(InvalidInput, match="choose pooled"):
        model_map.distances(None, entry, choice(sample=1))


def test_a_map_of_nothing_is_refused(entry: supernets.SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_map, "_always", lambda *_: ())
    with pytest.raises(InvalidInput, match="at least two"):
        model_map.distances(None, entry, choice(models=(LARGEST,), seed=99))


def test_colors_are_the_tables(entry: supernets.SupernetEntry, found: Distances) -> None:
    table = supernets.table(entry)
    assert table is not None
    indexed = table.set_index("arch_id")
    accuracy = model_map.colors(None, entry, found, "accuracy")
    assert accuracy == [indexed.loc[i, "accuracy"] for i in found.arch_ids]
    name = entry.space.names[-1]
    options = model_map.colors(None, entry, found, name)
    for arch_id, option in zip(found.arch_ids, options, strict=True):
        arch = entry.space.from_id(arch_id)
        expected = (
            str(entry.space.choices[-1].options[arch[-1]])
            if entry.space.is_active(arch, name)
            else "not used"
        )
        assert option == expected
    assert "not used" in options


def test_a_foreign_network_has_no_color(entry: supernets.SupernetEntry) -> None:
    strange = Distances(("alone:r:0", "subnet:other:1"), ("a", "b"), ("", ""), np.zeros((2, 2)), {})
    assert np.isnan(model_map.colors(None, entry, strange, "accuracy")).all()
    assert model_map.colors(None, entry, strange, entry.space.names[0]) == ["another supernet"] * 2


def test_a_supernet_that_changed_is_not_drawn_as_the_old_one(entry: supernets.SupernetEntry) -> None:
    asked = request(sample=0).model_copy(update={"revision": entry.revision})
    assert next(iter(run(asked, MemoryLedger(), Library()))).fraction > 0
    with pytest.raises(InvalidInput, match="has changed"):
        next(iter(run(asked.model_copy(update={"revision": "older"}), MemoryLedger(), Library())))


def request(**changes: object) -> Request:
    return Request(choice=choice(**changes), epochs=30)


def test_the_job_measures_embeds_and_stores(found: Distances) -> None:
    ledger = MemoryLedger()
    fractions = [p.fraction for p in run(request(), ledger, Library())]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    record = MapRecord.decode(ledger.artifact(MapRecord.FILE))
    stored, points = record.distances, record.placed
    assert stored.model_ids == found.model_ids
    assert np.allclose(stored.values, found.values)
    assert points.shape == (len(found.model_ids), 2)
    assert np.isfinite(points).all()


def test_a_job_that_was_cut_does_not_measure_again(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = MemoryLedger(), MemoryLedger()
    list(run(request(), whole, Library()))
    for _ in run(request(), cut, Library()):
        if cut.latest_checkpoint():
            break
    monkeypatch.setattr(map_models, "measure_distances", lambda *_: pytest.fail("measured again"))
    list(run(request(), cut, Library()))
    assert json.loads(cut.artifact(MapRecord.FILE)) == json.loads(whole.artifact(MapRecord.FILE))


def test_too_few_networks_for_umap_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_map, "_always", lambda *_: ())
    with pytest.raises(InvalidInput, match="four points"):
        list(run(request(models=(LARGEST, "subnet:digits-cnn:000000000000")), MemoryLedger(), Library()))
