"""The mixing job: complete, resumable part by part, and refused with a sentence where shapes differ."""

from __future__ import annotations

import json

import pytest

from core.errors import InvalidInput
from core.library.activations import ProbeChoice
from core.library.library import Library
from core.library.mixing import MixingRecord
from core.library.networks import describe, load_model
from core.store import MemoryLedger
from core.views import mixing as mixing_view
from core.workflows.connect_models import Request, run

A, B = "subnet:digits-cnn:111011100110", "subnet:digits-cnn:311131113111"


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))


def request(**changes: object) -> Request:
    settings = {"a": A, "b": A, "points": 5, "matchings": ("none", "weights"), "probe": ProbeChoice(n=40)}
    return Request.model_validate(settings | changes)


@pytest.mark.slow
def test_every_part_is_measured_and_stored() -> None:
    ledger = MemoryLedger()
    fractions = [p.fraction for p in run(request(), ledger, Library())]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    found = json.loads(ledger.artifact(MixingRecord.FILE))
    assert set(found["curves"]) == set(found["stages"]) == {"none", "weights"}
    assert len(found["curves"]["none"]["t"]) == 5
    assert len(found["stages"]["none"]) == len(found["labels"]) == len(load_model(None, A).net)
    assert MixingRecord.decode(ledger.artifact(MixingRecord.FILE)).curves["none"].barrier == pytest.approx(
        0, abs=1e-6
    )
    assert found["n"] == 40


@pytest.mark.slow
def test_a_run_that_was_cut_goes_on_with_the_next_part() -> None:
    whole = MemoryLedger()
    list(run(request(), whole, Library()))
    cut = MemoryLedger()
    for progress in run(request(), cut, Library()):
        if progress.fraction > 0.4:
            break
    kept = json.loads(cut.latest_checkpoint() or b"{}")
    assert "none" in kept["curves"]
    list(run(request(), cut, Library()))
    assert cut.artifact(MixingRecord.FILE) == whole.artifact(MixingRecord.FILE)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="same shape"):
        list(run(request(b=B), MemoryLedger(), Library()))
    with pytest.raises(InvalidInput, match="same shape"):
        mixing_view.require_mixable(load_model(None, A), load_model(None, B))
    assert not mixing_view.same_architecture(None, describe(None, A), describe(None, B))
    assert mixing_view.same_architecture(None, describe(None, A), describe(None, A))


@pytest.mark.slow
def test_a_plane_needs_three_different_networks() -> None:
    with pytest.raises(InvalidInput, match="span no plane"):
        list(run(request(c=A, side=5), MemoryLedger(), Library()))
