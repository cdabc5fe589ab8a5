"""SuperTickets: what an event leaves, what grows again, and what the penalty weighs (card 19)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.evaluation.by_network import count_weights
from core.store import MemoryLedger
from core.supernets.elastic_cnn import ElasticCNN
from core.training.draws import Phase
from core.training.loop import train
from core.training.strategies import STRATEGIES
from core.training.strategies.super_tickets import mac_shares, prunable
from core.training.supernet_session import SupernetSession
from tests.helpers.nets import disturb
from tests.training.small import digits, fresh_net, settings


def session_of(net: ElasticCNN, **changes: object) -> SupernetSession:
    return SupernetSession(
        net, digits(32), settings(), STRATEGIES.create("super_tickets", changes), Phase("all")
    )


def sparsity(net: ElasticCNN) -> float:
    weights = torch.cat([p.detach().flatten() for p in prunable(net).values()])
    return float((weights == 0).float().mean())


def go_to(session: SupernetSession, epoch: int, epochs: int = 100) -> None:
    session.epoch, session.step, session.progress = epoch, 0, epoch / epochs


def a_step(session: SupernetSession) -> None:
    session.strategy.step(session, session.task.batch(session.dataset, session.dataset.train))


def test_event_k_prunes_a_tenth_more_up_to_the_target() -> None:
    session = session_of(disturb(fresh_net(kernel_transform=False)), every=2, target=0.35)
    n = sum(p.numel() for p in prunable(session.net).values())
    for epoch in (1, 2, 4, 5, 8):
        go_to(session, epoch)
        a_step(session)
        assert sparsity(session.net) == pytest.approx(min(0.1 * (epoch // 2), 0.35), abs=1.5 / n)


def test_what_is_pruned_is_smallest_of_all_layers_together_and_never_a_bias() -> None:
    net = disturb(fresh_net(kernel_transform=False))
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    session = session_of(net, every=1, target=0.5, threshold=0)
    go_to(session, 5)
    session.strategy.event(session)
    kept = {name: p.detach() != 0 for name, p in prunable(net).items()}
    least_kept = min(float(before[n][mask].abs().min()) for n, mask in kept.items() if mask.any())
    most_pruned = max(float(before[n][~mask].abs().max()) for n, mask in kept.items() if (~mask).any())
    assert most_pruned <= least_kept
    for name, p in net.named_parameters():
        if name not in kept:
            assert torch.equal(p.detach(), before[name])


@pytest.mark.parametrize("reset", [False, True])
def test_a_pruned_weight_grows_again_with_reset_mask_alone(reset: bool) -> None:
    session = session_of(disturb(fresh_net(kernel_transform=False)), every=1, target=0.5, reset_mask=reset)
    go_to(session, 5)
    session.strategy.event(session)
    pruned = {name: p.detach() == 0 for name, p in prunable(session.net).items()}
    for step in range(1, 4):
        session.step = step
        a_step(session)
    grown = sum(int((p.detach()[pruned[n]] != 0).sum()) for n, p in prunable(session.net).items())
    assert (grown > 0) is reset


def test_after_the_last_event_nothing_grows_even_with_reset_mask() -> None:
    net, ledger = fresh_net(kernel_transform=False), MemoryLedger()
    config = {"every": 2, "target": 0.9, "reset_mask": True}
    list(train(net, digits(32), settings(strategy="super_tickets", strategy_config=config, epochs=7), ledger))
    assert sparsity(net) == pytest.approx(0.3, abs=0.01)


def test_a_vanished_channel_computes_what_zero_scale_and_offset_compute_and_stays_off() -> None:
    net = disturb(fresh_net(kernel_transform=False))
    norm = net.stages[1].norm1
    with torch.no_grad():
        norm.weight[1] = 5e-4
    expected = disturb(fresh_net(kernel_transform=False))
    with torch.no_grad():
        expected.stages[1].norm1.weight[1] = expected.stages[1].norm1.bias[1] = 0
    session = session_of(net, every=1, target=0.0)
    go_to(session, 1)
    session.strategy.event(session)
    images = torch.rand(8, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(net(images, net.largest), expected(images, net.largest))
    session.step = 1
    a_step(session)
    assert norm.weight.detach()[1] == norm.bias.detach()[1] == 0
    assert norm.weight.detach()[0] != 0


def test_the_penalty_weighs_scales_by_their_macs_and_warms_up() -> None:
    net = disturb(fresh_net(kernel_transform=False))
    shares = mac_shares(net)
    stem, block = net.stages[0], net.stages[1]
    per_channel = [stage.cost(net.largest).macs / n for stage, n in ((stem, 4), (block, 8))]
    assert shares["stages.0.norm.weight"] / shares["stages.1.norm2.weight"] == pytest.approx(
        per_channel[0] / per_channel[1]
    )
    sizes = {name: len(dict(net.named_parameters())[name]) for name in shares}
    assert np.average(list(shares.values()), weights=list(sizes.values())) == pytest.approx(1)
    strategy = session_of(net, rho=0.5, warmup_share=0.2).strategy
    whole = sum(s * float(dict(net.named_parameters())[n].detach().abs().sum()) for n, s in shares.items())
    assert strategy.penalty(net, 0.1).item() == pytest.approx(0.25 * whole, rel=1e-5)
    assert strategy.penalty(net, 0.7).item() == pytest.approx(0.5 * whole, rel=1e-5)


def test_zeros_are_seen_in_the_count_of_every_subnet() -> None:
    net = disturb(fresh_net(kernel_transform=False))
    session = session_of(net, every=1, target=0.5)
    go_to(session, 5)
    session.strategy.event(session)
    rows = net.space.sample_array(12, np.random.default_rng(0))
    counted = count_weights(net, rows, ["nonzero_params"])["nonzero_params"]
    images = torch.rand(16, 1, 8, 8)
    for row, n in zip(rows.tolist(), counted, strict=True):
        subnet = net.extract(row, net.calibrate(row, images))
        assert n == sum(int(p.count_nonzero()) for p in subnet.parameters())
        assert n < sum(p.numel() for p in subnet.parameters())
