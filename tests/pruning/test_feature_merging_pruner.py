"""Merging as a pruner: as many weights as asked for, and a network that fine-tuning does not break."""

from __future__ import annotations

import copy

import pytest
import torch

from core.errors import InvalidInput
from core.library.networks import load_model
from core.networks.answers import accuracy
from core.pruning.feature_merging import fold, merge_features
from core.pruning.pruners import Pruned, PruningTask
from core.pruning.pruners.base import sparsity_of, weight_count
from core.pruning.pruners.creating import METHODS
from core.pruning.pruners.feature_merging import remeasure
from core.pruning.retraining import settle, train_masked
from core.training.config import TrainingConfig
from core.words import format_share
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted

DATA = random_dataset(48)
IMAGES = torch.from_numpy(DATA.calibration.x)


def pruned(task: PruningTask, sparsities: list[float]) -> list[Pruned]:
    return [s for s in METHODS.create("feature_merging").prune(task, sparsities) if isinstance(s, Pruned)]


@pytest.mark.parametrize("family", ["elastic_cnn", "nas_bench_201"])
def test_measuring_anew_changes_nothing_and_settling_neither(family: str) -> None:
    net = merge_features(extracted(family), 0.4).net
    made = copy.deepcopy(net)
    remeasure(made, IMAGES)
    settled = copy.deepcopy(made)
    settle(settled, DATA)
    with torch.no_grad():
        others = torch.from_numpy(DATA.test.x)
        assert torch.allclose(net(others), made(others), atol=1e-4)
        assert torch.allclose(made(others), settled(others), atol=1e-4)


def test_settling_a_folded_network_alone_would_change_it() -> None:
    folded = fold(extracted())
    with torch.no_grad():
        before = folded(IMAGES)
        settle(folded, DATA)
        assert not torch.allclose(before, folded(IMAGES), atol=1e-2)


@pytest.mark.slow
def test_the_sparsity_is_reached_as_closely_as_units_allow() -> None:
    parent = load_model(None, "subnet:digits-cnn:311131113111")
    task = PruningTask(parent.net, parent.dataset, TrainingConfig())
    found = pruned(task, [0.0, 0.3, 0.8])
    assert [round(sparsity_of(s, parent.net), 1) for s in found] == [0.0, 0.3, 0.8]
    assert all(not s.masks and not s.kept and not s.trained for s in found)
    config = TrainingConfig(epochs=2, learning_rate=0.01, warmup_epochs=0)
    for _ in train_masked(found[1].net, parent.dataset, config, {}):
        pass
    assert accuracy(found[1].net, parent.dataset, "validation") > 0.9


def test_what_cannot_be_reached_is_said() -> None:
    net = extracted()
    [found] = pruned(PruningTask(net, DATA, TrainingConfig()), [0.99])
    assert weight_count(found.net) < weight_count(net)
    assert f"only {format_share(sparsity_of(found, net), 1)} went" in found.note


def test_attention_has_nothing_to_join() -> None:
    with pytest.raises(InvalidInput, match="ReLU"):
        pruned(PruningTask(extracted("elastic_vit"), DATA, TrainingConfig()), [0.5])
