"""Training a pruned network: what is gone stays gone, the same seed gives the same weights, divergence is said."""

from __future__ import annotations

import pytest
import torch

from core.errors import CoreError
from core.networks.chain import fresh_like
from core.networks.masks import allocate, applied
from core.pruning.criteria.base import prunable_weights
from core.pruning.retraining import settle, train_masked
from core.training.config import TrainingConfig
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted

CONFIG = TrainingConfig(epochs=2, batch_size=16, learning_rate=0.1, weight_decay=1e-2, shift=0)


def masks(net: torch.nn.Sequential, sparsity: float = 0.7) -> dict[str, torch.Tensor]:
    weights = dict(net.named_parameters())
    return allocate({n: weights[n].detach().abs() for n in prunable_weights(net)}, sparsity)


def trained(seed: int = 0) -> tuple[torch.nn.Sequential, dict[str, torch.Tensor]]:
    net = fresh_like(extracted(), 3)
    held = masks(net)
    made = applied(net, held)
    shares = list(train_masked(made, random_dataset(64), CONFIG.model_copy(update={"seed": seed}), held))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return made, held


def test_what_is_gone_stays_gone_and_the_rest_learns() -> None:
    net, held = trained()
    start = dict(applied(fresh_like(extracted(), 3), held).named_parameters())
    for name, mask in held.items():
        weight = dict(net.named_parameters())[name]
        assert (weight[~mask] == 0).all()
        assert (weight[mask] != start[name][mask]).any()
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())


def test_the_same_seed_gives_the_same_weights() -> None:
    a, b, c = (trained(seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(a[n], b[n]) for n in a)
    assert not all(torch.equal(a[n], c[n]) for n in a)


def test_divergence_is_one_plain_sentence() -> None:
    net = fresh_like(extracted(), 3)
    config = CONFIG.model_copy(update={"learning_rate": 1e12, "clip": 0.0, "epochs": 6})
    with pytest.raises(CoreError, match="smaller learning rate"):
        list(train_masked(net, random_dataset(64), config, {}))


def test_settling_measures_the_calibration_images() -> None:
    net, data = fresh_like(extracted(), 3), random_dataset(64)
    net.train()
    settle(net, data)
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())
    met: dict[str, torch.Tensor] = {}
    norms = {name: m for name, m in net.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    hooks = [
        m.register_forward_pre_hook(lambda _, given, name=name: met.update({name: given[0]}))
        for name, m in norms.items()
    ]
    with torch.no_grad():
        net(torch.from_numpy(data.calibration.x))
    for hook in hooks:
        hook.remove()
    assert norms
    for name, norm in norms.items():
        axes = (0, 2, 3)
        torch.testing.assert_close(norm.running_mean, met[name].mean(axes), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(norm.running_var, met[name].var(axes, correction=0), atol=1e-5, rtol=1e-4)
    assert any(
        not torch.allclose(m.running_var, torch.ones_like(m.running_var), atol=0.05) for m in norms.values()
    )
