"""Gradients of two sizes side by side: what they are, and that a training never notices."""

from __future__ import annotations

import numpy as np
import torch

from core.training.gradient_conflict import common_batch, conflict, stage_labels
from core.training.watch_rows import conflict_epochs
from tests.training.small import digest, digits, fresh_net


def test_the_cosine_is_that_of_the_weights_both_move() -> None:
    net, data = fresh_net(), digits(64)
    batch = common_batch(net, data)
    ends = net.space.ends
    assert ends is not None
    small, large = ends
    [found] = conflict(net, batch, [small, large])
    gradients = []
    for arch in (small, large):
        net.zero_grad()
        net.task.losses(net(batch.inputs, arch), batch.targets).mean().backward()
        gradients.append(
            [
                np.concatenate(
                    [
                        (np.zeros(p.shape) if p.grad is None else p.grad.numpy()).ravel()
                        for p in s.parameters()
                    ]
                )
                for s in net.chain
            ]
        )
    for stage, value in enumerate(found):
        a, b = gradients[0][stage].astype(float), gradients[1][stage].astype(float)
        both = (a != 0) & (b != 0)
        if both.any():
            assert np.isclose(
                value, a[both] @ b[both] / np.linalg.norm(a[both]) / np.linalg.norm(b[both]), atol=1e-5
            )
        else:
            assert np.isnan(value), "a stage that one of them lacks"
    assert np.isnan(found).any()
    assert len(stage_labels(net, large)) == len(found) == len(net.chain)


def test_a_subnet_agrees_with_itself() -> None:
    net, data = fresh_net(), digits(64)
    [found] = conflict(net, common_batch(net, data), [net.space.largest, net.space.largest])
    assert np.allclose(found, 1.0)


def test_nothing_of_a_training_is_touched() -> None:
    net, data = fresh_net(), digits(64)
    before, state = digest(net), torch.random.get_rng_state()
    conflict(net, common_batch(net, data), [net.space.smallest, net.space.largest])
    assert digest(net) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(p.grad is None for p in net.parameters())


def test_gradients_are_compared_at_five_points() -> None:
    assert conflict_epochs(40) == [1, 10, 20, 30, 40]
    assert conflict_epochs(2) == [1, 2]
