"""Two subnets of a decoder compared: layers by token, units, heads with shared keys; what needs one answer is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.library import supernets
from core.library.activations import ProbeChoice, layers, logits, probe_of
from core.library.networks import Model, load_model
from core.supernets.files import build, dump_supernet
from core.views.compare_models import Question, compare_models
from core.views.match_units import LayerPair, heads_of_pair, top_of_probe, unit_match
from tests.helpers.nets import disturb

FEW = ProbeChoice(n=40)
SIZES = {
    "layers": 2,
    "widths": [8, 16],
    "heads": [2, 4],
    "kv_heads": 2,
    "head_size": 4,
    "hidden": [8, 16],
}


@pytest.fixture(scope="module")
def pair() -> tuple[Model, Model]:
    """The largest subnet of an untrained decoder for the license texts, and a smaller one."""
    from core.datasets import load_dataset
    from core.tasks.base import task_of

    settings = task_of(load_dataset("licenses")).settings_from(load_dataset("licenses"))
    torch.manual_seed(0)
    net = disturb(build("elastic_decoder", SIZES | settings))
    card = {"title": "A decoder", "data": {"name": "licenses", "seed": 0, "config": {}}}
    entry = supernets.from_bytes(dump_supernet(net, card), title="A decoder")
    made = []
    for arch in (net.largest, net.smallest):
        plain = net.extract(arch)
        labels = tuple(cost.label for cost in net.costs(arch))
        known = load_model(None, "subnet:digits-cnn:111011100110")
        made.append(dataclasses.replace(known, net=plain, labels=labels, key=str(arch), entry=entry))
    return made[0], made[1]


def test_layers_are_compared_pooled_and_by_token(pair: tuple[Model, Model]) -> None:
    for pooling in ("pooled", "positions"):
        found = compare_models(*pair, Question("cka", pooling=pooling, probe=FEW))
        tokens = [[layer.shape[0] for layer in side] for side in (found.layers_a, found.layers_b)]
        alike = np.equal.outer(*map(np.array, tokens)) | (pooling == "pooled")
        # The last block and the head look at the scored tokens alone: other rows than those before them have.
        assert np.array_equal(np.isfinite(found.result.values), alike)
        assert alike[0, 0]
        assert alike[-1, -1]
        assert [layer.layer_id for layer in found.layers_a] == [str(i) for i in range(len(pair[0].net))]


def test_units_and_heads_are_matched(pair: tuple[Model, Model]) -> None:
    both = LayerPair("1", "1", "positions", ProbeChoice(n=20))
    assert unit_match(*pair, both).correlations.values.shape == (16, 8)
    same = heads_of_pair(pair[0], pair[0], both)
    assert same.found.matching.values == pytest.approx(np.ones(4))
    found = heads_of_pair(*pair, both).found
    assert found.values.shape == (4, 2)
    assert len(found.left_over[0]) == 2


def test_windows_are_shown_as_texts_and_have_no_one_answer(pair: tuple[Model, Model]) -> None:
    probe = probe_of(pair[0], FEW)
    top = top_of_probe(pair[0], probe, layers(pair[0])[1].layer_id, "positions", unit=0, k=3)
    assert all(isinstance(text, str) and len(text) > 20 for text in top.samples)
    assert set(top.classes) == {""}
    with pytest.raises(InvalidInput, match="answer at every scored position"):
        logits(pair[0], probe)
