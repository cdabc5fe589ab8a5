"""Adaptive mutation: it learns which choices matter, and without learning it is uniform mutation."""

from __future__ import annotations

import numpy as np

from core.records import Measurement
from core.search import ALGORITHMS, Problem
from core.search.hhnas_am import AdaptiveMutation, choice_groups
from core.spaces import Arch, Choice, SearchSpace
from tests.helpers.planted import QUALITY, Planted, flat_space, large_space, small_space

# Eight choices that one condition switches on matter together; seven others change nothing.
_ON = ("always", (0,))
BIASED = SearchSpace(
    [Choice(f"idle{i}", tuple(range(6))) for i in range(7)]
    + [Choice("always", (1,))]
    + [Choice(f"matters{i}", tuple(range(36)), requires=_ON) for i in range(8)]
)
TARGET = np.array([7, 33, 19, 2, 26, 11, 30, 5])


def build(space: SearchSpace, seed: int = 0, **settings: float) -> AdaptiveMutation:
    made = ALGORITHMS.create("hhnas_am", settings, problem=Problem(space, (QUALITY,)), seed=seed)
    assert isinstance(made, AdaptiveMutation)
    return made


def drive(algorithm: AdaptiveMutation, budget: int) -> list[Arch]:
    asked: list[Arch] = []
    while len(asked) < budget:
        archs = algorithm.ask(algorithm.batch_size)
        algorithm.tell([Measurement(arch, {"quality": _quality(arch)}) for arch in archs])
        asked += archs
    return asked


def _quality(arch: Arch) -> float:
    return -float(np.abs(np.array(arch[-8:]) - TARGET).sum())


def test_groups_are_what_one_condition_switches_on_and_every_other_choice_alone() -> None:
    assert choice_groups(small_space()) == ((0,), (1,), (2,), (3,), (4,))
    assert choice_groups(large_space(4)) == ((0,), (1,), (2,), (3,), (4,), (5, 6), (7, 8))


def test_the_group_that_matters_becomes_the_likeliest() -> None:
    algorithms = [build(BIASED, seed, walkers=1) for seed in range(8)]
    for algorithm in algorithms:
        drive(algorithm, 200)
    chances = np.array([algorithm.probabilities() for algorithm in algorithms])
    assert (chances.argmax(axis=1) == 7).sum() >= 7


def test_finds_better_ones_than_uniform_mutation_over_twenty_seeds() -> None:
    def best(adaptive: bool) -> float:
        algorithms = [build(BIASED, seed, walkers=1, adaptive=adaptive) for seed in range(20)]
        return float(np.mean([max(map(_quality, drive(algorithm, 60))) for algorithm in algorithms]))

    assert best(True) > best(False)


def test_without_learning_it_is_uniform_mutation_step_for_step() -> None:
    frozen = drive(build(BIASED, 3, learning_rate=0), 150)
    assert frozen == drive(build(BIASED, 3, adaptive=False), 150)
    assert frozen != drive(build(BIASED, 3), 150)


def test_no_choice_of_a_block_that_is_not_there_is_ever_set() -> None:
    planted = Planted(large_space(6))
    algorithm = build(planted.space)
    for _ in range(30):
        archs = algorithm.ask(8)
        rows = np.array(archs, np.uint8)
        assert (rows[~planted.space.active(rows)] == 0).all()
        algorithm.tell(planted.measure(archs))


def test_chances_are_clipped_and_add_up() -> None:
    algorithm = build(flat_space(4), walkers=2, temperature=0.001)
    planted = Planted(algorithm.space)
    for _ in range(12):
        algorithm.tell(planted.measure(algorithm.ask(2)))
    chances = algorithm.probabilities()
    assert chances.sum() == 1 or abs(chances.sum() - 1) < 1e-12
    assert chances.min() >= 0.05 / (0.95 + 3 * 0.05) - 1e-12
