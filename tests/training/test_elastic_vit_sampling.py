"""ElasticViT sampling against its card: the walk, the bands, the memory, and whom the smallest learns from."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from core.errors import InvalidInput
from core.spaces import Choice, SearchSpace
from core.supernets.nas_bench_201 import NASBench201, NASBench201Config
from core.tasks.base import Batch
from core.training.losses.base import PREVIOUS
from core.training.strategies import STRATEGIES, Phase
from core.training.strategies.elastic_vit_sampling import ElasticViTSampling
from core.training.supernet_session import SupernetSession
from tests.training.small import digest, digits, fresh_net, settings

DATA = digits()


def sampling(net=None, **changes: object) -> tuple[ElasticViTSampling, SupernetSession]:
    strategy = STRATEGIES.create("elastic_vit_sampling", {"bank_size": 4, "listed": 30, **changes})
    assert isinstance(strategy, ElasticViTSampling)
    phase = strategy.phases(fresh_net().space)[-1]
    return strategy, SupernetSession(net or fresh_net(), DATA, settings(), strategy, phase)


def batch_of(session: SupernetSession) -> Batch:
    return next(session.task.epoch(DATA, batch_size=16, seed=0, epoch=0, augmentation={}))


def test_the_band_walks_by_one_and_stays_at_an_end_twice_as_often() -> None:
    strategy, _ = sampling()
    steps: dict[int, Counter[int]] = {}
    rng = np.random.default_rng(0)
    for _ in range(2000):
        following = strategy.walk(rng)
        assert abs(following - strategy.bank) <= 1
        steps.setdefault(strategy.bank, Counter())[following - strategy.bank] += 1
        strategy.bank = following
    assert set(steps) == set(range(5))
    for bank, counted in steps.items():
        if bank in (0, 4):
            inward = 1 if bank == 0 else -1
            expected = {0: 2 / 3, inward: 1 / 3}
        else:
            expected = dict.fromkeys((-1, 0, 1), 1 / 3)
        total = counted.total()
        assert set(counted) == set(expected)
        found = [counted[move] for move in expected]
        assert chisquare(found, [p * total for p in expected.values()]).pvalue > 1e-3


@pytest.mark.slow
def test_every_step_trains_one_band_and_its_own_smallest() -> None:
    strategy, session = sampling()
    one = batch_of(session)
    smallest = {band: strategy.minima[band] for band in range(5)}
    assert smallest[0] == session.space.smallest
    assert len(set(smallest.values())) == 5
    for step in range(25):
        before = strategy.bank
        session.step, session.rate = step % 3, 0.01
        session.epoch = step // 3
        session.drawn.clear()
        strategy.step(session, one)
        assert abs(strategy.bank - before) <= 1
        *drawn, last = [arch for arch, _ in session.drawn]
        assert len(drawn) == 3
        assert last == smallest[strategy.bank]
        low, high = strategy.bands.low[strategy.bank], strategy.bands.high[strategy.bank]
        macs = session.macs([*drawn, last])
        assert ((macs >= low) & (macs <= high)).all()
        assert macs[-1] == macs.min()


@given(st.lists(st.tuples(st.integers(0, 8), st.floats(-5, 0)), max_size=40))
def test_a_bank_is_bounded_and_its_worst_only_gets_better(told: list[tuple[int, float]]) -> None:
    strategy = STRATEGIES.create("elastic_vit_sampling", {"bank_size": 4})
    strategy.bank, strategy.banks = 0, [{}]
    bank = strategy.banks[0]
    for option, score in told:
        before = dict(bank)
        strategy.remember((option,), score)
        assert len(bank) <= 4
        if (option,) in before or (len(before) == 4 and score <= min(before.values())):
            assert bank == before
        else:
            gone = set(before) - set(bank)
            assert bank[option,] == score
            assert len(gone) == (len(before) == 4)
            assert all(before[arch] == min(before.values()) for arch in gone)


def test_remembered_architectures_are_drawn_by_their_scores_and_more_often_later() -> None:
    strategy, session = sampling(first_share=1.0, last_share=1.0)
    archs = [tuple(a) for a in strategy.bands.listed[0][:3].tolist()]
    strategy.banks[0] = dict(zip(archs, (-1.0, -2.0, -1.5), strict=True))
    drawn = Counter(strategy.draw(session, np.random.default_rng(i)) for i in range(1500))
    assert all(known for _, known in drawn)
    weights = np.exp([-1.0, -2.0, -1.5])
    found = [drawn[arch, True] for arch in archs]
    assert chisquare(found, 1500 * weights / weights.sum()).pvalue > 1e-3
    # A bank that is not more than half full is not drawn from.
    del strategy.banks[0][archs[0]]
    assert not strategy.draw(session, np.random.default_rng(0))[1]
    rising, _ = sampling()
    shares = [rising.exploited(p) for p in np.linspace(0, 1, 200)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (pytest.approx(0.2), pytest.approx(0.95))


def test_of_equal_cost_the_wider_one_comes_before_the_deeper_one() -> None:
    strategy, session = sampling()
    space = session.space
    anchor = strategy.minima[0]
    wide, deep = list(anchor), list(anchor)
    for at, choice in enumerate(space.choices):
        if choice.kind == "width":
            wide[at] = 1
        if choice.kind == "depth":
            deep[at] = 1
    wide, deep = space.canonical(wide), space.canonical(deep)
    a, b = strategy.depth_before_width(session, [wide, deep])
    small = int(session.macs([anchor])[0])
    assert a == small - int(session.macs([wide])[0]) < 0
    assert b == int(session.macs([deep])[0]) - small > 0
    # A draw takes the first of five until its bank is known; then the one that this number prefers.
    strategy.bank = 1
    listed = [tuple(row) for row in strategy.bands.listed[1].tolist()]
    strategy.banks[1] = dict.fromkeys(listed[:3], -1.0)
    values = dict(zip(listed, strategy.depth_before_width(session, listed), strict=True))
    session.progress = 0.0
    fresh = [strategy.draw(session, np.random.default_rng(i)) for i in range(300)]
    mean = np.mean([values[arch] for arch, known in fresh if not known])
    assert mean < np.mean(list(values.values()))


def test_the_smallest_learns_from_the_mean_of_what_the_others_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strategy, session = sampling()
    forward, loss = SupernetSession.forward, SupernetSession.loss
    answers: list[torch.Tensor] = []
    targets: list[torch.Tensor] = []

    def watched(self, arch, batch, **noise):
        outputs = forward(self, arch, batch, **noise)
        answers.append(outputs)
        return outputs

    def asked(self, terms, outputs, batch, named):
        if PREVIOUS in named:
            targets.append(named[PREVIOUS])
        return loss(self, terms, outputs, batch, named)

    monkeypatch.setattr(SupernetSession, "forward", watched)
    monkeypatch.setattr(SupernetSession, "loss", asked)
    strategy.step(session, batch_of(session))
    assert len(answers) == 4
    assert len(targets) == 1
    assert not targets[0].requires_grad
    mean = torch.stack([a.detach().softmax(1) for a in answers[:3]]).mean(0)
    torch.testing.assert_close(targets[0].softmax(1), mean)


def test_scores_are_measured_anew_and_nothing_is_trained_by_it() -> None:
    strategy, session = sampling()
    archs = [tuple(a) for a in strategy.bands.listed[2][:2].tolist()]
    strategy.banks[2] = dict.fromkeys(archs, -99.0)
    before, passes = digest(session.net), session.passes
    session.step = 1  # of six: no quarter begins
    strategy._refresh(session, batch_of(session))
    assert set(strategy.banks[2].values()) == {-99.0}
    session.step = 0
    strategy._refresh(session, batch_of(session))
    for arch in archs:
        with torch.no_grad():
            one = batch_of(session)
            expected = -float(session.sample_losses(session.forward(arch, one), one).mean())
        assert strategy.banks[2][arch] == pytest.approx(expected)
    assert (digest(session.net), session.passes) == (before, passes)


def test_with_the_largest_as_teacher_it_is_trained_first_and_frozen() -> None:
    strategy, session = sampling(teacher="largest")
    first, then = strategy.phases(session.space)
    assert then.actions == ("freeze_teacher",)
    session.phase = first
    strategy.step(session, batch_of(session))
    assert [arch for arch, _ in session.drawn] == [session.space.largest]
    session.freeze_teacher()
    kept = digest(session.teacher)
    session.phase = then
    strategy.step(session, batch_of(session))
    assert len(session.drawn) == 5
    assert digest(session.teacher) == kept
    endless = SearchSpace([Choice("edge", ("none", "conv"), ordinal=False)])
    with pytest.raises(InvalidInput, match="needs a space that has one"):
        strategy.check(endless)


def test_a_space_of_operations_is_trained_too() -> None:
    net = NASBench201(NASBench201Config(channels=2, cells_per_stage=1))
    strategy, session = sampling(net)
    session.phase = Phase("banks")
    assert np.isfinite(strategy.step(session, batch_of(session)))
