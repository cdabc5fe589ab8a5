"""Removal and shrinkage by policy gradient: the reward's shape, credit to the right layer, weights of the first stage."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InvalidInput
from core.records import Measurement, Objective, Source
from core.search import ALGORITHMS, Problem
from core.search.n2n import N2N, largest, removable, reward
from core.search.policy import Heads
from core.spaces import Choice, SearchSpace
from core.spaces.cell_string import cell_space
from tests.helpers.planted import COST, QUALITY, Planted, large_space, small_space

ACCURACY = Objective("accuracy", "", "", True, Source.MEASURED, "")
# Eight layers that can be there or not, and as many widths.
LAYERS = SearchSpace(
    [Choice(f"layer{i}", (0, 1), "depth") for i in range(8)]
    + [Choice(f"width{i}", (4, 8, 16), "width") for i in range(3)]
)


def build(space: SearchSpace, seed: int = 0, objectives: tuple[Objective, ...] = (QUALITY, COST)) -> N2N:
    made = ALGORITHMS.create("n2n", problem=Problem(space, objectives), seed=seed)
    assert isinstance(made, N2N)
    return made


def test_the_reward_rises_with_what_is_saved_and_less_and_less() -> None:
    assert reward(1.0, [0.0]) == 0
    assert reward(1.0, [0.5]) == 0.75
    assert reward(1.0, [0.9]) == pytest.approx(0.99)
    steps = np.diff([reward(0.8, [c]) for c in np.linspace(0, 1, 11)])
    assert (steps > 0).all()
    assert (np.diff(steps) < 0).all()


def test_the_policy_learns_to_remove_the_one_layer_that_is_paid_for() -> None:
    likeliest, others = [], []
    for seed in range(6):
        heads, rng = Heads([2] * 8, 1, 0.1), np.random.default_rng(seed)
        for _ in range(60):
            rollouts = [[heads.draw(i, (0.0,), rng) for i in range(8)] for _ in range(5)]
            paid = np.array([float(r[3].option) for r in rollouts])
            heads.learn(rollouts, (paid - paid.mean()).tolist())
        chances = [heads.probabilities(i, (0.0,))[1] for i in range(8)]
        likeliest.append(chances.pop(3))
        others += chances
    assert np.mean(likeliest) > 0.9
    assert abs(np.mean(others) - 0.5) < 0.12


def test_within_a_search_the_layer_that_costs_much_and_gives_nothing_goes() -> None:
    algorithm = build(LAYERS, objectives=(ACCURACY, COST))

    def measured(arch: tuple[int, ...]) -> Measurement:
        # Layer 2 is half of all the cost; every other one is worth its accuracy.
        accuracy = 0.5 + 0.06 * sum(kept for i, kept in enumerate(arch[:8]) if i != 2)
        return Measurement(arch, {"accuracy": accuracy, "cost": 4.0 + 4.0 * arch[2]})

    while algorithm._stage == 0:
        algorithm.tell([measured(arch) for arch in algorithm.ask(5)])
    chances = dict(
        zip([layer.choice for layer in algorithm._layers], algorithm.removal_probabilities(), strict=True)
    )
    assert max(chances, key=lambda layer: chances[layer]) == 2
    assert algorithm._start[2] == 0
    # The second policy leaves removed what the first removed.
    assert all(algorithm._shrunk().arch[:8] == algorithm._start[:8] for _ in range(20))


def test_students_come_from_the_largest_subnet_and_widths_wait_for_the_second_stage() -> None:
    algorithm = build(LAYERS)
    teacher, *students = algorithm.ask(12)
    assert teacher == largest(LAYERS) == (1,) * 8 + (2,) * 3
    assert all(arch[8:] == (2, 2, 2) for arch in students)
    assert len({arch[:8] for arch in students}) > 5


def test_a_depth_loses_its_last_layers_first() -> None:
    algorithm = build(large_space(5))
    depth = [layer.option for layer in removable(large_space(5)) if layer.choice == 0]
    assert depth == [2, 1, 0]
    algorithm.ask(4)
    students = [arch for arch, rollout in algorithm._coming.items() if rollout.decisions]
    assert students
    for arch in students:
        assert arch[1:] == tuple(
            2 if algorithm.space.is_active(arch, name) else 0 for name in algorithm.space.names[1:]
        )


def test_in_a_cell_space_what_is_removed_becomes_a_skip() -> None:
    algorithm = build(cell_space())
    assert {arch for row in algorithm.ask(12) for arch in row} == {1, 4}


def test_a_space_without_an_order_or_ends_is_refused() -> None:
    space = SearchSpace([Choice("operation", ("conv", "pool"), ordinal=False)])
    with pytest.raises(InvalidInput, match="N2N removes and shrinks layers"):
        build(space)
    assert build(small_space()).ask(3)


def test_parameters_count_where_they_are_counted() -> None:
    planted = Planted(LAYERS)
    problem = Problem(LAYERS, (QUALITY,), counted=lambda rows: {"params": rows.sum(axis=1).astype(float)})
    algorithm = ALGORITHMS.create("n2n", problem=problem, seed=0)
    assert isinstance(algorithm, N2N)
    teacher, student = algorithm.teacher, (1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1)
    algorithm.tell(planted.measure([teacher, student]))
    relative = planted.values(student)["quality"] / planted.values(teacher)["quality"]
    assert algorithm.reward(student) == pytest.approx(relative * 0.75)
    assert algorithm.reward(teacher) == 0
