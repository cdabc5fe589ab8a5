"""Few-shot training against the card of GM-NAS: distances of gradients, the partition, and what a split does."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.datasets import load_dataset
from core.errors import InvalidInput
from core.supernets.base import Supernet
from core.supernets.elastic_gcn import ElasticGCN
from core.supernets.few_shot import FewShot as Parts
from core.supernets.few_shot import parts_of, split
from core.supernets.files import build
from core.supernets.parts import SplitConfig
from core.tasks.base import Batch, task_of
from core.training.gradient_matching import distances, partition
from core.training.session import WEIGHTS
from core.training.strategies import STRATEGIES
from core.training.strategies.few_shot import FewShot, disagreement, split_by_gradients
from core.training.supernet_session import SupernetSession
from tests.training.small import digest, digits, fresh_net, settings

DATA = digits()


def few_shot(net: Supernet | None = None, **changes: object) -> tuple[FewShot, SupernetSession]:
    strategy = STRATEGIES.create("few_shot", {"repeats": 2, **changes})
    assert isinstance(strategy, FewShot)
    made = net or fresh_net()
    return strategy, SupernetSession(made, DATA, settings(), strategy, strategy.phases(made.space)[0])


def batch_of(session: SupernetSession) -> Batch:
    return next(session.task.epoch(DATA, batch_size=16, seed=0, epoch=0, augmentation={}))


def symmetric(values: list[float], n: int) -> np.ndarray:
    apart = np.zeros((n, n))
    apart[np.triu_indices(n, 1)] = values
    return apart + apart.T


# --- distances and partitions -------------------------------------------------------------------------------


def test_distances_are_one_minus_the_cosine_of_what_all_options_use() -> None:
    """Written out: the first number belongs to option 0 alone, the last to nobody."""
    told = [
        [[5.0, 1, 0, 2, 0], [0.0, 0, 1, 2, 0], [0.0, -1, 0, -2, 0]],
        [[7.0, 2, 1, 0, 0], [0.0, 3, 1, 1, 0], [0.0, 2, 3, 0, 0]],
    ]
    found = {(r, o): numbers for r, options in enumerate(told) for o, numbers in enumerate(options)}
    apart = distances(lambda r, o: torch.tensor(found[r, o]), 3, repeats=2, weights=5)

    def cosine(a: list[float], b: list[float]) -> float:
        x, y = np.array(a[1:4]), np.array(b[1:4])
        return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))

    for a, b in product(range(3), repeat=2):
        wanted = 0 if a == b else np.mean([1 - cosine(found[r, a], found[r, b]) for r in range(2)])
        assert apart[a, b] == pytest.approx(wanted)
    assert apart[0, 2] > 1


@given(st.integers(2, 5), st.integers(0, 2**31))
def test_distances_are_symmetric_zero_on_the_diagonal_and_at_most_two(n: int, seed: int) -> None:
    drawn = torch.from_numpy(np.random.default_rng(seed).choice([0.0, -1.0, 1.0, 1e-20, 1e20], (3, n, 6)))
    apart = distances(lambda r, o: drawn[r, o], n, repeats=3, weights=6)
    assert (apart == apart.T).all()
    assert (np.diag(apart) == 0).all()
    assert ((apart >= 0) & (apart <= 2)).all()


def test_options_that_teach_nothing_are_alike_and_unlike_those_that_do() -> None:
    told = {0: [0.0, 0.0], 1: [0.0, 0.0], 2: [1.0, 1.0]}
    lively = [[1.0, 1.0]] * 3
    apart = distances(lambda r, o: torch.tensor(lively[o] if r else told[o]), 3, repeats=2, weights=2)
    assert apart[0, 1] == pytest.approx(0, abs=1e-9)
    assert apart[0, 2] == pytest.approx(0.5)


@given(st.integers(2, 6), st.data())
def test_the_partition_has_the_least_distance_within(n: int, data: st.DataObject) -> None:
    pairs = n * (n - 1) // 2
    apart = symmetric(data.draw(st.lists(st.floats(0, 2), min_size=pairs, max_size=pairs)), n)
    (first, second), across = partition(apart)
    assert sorted((*first, *second)) == list(range(n))
    assert first
    assert second

    def cut(side: tuple[bool, ...]) -> float:
        return sum(apart[a, b] for a in range(n) for b in range(a) if side[a] != side[b])

    assert across == pytest.approx(cut(tuple(o in first for o in range(n))), abs=1e-6)
    best = max(cut(side) for side in product((False, True), repeat=n))
    assert across == pytest.approx(best, abs=1e-6)


@given(st.integers(3, 6), st.data())
def test_options_that_are_the_same_stay_together(n: int, data: st.DataObject) -> None:
    """Also where the others lie on both sides of them, and another partition is as good."""
    angles = data.draw(st.lists(st.sampled_from([0.5, -0.5, 1.0, -1.0, 3.0]), min_size=n, max_size=n))
    a, b = data.draw(st.permutations(range(n)))[:2]
    angles[a] = angles[b] = 0.0
    apart = 1 - np.cos(np.subtract.outer(angles, angles))
    groups, _ = partition(apart)
    assert any({a, b} <= set(group) for group in groups)


# --- in a supernet --------------------------------------------------------------------------------------------


CHAIN = {
    "stem": {"channels": 3},
    "stages": [
        {
            "widths": [4],
            "options": [
                {"block": "plain_conv", "kernel": 3, "name": "one"},
                {"block": "pool"},
                {"block": "plain_conv", "kernel": 3, "name": "other"},
                "shift",
            ],
        },
        {"widths": [4, 6], "depths": [1, 2], "options": ["residual"]},
    ],
}


def test_two_operations_with_equal_weights_do_not_disagree_and_stay_together() -> None:
    net = build("chain", {**CHAIN, "pixel_mean": (0.3,), "pixel_std": (0.4,)})
    layer = net.chain[1]
    state = layer.state_dict()
    other = {name: state[name.replace(".2.", ".0.", 1)] for name in state if ".2." in name}
    assert other
    layer.load_state_dict({**state, **other})
    strategy, session = few_shot(net)
    before = digest(net)
    apart = disagreement(session, 0, "block1_1", strategy.config)
    assert apart[0, 2] == pytest.approx(0, abs=1e-6)
    assert apart[0, 1] > 0.01
    groups, _ = partition(apart)
    assert any({0, 2} <= set(group) for group in groups)
    assert digest(net) == before
    assert session.gradient_norms() == {}


def test_a_planted_disagreement_is_found_and_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Subnets of two of four operations, and no others, are punished for what is right."""
    net = build("chain", {**CHAIN, "pixel_mean": (0.3,), "pixel_std": (0.4,)})
    strategy, session = few_shot(net, restart="none", repeats=4)
    forward, losses, planted = Supernet.forward, SupernetSession.sample_losses, [False]
    at = net.space.position["block1_1"]

    def watched(self, x, arch, statistics=None):
        planted[0] = arch[at] in (0, 3)
        return forward(self, x, arch, statistics)

    monkeypatch.setattr(type(net), "forward", watched)
    monkeypatch.setattr(
        SupernetSession,
        "sample_losses",
        lambda self, outputs, batch: losses(self, outputs, batch) * (-1 if planted[0] else 1),
    )
    session.phase = strategy.phases(net.space)[1]
    split_by_gradients(session)
    assert isinstance(session.net, Parts)
    (found,) = session.net.config.splits
    assert (found.choice, set(map(frozenset, found.groups))) == (
        "block1_1",
        {frozenset({0, 3}), frozenset({1, 2})},
    )


