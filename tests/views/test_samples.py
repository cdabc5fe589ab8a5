"""Samples as two networks see them: the rows, rings, answers and refusals that the page shows."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InvalidInput
from core.library.activations import ProbeChoice, logits
from core.library.networks import load_model
from core.views.samples import sample_view

A, B = "subnet:digits-cnn:311131113111", "subnet:digits-cnn:000000000000"
PROBE = ProbeChoice(n=200)


def test_two_networks_in_one_frame() -> None:
    a, b = load_model(None, A), load_model(None, B)
    found = sample_view(a, b, "2", "2", "pooled", PROBE)
    n = len(found.probe)
    assert found.maps.a.shape == found.maps.b.shape == (n, 2)
    assert 0 < found.maps.disparity < 1
    assert found.ringed.sum() == n // 20
    assert found.maps.overlap[found.ringed].max() <= found.maps.overlap[~found.ringed].min()
    left, right, bottom, top = found.bounds
    for points in (found.maps.a, found.maps.b):
        assert ((points[:, 0] > left) & (points[:, 0] < right)).all()
        assert ((points[:, 1] > bottom) & (points[:, 1] < top)).all()
    for row, model in enumerate((a, b)):
        assert np.array_equal(found.answers[row], logits(model, found.probe).argmax(1))


def test_a_network_beside_itself() -> None:
    a = load_model(None, A)
    found = sample_view(a, a, "3", "3", "flattened", PROBE)
    assert found.maps.disparity < 1e-12
    assert (found.maps.overlap == 1).all()
    assert np.allclose(found.maps.a, found.maps.b, atol=1e-8)


def test_selected_samples_come_least_alike_first() -> None:
    found = sample_view(load_model(None, A), load_model(None, B), "2", "2", "pooled", PROBE)
    rows = np.array([5, 17, 3, 90])
    ordered = found.in_order(rows)
    assert sorted(ordered) == sorted(rows)
    assert (np.diff(found.maps.overlap[ordered]) >= 0).all()
    assert found.in_order(np.array([], dtype=np.intp)).shape == (0,)
    texts, wrong = found.captions(ordered)
    for text, marked, row in zip(texts, wrong, ordered, strict=True):
        names = [found.probe.classes[k] for k in (found.probe.y[row], *found.answers[:, row])]
        assert text == f"{names[0]} · A {names[1]} · B {names[2]}"
        assert marked == (len(set(names)) > 1)


def test_positions_are_refused() -> None:
    a = load_model(None, A)
    with pytest.raises(InvalidInput, match="no sample"):
        sample_view(a, a, "2", "2", "positions", PROBE)
