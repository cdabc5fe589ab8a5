"""The space of the LINAS card: 45 choices with three options each, 250 evaluations, five seeds."""

from __future__ import annotations

from functools import cache

import numpy as np

from core.pareto import hypervolume
from core.search import ALGORITHMS, Problem
from tests.helpers.planted import COST, QUALITY, Planted, flat_space

PLANTED = Planted(flat_space(45))
SEEDS, BUDGET = 5, 250


@cache
def mean_volume(name: str) -> float:
    """Hypervolume after the budget, mean over the seeds."""
    problem = Problem(PLANTED.space, (QUALITY, COST), counted=PLANTED.counted)
    volumes = []
    for seed in range(SEEDS):
        search = ALGORITHMS.create(name, problem=problem, seed=seed)
        values: list[list[float]] = []
        while len(values) < BUDGET:
            measured = PLANTED.measure(search.ask(min(search.batch_size, BUDGET - len(values))))
            search.tell(measured)
            values += [[m.values["quality"], m.values["cost"]] for m in measured]
        volumes.append(hypervolume(values, PLANTED.reference, maximize=[True, False]))
    return float(np.mean(volumes))


def test_nsga2_is_not_below_random_search() -> None:
    assert PLANTED.space.size == 3**45
    assert mean_volume("nsga2") >= mean_volume("random_search")