def test_a_width_is_compared_by_the_slice_that_all_its_options_use(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy, session = few_shot()
    seen = {}

    def note(gradient, options, *, repeats, weights):
        seen["used"] = torch.stack([torch.stack([gradient(r, o) for o in range(options)]) for r in range(4)])
        return np.zeros((options, options))

    monkeypatch.setattr("core.training.gradient_matching.distances", note)
    disagreement(session, 0, "width1", strategy.config)
    used = (seen["used"] != 0).any(0)
    place, first = {}, 0
    for name, weight in session.net.named_parameters():
        place[name] = used[:, first : first + weight.numel()].view(2, *weight.shape)
        first += weight.numel()
    narrow, wide = place["stages.0.conv.weight"]
    assert narrow[:2].any()
    assert not narrow[2:].any()
    assert wide[2:].any()


def test_a_split_goes_on_with_weights_and_momentum_or_anew() -> None:
    for restart in ("none", "final"):
        strategy, session = few_shot(levels=1, restart=restart)
        session.train(
            [STRATEGIES.create("uniform").draws(session.space, session.phase, session.rng("x"))[0]],
            batch_of(session),
        )
        old, state = session.net, session.optimizers[WEIGHTS].state
        kept = {name: state[p]["momentum_buffer"] for name, p in old.named_parameters() if state.get(p)}
        session.phase = strategy.phases(session.space)[-1]
        split_by_gradients(session)
        assert isinstance(session.net, Parts)
        assert session.net.space == old.space
        new = session.optimizers[WEIGHTS].state
        images = torch.rand(5, 1, 8, 8)
        with torch.no_grad():
            same = torch.equal(session.net(images, old.space.largest), old(images, old.space.largest))
        assert same is (restart == "none")
        assert len(new) == (2 * len(kept) if restart == "none" else 0)
        for name, parameter in session.net.named_parameters():
            if restart == "none" and new.get(parameter):
                stages, stage, _, _, *rest = name.split(".")
                assert torch.equal(new[parameter]["momentum_buffer"], kept[".".join([stages, stage, *rest])])


def test_each_step_trains_one_subnet_of_every_part_and_passes_say_so() -> None:
    strategy, session = few_shot()
    counts = [strategy.passes(session.space, phase) for phase in strategy.phases(session.space)]
    assert counts == [1, 2, 4]
    for phase, count in zip(strategy.phases(session.space), counts, strict=True):
        session.phase = phase
        for name in phase.actions:
            assert name == "split_by_gradients"
            split_by_gradients(session)
        session.drawn.clear()
        before = session.passes
        strategy.step(session, batch_of(session))
        parts = [session.net.parts.of(arch) if count > 1 else 0 for arch, _ in session.drawn]
        assert parts == list(range(int(count)))
        assert session.passes - before == pytest.approx(count / 2)
    # Every line of descent is split by different choices.
    assert all(len(own) == 2 for own in parts_of(session.net))
    sizes = np.bincount([session.net.parts.of(a) for a in session.space.array().tolist()])
    assert sizes.sum() == session.space.size
    assert sizes.min() > 0


def test_a_choice_is_split_once_in_a_line_of_descent(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy, session = few_shot(restart="none")
    far = {"width1": 2.0, "depth2": 1.0}
    monkeypatch.setattr(
        "core.training.strategies.few_shot.disagreement",
        lambda session, part, name, settings: symmetric([far.get(name, 0.1)], 2),
    )
    for phase in strategy.phases(session.space)[1:]:
        session.phase = phase
        split_by_gradients(session)
    assert [split.choice for split in session.net.config.splits] == ["width1", "depth2", "depth2"]


def test_a_space_without_choices_to_split_by_is_trained_whole() -> None:
    strategy = STRATEGIES.create("few_shot")
    assert [p.name for p in strategy.phases(type(fresh_net().space)([]))] == ["whole"]


def test_other_data_and_supernets_in_parts_are_refused() -> None:
    with pytest.raises(InvalidInput, match="in parts already"):
        few_shot(split(fresh_net(), [SplitConfig(choice="width1", groups=((0,), (1,)))]))
    data = load_dataset("generated_graph", nodes=200, calibration=32, labels=8)
    net = ElasticGCN(ElasticGCN.Config.model_validate(task_of(data).settings_from(data)))
    strategy = STRATEGIES.create("few_shot")
    with pytest.raises(InvalidInput, match="for images"):
        SupernetSession(net, data, settings(augmentation={}), strategy, strategy.phases(net.space)[0])
