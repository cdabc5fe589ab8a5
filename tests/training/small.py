"""A training small enough to repeat dozens of times: a part of digits, and a network of a few hundred weights."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from core.datasets import load_dataset
from core.datasets.base import Dataset
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.elastic_cnn import ElasticCNN, ElasticCNNConfig, GroupConfig
from core.supernets.elastic_vit import ElasticViT, ElasticViTConfig, TokenGroupConfig
from core.supernets.path_ensemble import PathEnsemble
from core.supernets.path_space import PathEnsembleConfig
from core.supernets.vit_resnas import TokenStageConfig, ViTResNAS, ViTResNASConfig
from core.training.config import TrainingConfig
from core.training.loop import train

GROUPS = (GroupConfig(widths=(2, 4), kernels=(3, 5)), GroupConfig(widths=(3, 6), kernels=(1, 3)))


def digits(n_train: int = 96) -> Dataset:
    """The first training images of digits; validation as it is."""
    return load_dataset("digits", limit_train=n_train, calibration=64, limit_validation=200, limit_test=50)


def fresh_ensemble(seed: int = 0) -> PathEnsemble:
    """An untrained ensemble of two paths; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PathEnsemble(
            PathEnsembleConfig(
                channels=3, layers=(1, 2), own=2, expands=(1,), pixel_mean=(0.3,), pixel_std=(0.38,)
            )
        )


def net_for(strategy: str, seed: int = 0) -> Supernet:
    """An untrained network that this strategy can train."""
    special = {"neas": fresh_ensemble, "multi_architectural": fresh_vit, "auto_distil": fresh_elastic_vit}
    return special.get(strategy, fresh_net)(seed)


def fresh_vit(seed: int = 0) -> ViTResNAS:
    """An untrained vision transformer without BatchNorm; the global generator stays as it was."""
    stages = (
        TokenStageConfig(widths=(4, 8), heads=(1, 2), head_size=4, hidden=(8, 16)),
        TokenStageConfig(widths=(8, 16), blocks=1, heads=(1, 2), head_size=4, hidden=(8, 16)),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ViTResNAS(ViTResNASConfig(stages=stages, pixel_mean=(0.3,), pixel_std=(0.38,)))


def fresh_elastic_vit(seed: int = 0) -> ElasticViT:
    """An untrained transformer of one group with three widths; the global generator stays as it was."""
    group = TokenGroupConfig(widths=(4, 6, 8), depths=(1, 2), heads=(1, 2), mlp_ratios=(1, 2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ElasticViT(
            ElasticViTConfig(groups=(group,), patch=4, head_size=4, pixel_mean=(0.3,), pixel_std=(0.38,))
        )


def fresh_net(seed: int = 0, *, kernel_transform: bool = True) -> ElasticCNN:
    """An untrained network; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ElasticCNN(
            ElasticCNNConfig(
                groups=GROUPS, pixel_mean=(0.3,), pixel_std=(0.38,), kernel_transform=kernel_transform
            )
        )


QUICK: dict[str, dict[str, Any]] = {"elastic_vit_sampling": {"bank_size": 4}, "few_shot": {"repeats": 2}}
"""Settings of strategies that look at more than such a training is worth."""


def settings(**changes: Any) -> TrainingConfig:
    plain = {"epochs": 5, "batch_size": 32, "learning_rate": 0.1, "shift": 0, "seed": 3}
    plain["strategy_config"] = QUICK.get(changes.get("strategy", ""), {})
    return TrainingConfig.model_validate(plain | changes)


def one_step(net: Supernet, dataset: Dataset, **changes: Any) -> None:
    """One step of plain gradient descent at rate 1, so that the change of a weight is minus its gradient."""
    plain = {
        "epochs": 1,
        "batch_size": len(dataset.train),
        "learning_rate": 1.0,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "clip": 0.0,
        "warmup_epochs": 0.0,
        "shift": 0,
    }
    list(train(net, dataset, TrainingConfig.model_validate(plain | changes), MemoryLedger()))


def weights(net: Supernet) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy().copy() for name, tensor in net.state_dict().items()}


def digest(net: Supernet) -> str:
    """SHA-256 of all weights, bit for bit."""
    total = hashlib.sha256()
    for name, array in sorted(weights(net).items()):
        total.update(name.encode() + array.tobytes())
    return total.hexdigest()


OFTEN = ("sandwich", "balanced_batch", "pa_da", "progressive_shrinking")
"""Strategies that are trained in each run where a test trains all: one draw or several, parts, the second door, phases."""


def trained_often(*names: str) -> list[Any]:
    """Names of strategies as parameters of a test that trains each; those beyond `OFTEN` are in the slow suite."""
    return [pytest.param(n, marks=[] if n in OFTEN else [pytest.mark.slow]) for n in names]


class RecordingLedger(MemoryLedger):
    """Keeps every checkpoint, not only the newest."""

    def __init__(self) -> None:
        super().__init__()
        self.checkpoints: list[bytes] = []

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        super().checkpoint(data, fraction=fraction)
        self.checkpoints.append(data)


def with_labels(dataset: Dataset, labels: Mapping[str, np.ndarray]) -> Dataset:
    """The same images with other labels in the given splits."""
    changed = {name: dataclasses.replace(dataset.split(name), y=y) for name, y in labels.items()}
    return dataclasses.replace(dataset, **changed)
