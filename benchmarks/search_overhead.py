"""What a search costs besides measuring: CPU time per evaluation of every algorithm, against pymoo's own.

Claim: asking and telling costs less than 0.2 ms of CPU time per evaluation, and NSGA-II that
never asks twice and keeps architectures canonical costs about what pymoo's does through its own
ask/tell (at most half more). Times are medians of alternating
runs in one process, with the dummy evaluator's time left out; the ratios are what to compare.

    python benchmarks/search_overhead.py
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.evaluator import Evaluator
from pymoo.core.problem import Problem as PymooProblem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.problems.static import StaticProblem

from core.records import Measurement, Objective, Source
from core.search import ALGORITHMS, Problem
from core.spaces import Choice, SearchSpace

CHOICES, OPTIONS, POPULATION = 45, 3, 50
BUDGETS = (250, 1000)
ROUNDS = 5
LIMIT_MS = 0.2
MOST_OVER_PYMOO = 1.5

OBJECTIVES = (
    Objective("quality", "Quality", "", True, Source.MEASURED, ""),
    Objective("cost", "Cost", "", False, Source.COUNTED, ""),
)
SPACE = SearchSpace([Choice(f"choice{i}", tuple(range(OPTIONS))) for i in range(CHOICES)])
_rng = np.random.default_rng(0)
QUALITY = _rng.random((CHOICES, OPTIONS))
COST = _rng.random((CHOICES, OPTIONS)).cumsum(axis=1)


def dummy(rows: np.ndarray) -> np.ndarray:
    """(n, 2) quality and cost of (n, d) option indices."""
    columns = np.arange(CHOICES)
    return np.stack([QUALITY[columns, rows].sum(1), COST[columns, rows].sum(1)], axis=1)


def ours(name: str, budget: int, seed: int) -> float:
    """CPU seconds in ask and tell."""
    config = {"population": POPULATION} if name == "nsga2" else {}
    start = time.process_time()
    algorithm = ALGORITHMS.create(name, config, problem=Problem(SPACE, OBJECTIVES), seed=seed)
    spent, done = time.process_time() - start, 0
    while done < budget:
        start = time.process_time()
        archs = algorithm.ask(min(algorithm.batch_size, budget - done))
        spent += time.process_time() - start
        values = dummy(np.array(archs)).tolist()
        measured = [
            Measurement(a, {"quality": q, "cost": c}) for a, (q, c) in zip(archs, values, strict=True)
        ]
        start = time.process_time()
        algorithm.tell(measured)
        spent += time.process_time() - start
        done += len(archs)
    return spent


def pymoo_nsga2(budget: int, seed: int) -> float:
    """CPU seconds in pymoo's ask and tell, with the operators its users take for integers."""
    start = time.process_time()
    problem = PymooProblem(n_var=CHOICES, n_obj=2, xl=0, xu=OPTIONS - 1, vtype=int)
    algorithm = NSGA2(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=0.9, eta=15, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob_var=0.02, eta=20, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    algorithm.setup(problem, termination=("n_eval", budget), seed=seed, verbose=False)
    spent, done = time.process_time() - start, 0
    while done < budget:
        start = time.process_time()
        asked = algorithm.ask()
        rows = asked.get("X").astype(int)
        spent += time.process_time() - start
        values = dummy(rows)
        start = time.process_time()
        Evaluator().eval(StaticProblem(problem, F=values * [-1, 1]), asked)
        algorithm.tell(infills=asked)
        spent += time.process_time() - start
        done += len(rows)
    return spent


def main() -> int:
    """Print milliseconds per evaluation and ratios; the exit status is 1 if a claim fails."""
    searchers: dict[str, Callable[[int, int], float]] = {
        name: lambda budget, seed, name=name: ours(name, budget, seed) for name in ALGORITHMS.names()
    }
    searchers["pymoo NSGA2"] = pymoo_nsga2
    for search in searchers.values():
        search(100, 0)  # imports and first-call costs
    print(f"{SPACE.size:.1e} architectures, 2 objectives; CPU ms per evaluation, median of {ROUNDS} runs")
    print(f"{'':16}" + "".join(f"{f'n={budget}':>12}{'/ pymoo':>9}" for budget in BUDGETS))
    table: dict[str, list[tuple[float, float]]] = {name: [] for name in searchers}
    for budget in BUDGETS:
        times: dict[str, list[float]] = {name: [] for name in searchers}
        for seed in range(ROUNDS):  # alternating, so that a busy moment hits all alike
            for name, search in searchers.items():
                times[name].append(search(budget, seed) / budget * 1e3)
        reference = statistics.median(times["pymoo NSGA2"])
        for name, values in times.items():
            table[name].append((statistics.median(values), statistics.median(values) / reference))
    for name, cells in table.items():
        print(f"{name:16}" + "".join(f"{ms:12.4f}{ratio:9.2f}" for ms, ratio in cells))
    return verdict(table)


def verdict(table: dict[str, list[tuple[float, float]]]) -> int:
    """Say which claims hold."""
    slow: Sequence[str] = [
        n for n, cells in table.items() if n in ALGORITHMS.names() and max(c[0] for c in cells) > LIMIT_MS
    ]
    lean = all(ratio <= MOST_OVER_PYMOO for _, ratio in table["nsga2"])
    print(f"below {LIMIT_MS} ms per evaluation: {'yes' if not slow else 'NO: ' + ', '.join(slow)}")
    print(f"NSGA-II costs at most {MOST_OVER_PYMOO} times pymoo's: {'yes' if lean else 'NO'}")
    return int(bool(slow) or not lean)


if __name__ == "__main__":
    raise SystemExit(main())
