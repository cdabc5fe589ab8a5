"""Several architectures in one pass: gradients of sliced passes, balanced options, and who is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from core.errors import InvalidInput
from core.store import MemoryLedger
from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.supernets.elastic_encoder import ElasticEncoder, ElasticEncoderConfig
from core.tasks.base import Batch
from core.training.loop import train
from core.training.strategies import STRATEGIES, Phase
from core.training.strategies.multi_architectural import MultiArchitectural
from core.training.supernet_session import SupernetSession
from tests.helpers.nets import disturb, small_cnn
from tests.training.small import digits, fresh_vit, settings

DATA = digits()


def strategy_of(**changes: object) -> MultiArchitectural:
    made = STRATEGIES.create("multi_architectural", changes)
    assert isinstance(made, MultiArchitectural)
    return made


def session_of(
    strategy: MultiArchitectural, net: Supernet | None = None, **changes: object
) -> SupernetSession:
    plain = settings(clip=0.0, momentum=0.0, weight_decay=0.0, **changes)
    made = SupernetSession(net or disturb(fresh_vit()), DATA, plain, strategy, Phase("all"))
    made.rate = 1.0
    return made


def batch_of(net: Supernet, size: int) -> Batch:
    return net.task.batch(DATA, DATA.train.first(size))


@pytest.mark.parametrize("size", [32, 30])
def test_one_step_is_the_batchs_mean_loss_of_each_images_sliced_pass_and_costs_one_pass(size: int) -> None:
    """Image i learns with architecture i modulo 4, also where a batch cannot be divided."""
    session = session_of(strategy_of(warmup=0))
    net, batch = session.net, batch_of(session.net, size)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    loss = session.strategy.step(session, batch)
    assert session.passes == size / 32  # of an epoch's batches of 32
    archs = [drawn.arch for drawn in session.drawn]
    assert len(archs) == 4
    assert len(set(archs)) > 1
    found = {name: before[name] - p.detach() for name, p in net.named_parameters()}
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(before[name])
    net.zero_grad()
    apart = [
        F.cross_entropy(net(batch.inputs[at::4], arch), batch.targets[at::4], reduction="none")
        for at, arch in enumerate(archs)
    ]
    total = torch.cat(apart).mean()
    total.backward()
    assert loss == pytest.approx(float(total.detach()), rel=1e-5)
    assert [d.loss for d in session.drawn] == pytest.approx(
        [float(e.detach().mean()) for e in apart], rel=1e-5
    )
    for name, p in net.named_parameters():
        expected = torch.zeros_like(p) if p.grad is None else p.grad
        torch.testing.assert_close(found[name], expected, atol=1e-5, rtol=1e-4)


def test_options_of_a_batch_are_balanced_choice_by_choice_and_change_from_step_to_step() -> None:
    session, seen = session_of(strategy_of(architectures=6, warmup=0)), set()
    batch, space = batch_of(session.net, 24), session.space
    for step in range(5):
        session.step = step
        session.drawn.clear()
        session.strategy.step(session, batch)
        rows = np.array([drawn.arch for drawn in session.drawn], np.uint8)
        active = space.active(rows)
        for index, count in enumerate(space.cardinalities):
            found = np.bincount(rows[active[:, index], index], minlength=count)
            assert found.max() - found.min() <= 1
        seen.add(rows.tobytes())
    assert len(seen) == 5


def test_smaller_options_come_in_with_the_training_the_largest_first() -> None:
    session = session_of(strategy_of(warmup=0.5))
    batch = batch_of(session.net, 16)
    for progress, only_largest in ((0.0, True), (0.49, True), (0.5, False)):
        session.drawn.clear()
        session.progress, session.rate = progress, 0.0
        session.strategy.step(session, batch)
        assert ({d.arch for d in session.drawn} == {session.space.largest}) is only_largest


def test_label_smoothing_and_mixed_images_reach_the_loss() -> None:
    batch = batch_of(fresh_vit(), 32)
    plain, smooth = (
        s.strategy.step(s, batch)
        for s in (session_of(strategy_of()), session_of(strategy_of(), label_smoothing=0.5))
    )
    assert abs(plain - smooth) > 1e-3
    one = session_of(strategy_of())
    mixed = one.task.mixed(batch, 0.6, np.arange(32)[::-1].copy())
    assert abs(one.strategy.step(one, mixed) - plain) > 1e-4


def test_a_supernet_with_batch_norm_is_refused_before_anything_is_trained() -> None:
    ledger = MemoryLedger()
    with pytest.raises(InvalidInput, match=r"^Multi-architectural.*BatchNorm.*Balanced batch\.$"):
        list(train(small_cnn(), DATA, settings(strategy="multi_architectural"), ledger))
    assert ledger.metrics() == []


def test_a_family_that_has_no_masks_is_refused() -> None:
    net = ElasticEncoder(ElasticEncoderConfig(input_shape=(5,), vocabulary=9, classes=2))
    with pytest.raises(InvalidInput, match=r"Elastic text encoder cannot be run with masks"):
        strategy_of().check_supernet(net)


def test_every_family_that_says_it_is_masked_is_taken() -> None:
    masked = [name for name in FAMILIES.names() if FAMILIES.get(name).masked]
    assert {"vit_resnas", "elastic_vit", "plain_vit"} <= set(masked)
    for name in masked:
        net = FAMILIES.get(name)(FAMILIES.get(name).examples()[0])
        assert not net.needs_statistics
        strategy_of().check_supernet(net)


def test_fewer_samples_than_architectures_are_refused() -> None:
    session = session_of(strategy_of())
    with pytest.raises(InvalidInput, match=r"^Multi-architectural.* 4 architectures.* 3: choose"):
        session.strategy.step(session, batch_of(session.net, 3))
