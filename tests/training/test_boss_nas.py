"""Block-wise bootstrapping against its card: fair paths, no labels, a target that is the mean of all and learns nothing."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from core.datasets import load_dataset
from core.errors import InvalidInput
from core.spaces import Arch
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.elastic_encoder import ElasticEncoder
from core.supernets.elastic_vit import ElasticViT
from core.supernets.nas_bench_201 import NASBench201, NASBench201Config
from core.supernets.path_ensemble import PathEnsemble
from core.tasks.base import Batch, task_of
from core.training.loop import SupernetRun
from core.training.projection import channels_after, pooled
from core.training.strategies import STRATEGIES, Phase
from core.training.strategies.boss_nas import BossNAS
from core.training.supernet_session import SupernetSession
from tests.training.small import digits, fresh_net, settings

DATA = digits()


def training(net: Supernet | None = None, **changes: object) -> tuple[BossNAS, SupernetSession]:
    strategy = STRATEGIES.create("boss_nas", changes)
    assert isinstance(strategy, BossNAS)
    session = SupernetSession(net or fresh_net(), DATA, settings(clip=0.0), strategy, Phase("block 1"))
    return strategy, session


def batch_of() -> Batch:
    return next(task_of(DATA).epoch(DATA, batch_size=32, seed=0, epoch=0, augmentation={}))


def gradients(strategy: BossNAS, session: SupernetSession, batch: Batch) -> dict[str, torch.Tensor]:
    session.rate = 0.0
    strategy.step(session, batch)
    return {n: p.grad.clone() for n, p in session.net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("index", [0, 1])
def test_every_option_is_used_equally_often_in_the_paths_of_a_step(index: int) -> None:
    """Of as many paths as options each is in one: the columns are permutations."""
    strategy, session = training()
    space = session.space
    strategy.best = [dict.fromkeys(strategy.own[0], 0)] * index
    orders = set()
    for seed in range(30):
        paths = strategy.paths(space, index, np.random.default_rng(seed))
        assert len(paths) == 2
        for name in strategy.own[index]:
            active = [path[space.position[name]] for path in paths if space.is_active(path, name)]
            assert len(active) < 2 or sorted(active) == [0, 1], name
        orders.add(tuple(paths))
    assert len(orders) > 5, "which options go together is drawn"


def test_with_fewer_options_than_paths_counts_differ_by_one_at_most() -> None:
    net = ElasticViT(ElasticViT.example((1, 8, 8)))
    strategy, session = training(net)
    assert {len(c.options) for c in session.space.choices} == {2, 3}
    counts: Counter[tuple[str, int]] = Counter()
    for seed in range(60):
        paths = strategy.paths(session.space, 0, np.random.default_rng(seed))
        assert len(paths) == 3
        names = [n for n in strategy.own[0] if all(session.space.is_active(p, n) for p in paths)]
        for name in names:
            found = Counter(path[session.space.position[name]] for path in paths)
            assert max(found.values()) - min(found.values()) <= 1
            counts.update((name, option) for option in found.elements())
    assert min(counts.values()) > 0.35 * 60 * 3


@pytest.mark.parametrize("phase", ["block 1", "block 2"])
def test_no_label_is_looked_at(phase: str) -> None:
    found = []
    for turn in (0, 3):
        strategy, session = training()
        session.phase, batch = Phase(phase), batch_of()
        found.append(gradients(strategy, session, Batch(batch.inputs, batch.targets.roll(turn), batch.ids)))
    assert found[0].keys() == found[1].keys()
    assert found[0]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_only_the_block_and_its_projections_learn_and_the_target_has_no_gradient() -> None:
    strategy, session = training()
    session.phase = Phase("block 2")
    moved = gradients(strategy, session, batch_of())
    assert {int(name.split(".")[1]) for name in moved} <= set(strategy.blocks[1])
    for part, index in ((strategy.online, 1), (strategy.predictor, 1)):
        assert all(p.grad is not None for p in part[index].parameters())
        assert all(p.grad is None for p in part[0].parameters())
    frozen = [*strategy.target.parameters(), *strategy.target_net.parameters()]
    assert all(p.grad is None and not p.requires_grad for p in frozen)


def test_the_target_is_the_mean_of_normalized_projections_and_the_same_for_every_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The gradient of a step, written out with autograd over the stages."""
    strategy, session = training()
    net, batch = session.net, batch_of()
    views = [batch.inputs + 0.1 * i for i in range(4)]
    handed = iter(views)
    monkeypatch.setattr(type(session.task), "view", lambda self, inputs, rng: next(handed))
    paths = [net.space.smallest, net.space.largest]
    monkeypatch.setattr(strategy, "paths", lambda space, index, rng: paths)

    def projected(of: Supernet, project: torch.nn.Module, x: torch.Tensor, path: Arch) -> torch.Tensor:
        for stage in [of.chain[i] for i in strategy.blocks[0]]:
            x = stage(x, path) if stage.key(path) is not None else x
        features = x.mean((2, 3))
        hidden = features @ project.first.weight[:, : features.shape[1]].T + project.first.bias
        return project.second(F.relu(project.norm(hidden)))

    with torch.no_grad():  # the target is another network by now
        for parameter in [*strategy.target_net.parameters(), *strategy.target.parameters()]:
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
        shown = [
            [
                F.normalize(projected(strategy.target_net, strategy.target[0], views[2 * i + v], p), dim=1)
                for v in (0, 1)
            ]
            for i, p in enumerate(paths)
        ]
        target = [(shown[0][v] + shown[1][v]) / 2 for v in (0, 1)]
    total = torch.zeros(())
    for i, path in enumerate(paths):
        for view in (0, 1):
            given = strategy.predictor[0](projected(net, strategy.online[0], views[2 * i + view], path))
            cosine = (F.normalize(given, dim=1) * F.normalize(target[1 - view], dim=1)).sum(1)
            total = total + (2 - 2 * cosine).mean()
    named = dict(net.named_parameters())
    expected = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    found = gradients(strategy, session, batch)
    assert session.drawn[0].loss + session.drawn[1].loss == pytest.approx(float(total.detach()), rel=1e-4)
    for (name, _), gradient in zip(named.items(), expected, strict=True):
        assert (name in found) == (gradient is not None)
        if gradient is not None:
            torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-3, msg=name)


