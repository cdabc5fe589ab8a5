"""How often what is drawn: against the declared distribution, by chi-square."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from core.errors import InvalidInput
from core.spaces import Choice, SearchSpace
from core.training.strategies import LABELS, STRATEGIES, Phase, Term
from core.training.strategies.base import epochs_of
from tests.helpers.nets import small_cnn
from tests.training.small import digits, fresh_net, one_step, weights

SPACE = small_cnn().space
N = 3000
# One false alarm in ten thousand; the seed is fixed, so it either fires or it does not.
LEAST_P = 1e-4


def p_of(counts: list[int]) -> float:
    return float(chisquare(counts).pvalue)


@pytest.mark.parametrize(("name", "skip"), [("uniform", 0), ("sandwich", 2)])
def test_every_option_of_every_choice_is_equally_likely(name: str, skip: int) -> None:
    """Choices that a shallow subnet does not have are counted where it has them."""
    strategy, rng = STRATEGIES.create(name), np.random.default_rng(0)
    phase = strategy.phases(SPACE)[0]
    archs = [d.arch for _ in range(N) for d in strategy.draws(SPACE, phase, rng)[skip:]]
    for choice in SPACE.choices:
        at = SPACE.position[choice.name]
        found = [arch[at] for arch in archs if SPACE.is_active(arch, choice.name)]
        assert p_of(np.bincount(found, minlength=len(choice.options)).tolist()) > LEAST_P


def test_the_chi_square_notices_a_lopsided_draw() -> None:
    rng = np.random.default_rng(0)
    assert p_of(np.bincount((rng.random(N) < 0.45).astype(int), minlength=2).tolist()) < LEAST_P


@pytest.mark.parametrize(
    ("distillation", "losses"),
    [
        ("soft labels", ["distill_largest"]),
        ("alpha-divergence", ["alpha_divergence"]),
        ("features", ["distill_largest", "feature"]),
        ("relations", ["distill_largest", "relation"]),
    ],
)
def test_the_sandwich_rule_distils_as_it_is_asked_and_steps_so(distillation: str, losses: list[str]) -> None:
    strategy = STRATEGIES.create("sandwich", {"distillation": distillation})
    net = fresh_net()
    largest, *others = strategy.draws(net.space, Phase("all"), np.random.default_rng(0))
    assert largest.losses == LABELS
    assert all([term.loss for term in draw.losses] == losses for draw in others)
    one_step(net, digits(32), strategy="sandwich", strategy_config={"distillation": distillation})
    assert all(np.isfinite(tensor).all() for tensor in weights(net).values())


def test_sandwich_draws_the_largest_the_smallest_and_as_many_others_as_asked() -> None:
    for n in (0, 1, 5):
        strategy = STRATEGIES.create("sandwich", {"n_random": n})
        draws = strategy.draws(SPACE, Phase("all"), np.random.default_rng(0))
        assert [d.arch for d in draws[:2]] == [SPACE.largest, SPACE.smallest]
        assert len(draws) == n + 2
        assert [d.losses for d in draws] == [LABELS] + [(Term("distill_largest"),)] * (n + 1)


def test_largest_alone_draws_nothing_else() -> None:
    strategy, rng = STRATEGIES.create("largest_alone"), np.random.default_rng(0)
    draws = [strategy.draws(SPACE, Phase("all"), rng) for _ in range(5)]
    assert [[(d.arch, d.losses) for d in each] for each in draws] == [[(SPACE.largest, LABELS)]] * 5


def test_sorted_net_draws_every_nested_subnet_equally_often() -> None:
    strategy, rng = (
        STRATEGIES.create("sorted_net", {"n_nested": 4, "accumulate": 3}),
        np.random.default_rng(0),
    )
    space = SearchSpace([Choice("width", (1, 2, 3, 4)), Choice("depth", (1, 2, 3, 4))])
    chain = strategy.nested(space)
    drawn = [d.arch for _ in range(N // 3) for d in strategy.draws(space, Phase("all"), rng)]
    assert set(drawn) == set(chain) == {(i, i) for i in range(4)}
    assert p_of([drawn.count(arch) for arch in chain]) > LEAST_P


def test_progressive_shrinking_unlocks_kernels_then_depths_then_widths() -> None:
    space = SearchSpace(
        [
            Choice("channels", (4, 8, 16), "width"),
            Choice("blocks", (1, 2), "depth"),
            Choice("first", (3, 5, 7), "kernel"),
            Choice("second", (3, 5, 7), "kernel", requires=("blocks", (1,))),
        ]
    )
    strategy = STRATEGIES.create("progressive_shrinking")
    phases = strategy.phases(space)
    unlocked = [tuple(p.unlocked[n] for n in ("first", "blocks", "channels")) for p in phases]
    assert unlocked == [
        ((2,), (1,), (2,)),
        ((1, 2), (1,), (2,)),
        ((0, 1, 2), (1,), (2,)),
        ((0, 1, 2), (0, 1), (2,)),
        ((0, 1, 2), (0, 1), (1, 2)),
        ((0, 1, 2), (0, 1), (0, 1, 2)),
    ]
    # Channels once, before the first width: later the prefixes that are already trained must stay where they are.
    assert [p.actions for p in phases] == [(), ("freeze_teacher",), (), (), ("sort_channels",), ()]
    assert [p.draws for p in phases] == [1, 1, 1, 2, 4, 4]
    rng = np.random.default_rng(0)
    assert {d.arch for d in strategy.draws(space, phases[0], rng)} == {space.largest}
    assert all(d.losses == LABELS for d in strategy.draws(space, phases[0], rng))
    taught = (Term("labels"), Term("distill_teacher"))
    assert all(d.losses == taught for d in strategy.draws(space, phases[4], rng))


def test_progressive_shrinking_leaves_the_resolution_free_from_the_start() -> None:
    space = SearchSpace([Choice("side", (6, 8), "resolution"), Choice("ratio", (3, 4), "ratio")])
    strategy = STRATEGIES.create("progressive_shrinking")
    phases = strategy.phases(space)
    assert [dict(p.unlocked) for p in phases] == [{"ratio": (1,)}, {"ratio": (0, 1)}]
    assert phases[1].actions == ("sort_channels", "freeze_teacher")
    drawn = [strategy.draws(space, phases[0], np.random.default_rng(seed))[0].arch for seed in range(12)]
    assert set(drawn) == {(0, 1), (1, 1)}


def test_progressive_shrinking_has_no_phase_that_unlocks_nothing() -> None:
    space = SearchSpace([Choice("blocks", (1,), "depth"), Choice("channels", (4, 8), "width")])
    phases = STRATEGIES.create("progressive_shrinking").phases(space)
    assert [p.name for p in phases] == ["full network", "widths, all"]
    only = STRATEGIES.create("progressive_shrinking").phases(SearchSpace([Choice("blocks", (1,), "depth")]))
    assert [p.share for p in only] == [1.0]


def test_fewer_epochs_than_phases_are_refused_in_one_sentence() -> None:
    phases = [Phase("a", 0.1), Phase("b", 0.9)]
    assert epochs_of(phases, 2) == [1, 1]
    assert epochs_of(phases, 12) == [2, 10]
    with pytest.raises(InvalidInput, match="2 phases; give it at least 2 epochs"):
        epochs_of(phases, 1)
