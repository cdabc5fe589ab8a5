"""NEAS: how the trunk learns, and which combinations of operations are dropped (card 18)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.supernets.path_ensemble import PathEnsemble
from core.supernets.path_stages import Apart
from core.training.draws import Phase
from core.training.strategies import STRATEGIES
from core.training.strategies.neas import Looked, Neas
from core.training.supernet_session import SupernetSession
from tests.helpers.nets import disturb
from tests.training.small import digits, fresh_ensemble, settings


def session_of(net: PathEnsemble, **changes: object) -> SupernetSession:
    return SupernetSession(
        net, digits(32), settings(), STRATEGIES.create("neas", changes), Phase("all combinations")
    )


def test_the_trunk_learns_from_the_mean_of_the_paths_gradients_and_a_path_from_its_own() -> None:
    net = disturb(fresh_ensemble()).requires_grad_(True)
    images, labels = torch.rand(12, 1, 8, 8), torch.arange(12) % 10
    arch = net.largest

    def gradients(loss: torch.Tensor) -> dict[str, torch.Tensor]:
        net.zero_grad()
        loss.backward()
        return {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}

    def path_loss(of: int) -> torch.Tensor:
        """Of one path alone, by hand: nothing divides its gradient."""
        flow = images
        for stage in list(net.chain)[:-1]:
            flow = flow if stage.key(arch) is None else stage(flow, arch)
        logits = net.chain[-1].linears[of](flow[of].mean((2, 3)))
        return torch.nn.functional.cross_entropy(logits, labels)

    alone = [gradients(path_loss(k)) for k in range(2)]
    apart = net(images, Apart(arch))
    together = gradients(sum(torch.nn.functional.cross_entropy(apart[:, k], labels) for k in range(2)))
    stages = list(net.chain)
    first_split = next(i for i, s in enumerate(stages) if type(s).__name__ == "SplitStage" and s.key(arch))
    shared = {i for i in range(first_split) if stages[i].key(arch) is not None}
    trunk = [n for n in together if n.startswith("stages.") and int(n.split(".")[1]) in shared]
    assert trunk
    for name in trunk:
        torch.testing.assert_close(together[name], (alone[0][name] + alone[1][name]) / 2)
    for name in set(together) - set(trunk):
        own = [each[name] for each in alone if name in each]
        torch.testing.assert_close(together[name], sum(own))


def test_a_step_minimizes_the_sum_of_the_paths_losses() -> None:
    net = disturb(fresh_ensemble())
    session = session_of(net, shrinkings=0)
    batch = session.task.batch(session.dataset, session.dataset.train)
    arch = session.strategy.draw(session.space, session.phase, session.rng("draws"))
    with torch.no_grad():
        logits = net(batch.inputs, Apart(arch))
        losses = [
            float(session.task.losses(logits[:, k], batch.targets).mean()) for k in range(logits.shape[1])
        ]
    assert session.strategy.step(session, batch) == pytest.approx(np.mean(losses), rel=1e-5)
    assert session.drawn[-1].arch == arch


def planted(strategy: Neas, bad: tuple[int, int], alike: tuple[int, int], n: int = 300) -> list[Looked]:
    """Ensembles in which one combination loses most and another one's paths compute the same, whatever the layer."""
    rng, space = np.random.default_rng(0), fresh_ensemble().space
    found = []
    for _ in range(n):
        arch = strategy.draw(space, Phase("all"), rng)
        pairs = {layer: tuple(arch[at] for at in of) for layer, of in strategy.choices.items()}
        loss = 1.0 + sum(pair == bad for pair in pairs.values()) + 0.01 * rng.random()
        apart = {layer: 0.0 if pair == alike else 1 + 0.01 * rng.random() for layer, pair in pairs.items()}
        found.append(Looked(arch, loss, apart))
    return found


def test_the_worst_and_the_alike_are_dropped_first_and_never_drawn_again() -> None:
    session = session_of(fresh_ensemble(), drop=0.4)
    strategy = session.strategy
    sizes = {layer: kept.size for layer, kept in strategy.kept.items()}
    strategy.config = strategy.config.model_copy(update={"diversity": 0.0})
    strategy.shrink(planted(strategy, bad=(0, 1), alike=(1, 0)))
    assert all(not kept[0, 1] for kept in strategy.kept.values())
    strategy.config = strategy.config.model_copy(update={"diversity": 10.0})
    strategy.shrink(planted(strategy, bad=(9, 9), alike=(1, 0)))
    for layer, kept in strategy.kept.items():
        assert not kept[1, 0]
        assert 2 <= kept.sum() < sizes[layer]
    rng, space = np.random.default_rng(1), session.space
    for _ in range(100):
        arch = strategy.draw(space, Phase("all"), rng)
        for layer, of in strategy.choices.items():
            if space.is_active(arch, space.choices[of[-1]].name):
                assert strategy.kept[layer][tuple(arch[at] for at in of)]


def test_shrinking_happens_once_per_phase_and_survives_a_restart() -> None:
    session = session_of(fresh_ensemble(), shrinkings=2, ensembles=16, samples=16)
    strategy, batch = session.strategy, session.task.batch(session.dataset, session.dataset.train)
    left = [sum(int(k.sum()) for k in strategy.kept.values())]
    for phase in strategy.phases(session.space):
        session.phase = phase
        for step in range(2):
            session.step = step
            strategy.step(session, batch)
        left.append(sum(int(k.sum()) for k in strategy.kept.values()))
    assert left[0] == left[1] > left[2] > left[3]
    other = session_of(fresh_ensemble(), shrinkings=2).strategy
    other.load_state_dict(strategy.state_dict())
    assert all((other.kept[layer] == kept).all() for layer, kept in strategy.kept.items())
    assert other.shrunk == 2
