"""A similarity matrix of real networks: by depth, by name, over all stages; what is left out, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from core.errors import InvalidInput
from core.library import matrices, supernets
from core.library.activations import ProbeChoice, all_activations, layers, logits, probe_of
from core.library.library import Library
from core.library.matrices import MOST_NETWORKS, Matrix, MatrixChoice, MatrixRecord, measure_matrix
from core.library.networks import load_model
from core.similarity.base import MEASURES, between
from core.store import MemoryLedger
from core.views import similarity_matrix as views
from core.workflows import compare_many

SHALLOW, DEEP, MIDDLE = (f"subnet:digits-cnn:{a}" for a in ("000000000000", "311131113111", "010030101101"))
PROBE = ProbeChoice(n=60)


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)


def choice(*networks: str, **changes: Any) -> MatrixChoice:
    ids = networks or (SHALLOW, MIDDLE, DEEP)
    return MatrixChoice.model_validate({"networks": ids, "probe": PROBE} | changes)


def measured(asked: MatrixChoice) -> Matrix:
    *shares, found = measure_matrix(None, asked)
    assert isinstance(found, Matrix)
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1
    return found


def value(a: str, b: str, at: tuple[int, int], measure: str = "cka") -> float:
    """One value the long way."""
    one, other = load_model(None, a), load_model(None, b)
    probe = probe_of(one, PROBE)
    places = [layers(m)[k].layer_id for m, k in zip((one, other), at, strict=True)]
    x, y = (all_activations(m, probe, [p])[p] for m, p in zip((one, other), places, strict=True))
    return between(x.astype(float), y.astype(float), MEASURES.create(measure)).value


def test_a_stage_by_depth_is_compared_at_the_same_share() -> None:
    last = measured(choice())
    assert last.values.shape == (3, 3)
    assert last.values[0, 2] == pytest.approx(value(SHALLOW, DEEP, (-2, -2)), abs=1e-6)
    np.testing.assert_allclose(last.values, last.values.T)
    np.testing.assert_allclose(np.diag(last.values), 1, atol=1e-6)
    first = measured(choice(depth=0.0))
    assert first.values[0, 2] == pytest.approx(value(SHALLOW, DEEP, (0, 0)), abs=1e-6)
    assert {len(p) for p in first.places} == {1}


def test_a_stage_by_name_may_be_missing_and_that_is_said() -> None:
    found = measured(choice(place="name", name="block 3.2"))
    assert math.isnan(found.values[0, 2])
    assert "no layer of that name" in found.reasons[0, 2]
    assert found.values[2, 2] == pytest.approx(1, abs=1e-6)
    assert "block 3.2" in views.stage_names(None, DEEP)
    assert "block 3.2" not in views.stage_names(None, SHALLOW)


def test_all_stages_are_paired_by_their_share_of_the_depth() -> None:
    found = measured(choice(SHALLOW, DEEP, place="all"))
    few, many = (len(layers(load_model(None, m))) for m in (SHALLOW, DEEP))
    pairs = [(k, round(k / (few - 1) * (many - 1))) for k in range(few)]
    assert few < many
    assert found.values[0, 1] == pytest.approx(np.mean([value(SHALLOW, DEEP, at) for at in pairs]), abs=1e-6)
    assert [len(p) for p in found.places] == [few, few]


def test_answers_are_compared_by_their_own_measures() -> None:
    found = measured(choice(measure="agreement"))
    probe = probe_of(load_model(None, SHALLOW), PROBE)
    first, second = (logits(load_model(None, m), probe).argmax(1) for m in (SHALLOW, DEEP))
    assert found.values[0, 2] == pytest.approx(np.mean(first == second))


@pytest.mark.slow
def test_who_cannot_be_compared_is_left_out_with_the_reason() -> None:
    foreign, gone = "subnet:fashion-cnn:000000000000", "alone:0123456789abcdef:0"
    found = measured(choice(SHALLOW, gone, foreign, DEEP))
    assert found.model_ids == (SHALLOW, DEEP)
    assert set(found.left_out) == {gone, foreign}
    assert all(found.left_out.values())
    with pytest.raises(InvalidInput, match="at least two"):
        measured(choice(SHALLOW, gone))


def test_the_choice_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"subnet:digits-cnn:{k:012d}" for k in range(MOST_NETWORKS + 1)]
    choice(*ids[:MOST_NETWORKS])
    with pytest.raises(ValidationError):
        choice(*ids)
    with pytest.raises(InvalidInput, match="once"):
        choice(SHALLOW, SHALLOW)
    monkeypatch.setattr(matrices, "MOST_BYTES", 1000)
    with pytest.raises(InvalidInput, match="pooled features"):
        measured(choice())


def test_each_network_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    real = matrices.all_activations

    def counted(model: Any, *rest: Any) -> Any:
        ran.append(model.info.model_id)
        return real(model, *rest)

    monkeypatch.setattr(matrices, "all_activations", counted)
    measured(choice(place="all"))
    assert sorted(ran) == sorted((SHALLOW, MIDDLE, DEEP))


def test_the_job_keeps_what_was_measured() -> None:
    asked = choice(place="name", name="block 3.2")
    ledger = MemoryLedger()
    *_, last = compare_many.run(compare_many.Request(choice=asked), ledger, Library(None))
    assert last.fraction == 1.0
    kept, plain = MatrixRecord.decode(ledger.artifact(MatrixRecord.FILE)).matrix, measured(asked)
    np.testing.assert_array_equal(kept.values, plain.values)
    assert (kept.reasons, kept.model_ids, kept.places) == (plain.reasons, plain.model_ids, plain.places)
    # A missing value is no NaN in the file, which JSON does not know.
    json.loads(ledger.artifact(MatrixRecord.FILE), parse_constant=lambda text: pytest.fail(text))


def test_networks_are_chosen_quickly() -> None:
    entry = supernets.find(None, "digits-cnn")
    members = views.on_the_front(entry)
    assert 10 < len(members) <= MOST_NETWORKS
    thin = views.on_the_front(entry, 5)
    assert len(thin) == 5
    assert (thin[0], thin[-1]) == (members[0], members[-1])
    few, many = views.at_random(entry, 5, 1), views.at_random(entry, 30, 1)
    assert few == many[:5]
    assert len(set(many)) == 30
    assert views.at_random(entry, 5, 2) != few
    same = views.of_one_data_set(None, entry)
    assert [e.supernet_id for e in same] == ["digits-cnn", "digits-lesson"], "fashion-cnn has other data"
    assert views.revision_of(None, [SHALLOW]) != views.revision_of(None, ["subnet:fashion-cnn:000000000000"])


def test_names_are_told_apart_and_rows_are_in_the_order_shown() -> None:
    long = "a network whose name goes on and on and on"
    found = Matrix(
        model_ids=("pruned:r:1", "pruned:s:1", SHALLOW),
        titles=("t", "t", "s"),
        shorts=(long, long, "000000000000"),
        places=(("a",), ("a",), ("b",)),
        values=np.array([[1, 0.5, math.nan], [0.5, 1, 0.2], [math.nan, 0.2, 1]]),
        reasons={(0, 2): "why", (2, 0): "why"},
        left_out={},
        samples="",
    )
    names = views.names_of(found)
    assert len(set(names)) == 3
    assert max(map(len, names)) <= views.LONGEST_NAME + 3
    assert views.order_of(found, "cka", "chosen") == [0, 1, 2]
    rows = views.rows_of(found, choice(), [2, 0, 1])
    assert [(r["network_a"], r["network_b"]) for r in rows[:2]] == [
        (SHALLOW, SHALLOW),
        (SHALLOW, "pruned:r:1"),
    ]
    assert (rows[1]["value"], rows[1]["reason"]) == ("", "why")
    assert len(rows) == 9