@pytest.mark.parametrize("progress", [0.0, 0.4, 0.8, 1.0])
def test_the_target_follows_ever_more_slowly_and_stands_still_at_the_end(progress: float) -> None:
    strategy, session = training(target_momentum=0.9, head_share=0.2)
    session.progress, session.rate = progress, 0.1
    stage = strategy.blocks[0][0]
    before = [p.clone() for p in strategy.target_net.chain[stage].parameters()]
    strategy.step(session, batch_of())
    keep = 1 - 0.1 * (math.cos(math.pi * min(1, progress / 0.8)) + 1) / 2
    assert keep == pytest.approx({0.0: 0.9, 0.4: 0.95}.get(progress, 1.0))
    fast, slow = (list(net.chain[stage].parameters()) for net in (session.net, strategy.target_net))
    for old, new, found in zip(before, fast, slow, strict=True):
        torch.testing.assert_close(found, keep * old + (1 - keep) * new.detach(), atol=1e-6, rtol=1e-5)


def test_the_path_nearest_to_the_mean_of_all_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the population's target projections; the rating is a loss, so the least one wins."""
    strategy, session = training()
    paths = strategy.population(session, 0)
    assert len(paths) == len(set(paths)) == 2 * (2 + 4)  # widths, times kernels of one block or of two
    ratings = strategy.ratings(session, 0, paths)
    assert strategy.ratings(session, 0, paths) == ratings
    strategy.choose(session, 0)
    best = paths[int(np.argmin(ratings))]
    assert strategy.best == [{name: best[session.space.position[name]] for name in strategy.own[0]}]
    planted = [2.0] * len(paths)
    planted[5] = 1.0
    monkeypatch.setattr(strategy, "ratings", lambda *_: planted)
    strategy.best = []
    strategy.choose(session, 0)
    assert list(strategy.best[0].values()) == [paths[5][session.space.position[n]] for n in strategy.own[0]]
    # It feeds the next block.
    for path in strategy.paths(session.space, 1, np.random.default_rng(0)):
        assert all(path[session.space.position[n]] == option for n, option in strategy.best[0].items())


def test_any_path_may_feed_the_next_block() -> None:
    strategy, session = training(earlier="any")
    strategy.best = [dict.fromkeys(strategy.own[0], 0)]
    rng, name = np.random.default_rng(0), "width1"
    seen = {strategy.paths(session.space, 1, rng)[0][session.space.position[name]] for _ in range(20)}
    assert seen == {0, 1}


@pytest.mark.slow
def test_other_blocks_stay_as_they_are_in_every_phase_and_the_bootstrapping_goes_on() -> None:
    config = settings(strategy="boss_nas", epochs=6, weight_decay=0.01)
    run = SupernetRun(fresh_net(), DATA, config, MemoryLedger())
    strategy, last = run.session.strategy, len(run.supernet.chain) - 1
    assert isinstance(strategy, BossNAS)
    trained = {"block 1": strategy.blocks[0], "block 2": strategy.blocks[1], "head": range(last, last + 1)}
    before, losses = {n: t.clone() for n, t in run.supernet.state_dict().items()}, []
    for progress in run.go():
        if "phase" not in (progress.metrics or {}):
            continue
        now = {n: t.clone() for n, t in run.supernet.state_dict().items()}
        moved = {int(n.split(".")[1]) for n, tensor in now.items() if not torch.equal(tensor, before[n])}
        phase = str(progress.metrics["phase"])
        assert moved <= set(trained[phase]), phase
        losses.append((phase, float(progress.metrics["loss"])))
        before = now
    assert len(strategy.best) == 2
    first = [loss for phase, loss in losses if phase == "block 1"]
    assert first[-1] < first[0]


def test_blocks_without_choices_of_their_own_and_data_without_views_are_refused_in_a_sentence() -> None:
    with pytest.raises(
        InvalidInput, match=r"^Block-wise bootstrapping needs choices .* Choose another strategy\.$"
    ):
        training(NASBench201(NASBench201Config(channels=2, cells_per_stage=1)))
    ensembles = PathEnsemble(PathEnsemble.examples()[0])
    with pytest.raises(InvalidInput, match=r"several paths do at once\. Choose another strategy\.$"):
        training(ensembles)
    texts = load_dataset("commands", texts=300, calibration=24)
    encoder = ElasticEncoder(ElasticEncoder.examples()[0])
    with pytest.raises(
        InvalidInput, match=r"^This strategy learns from two views .* Choose another strategy\.$"
    ):
        SupernetSession(encoder, texts, settings(), STRATEGIES.create("boss_nas"), Phase("block 1"))


def test_channels_are_found_in_maps_and_in_rows_of_tokens() -> None:
    vit, cnn = ElasticViT(ElasticViT.example((1, 8, 8))), fresh_net()
    assert channels_after(vit, 0, [vit.space.smallest, vit.space.largest]) == (2, 6)
    assert channels_after(cnn, 4, [cnn.space.smallest, cnn.space.largest]) == (1, 6)
    x = torch.randn(2, 3, 5)
    torch.testing.assert_close(pooled(x, 2), x.mean(1))
    torch.testing.assert_close(pooled(x[:, :, 0], 1), x[:, :, 0])
