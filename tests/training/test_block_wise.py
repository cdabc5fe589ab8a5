"""Block-wise distillation against what it promises: whose weights move, by which gradient, of which features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from core.datasets import load_dataset
from core.errors import InvalidInput
from core.store import MemoryLedger
from core.supernets import FAMILIES
from core.supernets.elastic_tdnn import ElasticTDNN
from core.tasks.base import Batch, task_of
from core.training.blocks import blocks_of, narrowed
from core.training.loop import SupernetRun
from core.training.session import Session
from core.training.strategies import STRATEGIES, Phase
from core.training.strategies.block_wise import BlockWise
from core.training.supernet_session import SupernetSession
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import disturb
from tests.training.small import digits, fresh_net, settings

DATA = digits()


def training(blocks: int = 2, draws: int = 2) -> tuple[BlockWise, SupernetSession]:
    """In the midst of it: the weights are disturbed, then another teacher is frozen than what learns."""
    strategy = STRATEGIES.create("block_wise", {"blocks": blocks, "draws": draws})
    assert isinstance(strategy, BlockWise)
    session = SupernetSession(
        disturb(fresh_net()), DATA, settings(clip=0.0), strategy, Phase("largest network")
    )
    session.freeze_teacher()
    with torch.no_grad():
        for parameter in session.net.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4))
    return strategy, session


def batch_of() -> Batch:
    return next(task_of(DATA).epoch(DATA, batch_size=32, seed=0, epoch=0, augmentation={}))


def stage_of(name: str) -> int:
    return int(name.split(".")[1])


def test_while_a_block_trains_all_other_weights_stay_to_the_last_bit() -> None:
    """Every phase of a whole training with momentum and decay, which also move weights without a gradient."""
    config = settings(strategy="block_wise", strategy_config={"blocks": 2}, epochs=4, weight_decay=0.01)
    run = SupernetRun(fresh_net(), DATA, config, MemoryLedger())
    strategy, last = run.session.strategy, len(run.supernet.chain) - 1
    assert isinstance(strategy, BlockWise)
    trained = {"block 1": strategy.blocks[0], "block 2": strategy.blocks[1], "head": range(last, last + 1)}
    before = {n: t.clone() for n, t in run.supernet.state_dict().items()}
    seen = []
    for progress in run.go():
        if "phase" not in (progress.metrics or {}):
            continue
        now = {n: t.clone() for n, t in run.supernet.state_dict().items()}
        moved = {stage_of(name) for name, tensor in now.items() if not torch.equal(tensor, before[name])}
        phase = str(progress.metrics["phase"])
        seen.append(phase)
        if phase in trained:
            assert moved == set(trained[phase]), phase
        before = now
    assert seen == ["largest network", "block 1", "block 2", "head"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_step_is_the_descent_on_the_teachers_features_written_out(
    which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy, session = training(draws=1)
    net, teacher, batch = session.net, session.teacher, batch_of()
    assert teacher is not None
    arch = net.space.smallest
    monkeypatch.setattr(Phase, "sample", lambda self, space, rng: arch)
    session.phase, session.rate = Phase(f"block {which + 1}"), 0.0
    block = strategy.blocks[which]

    def run(of: torch.nn.Module, x: Tensor, stages: range, subnet: tuple[int, ...]) -> Tensor:
        for stage in [of.stages[i] for i in stages]:
            x = stage(x, subnet) if stage.key(subnet) is not None else x
        return x

    with torch.no_grad():
        entering = run(teacher, batch.inputs, range(block.start), net.space.largest)
        wanted = run(teacher, entering, block, net.space.largest)
        own = run(net, batch.inputs, range(block.start), arch)
    given = run(net, entering[:, : own.shape[1]], block, arch)
    assert given.shape[1] < wanted.shape[1], "the narrower subnet makes some of the channels"
    wanted = wanted[:, : given.shape[1]]
    loss = (given - wanted).square().mean() / wanted.square().mean()
    named = dict(net.named_parameters())
    expected = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    assert strategy.step(session, batch) == pytest.approx(float(loss.detach()), rel=1e-5)
    for (name, parameter), gradient in zip(named.items(), expected, strict=True):
        assert (parameter.grad is None) == (gradient is None), name
        if gradient is not None:
            assert stage_of(name) in block
            torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-4)


def test_labels_do_not_enter_while_blocks_are_trained() -> None:
    gradients = []
    for turn in (0, 1):
        strategy, session = training()
        session.phase, batch = Phase("block 1"), batch_of()
        strategy.step(session, Batch(batch.inputs, batch.targets.roll(turn), batch.ids))
        gradients.append({n: p.grad for n, p in session.net.named_parameters() if p.grad is not None})
    assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])


@pytest.mark.slow
def test_every_block_comes_closer_to_its_teacher() -> None:
    strategy, session = training()
    batch = batch_of()
    for name in ("block 1", "block 2"):
        session.phase, losses = Phase(name), []
        for session.step in range(30):
            session.rate = 0.02
            losses.append(strategy.step(session, batch))
        assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5]), name


def test_a_block_that_a_subnet_does_not_have_is_trained_by_subnets_that_have_it() -> None:
    """Four blocks of four stages: the second block of a group is missing at depth 1."""
    strategy, session = training(blocks=4, draws=4)
    assert [len(block) for block in strategy.blocks] == [2, 1, 1, 1]
    for index in range(4):
        session.phase = Phase(f"block {index + 1}")
        assert np.isfinite(strategy.step(session, batch_of()))
    drawn = [arch for arch, _ in session.drawn][4:8]
    assert all(session.net.chain[2].key(arch) is not None for arch in drawn)


def test_blocks_that_do_not_fit_together_are_refused_before_anything_is_trained() -> None:
    """How many tensors flow between the blocks of a TDNN depends on its depth."""
    tones = load_dataset("tones", clips=240, calibration=24)
    net = ElasticTDNN(
        ElasticTDNN.Config.model_validate(
            ElasticTDNN.examples()[0].model_dump() | task_of(tones).settings_from(tones)
        )
    )
    with pytest.raises(InvalidInput, match=r"^What flows between blocks .* Choose another strategy\.$"):
        SupernetSession(net, tones, settings(), STRATEGIES.create("block_wise"), Phase("largest network"))


def test_more_blocks_than_stages_are_refused_in_a_sentence() -> None:
    with pytest.raises(
        InvalidInput, match=r"^This supernet can be cut into 5 blocks, not into 8; set blocks to 5\.$"
    ):
        training(blocks=8)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_blocks_are_consecutive_and_end_where_groups_end(n: int) -> None:
    for name in IMAGE_FAMILIES:
        family = FAMILIES.get(name)
        net = family(family.example((1, 8, 8)))
        arch = net.space.largest if net.space.ends else net.space.sample(np.random.default_rng(0))
        blocks = blocks_of(net, n, arch)
        assert [i for block in blocks for i in block] == list(range(len(net.chain) - 1))
        assert min(map(len, blocks)) > 0
    cnn = fresh_net()
    assert blocks_of(cnn, 2, cnn.space.largest) == [range(3), range(3, 5)]


def test_what_enters_is_cut_to_the_first_numbers_and_never_invented() -> None:
    x = (torch.arange(24.0).view(2, 3, 4), torch.ones(2, 5))
    cut = narrowed(x, [(2, 4), (5,)])
    assert torch.equal(cut[0], x[0][:, :2])
    assert torch.equal(cut[1], x[1])
    for shapes in ([(2, 4)], [(2, 4), (6,)]):
        with pytest.raises(InvalidInput, match="depends on its depth"):
            narrowed(x, shapes)


def test_passes_are_counted_in_parts_of_a_network() -> None:
    strategy, session = training()
    assert isinstance(session, Session)
    session.phase = Phase("block 2")
    strategy.step(session, batch_of())
    assert session.passes == strategy.passes(session.space, session.phase) == 1.0
