"""What a search costs besides measuring: CPU time per evaluation of every algorithm, against pymoo's own.

Claims: asking and telling costs NSGA-II less than 0.2 ms of CPU time per evaluation, and though it
never asks twice and keeps architectures canonical, about what pymoo's costs through its own
ask/tell (at most half more); the front of 100,000 points takes less than 50 ms, the MACs of 100,000
architectures less than 100 ms. Times are medians of alternating
runs in one process, with the dummy evaluator's time left out; the ratios are what to compare.
Algorithms that learn between batches cost more, once more for them (the shortest budget, one run).

    python benchmarks/search_overhead.py [algorithms, by commas]
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
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

from core.library import supernets
from core.pareto import non_dominated
from core.records import Measurement, Objective, Source
from core.search import ALGORITHMS, Problem
from core.spaces import Choice, SearchSpace

CHOICES, OPTIONS, POPULATION = 45, 3, 50
BUDGETS = (250, 1000)
ROUNDS = 5
LIMIT_MS = 0.2
LEARNING_MS = 2.0
"""An algorithm above it is run once."""
FRONT_MS, MACS_MS = 50.0, 100.0
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
    fields = ALGORITHMS.get(name).Config.model_fields
    config = {"population": POPULATION} if "population" in fields else {}
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
    names = sys.argv[1].split(",") if len(sys.argv) > 1 else ALGORITHMS.names()
    searchers: dict[str, Callable[[int, int], float]] = {
        name: lambda budget, seed, name=name: ours(name, budget, seed) for name in {*names, "nsga2"}
    }
    searchers["pymoo NSGA2"] = pymoo_nsga2
    print(f"{SPACE.size:.1e} architectures, 2 objectives; CPU ms per evaluation, median of {ROUNDS} runs")
    learning = {}
    for name, search in sorted(searchers.items()):
        search(100, 0)  # imports and first-call costs
        once = search(BUDGETS[0], 0) / BUDGETS[0] * 1e3
        if once > LEARNING_MS:
            learning[name] = once
    print(f"{'':24}" + "".join(f"{f'n={budget}':>12}{'/ pymoo':>9}" for budget in BUDGETS))
    quick = {name: search for name, search in searchers.items() if name not in learning}
    table: dict[str, list[tuple[float, float]]] = {name: [] for name in quick}
    for budget in BUDGETS:
        times: dict[str, list[float]] = {name: [] for name in quick}
        for seed in range(ROUNDS):  # alternating, so that a busy moment hits all alike
            for name, search in quick.items():
                times[name].append(search(budget, seed) / budget * 1e3)
        reference = statistics.median(times["pymoo NSGA2"])
        for name, values in times.items():
            table[name].append((statistics.median(values), statistics.median(values) / reference))
    for name, cells in sorted(table.items()):
        print(f"{name:24}" + "".join(f"{ms:12.4f}{ratio:9.2f}" for ms, ratio in cells))
    for name, once in learning.items():
        print(f"{name:24}{once:12.4f}{once / table['pymoo NSGA2'][0][0]:9.0f}  (one run)")
    return verdict(table, front_ms(), macs_ms())


def front_ms() -> float:
    """Milliseconds for the front of 100,000 points in two objectives, median."""
    points = np.random.default_rng(0).random((100_000, 2))
    return _median_ms(lambda: non_dominated(points, maximize=[False, False]))


def macs_ms() -> float:
    """Milliseconds for the MACs of 100,000 architectures of digits-cnn, median."""
    entry = supernets.find(None, "digits-cnn")
    rows = entry.space.sample_array(100_000, np.random.default_rng(0))
    return _median_ms(lambda: supernets.counted(entry, rows, "macs"))


def _median_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(1 + ROUNDS):
        start = time.process_time()
        work()
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times[1:])


def verdict(table: dict[str, list[tuple[float, float]]], front: float, macs: float) -> int:
    """Say which claims hold."""
    own = max(ms for ms, _ in table["nsga2"])
    claims = {
        f"NSGA-II costs {own:.2f} ms per evaluation, below {LIMIT_MS}": own < LIMIT_MS,
        f"and at most {MOST_OVER_PYMOO} times pymoo's": all(r <= MOST_OVER_PYMOO for _, r in table["nsga2"]),
        f"the front of 100,000 points takes {front:.0f} ms, below {FRONT_MS:.0f}": front < FRONT_MS,
        f"the MACs of 100,000 architectures take {macs:.0f} ms, below {MACS_MS:.0f}": macs < MACS_MS,
    }
    for claim, holds in claims.items():
        print(f"{claim}: {'yes' if holds else 'NO'}")
    return int(not all(claims.values()))


if __name__ == "__main__":
    raise SystemExit(main())
