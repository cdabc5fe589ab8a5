"""One search of another package on a table, run in that package's own environment; knows nothing of this project.

    python benchmarks/peers_worker.py TABLE.npz PEER SEED BUDGET OUT.json

TABLE holds `rows` (n, d) option indices in canonical form, `costs` (n, 2) to minimize, `sizes` (d,) options per choice, and
`parents` (d, 37): the choice that decides whether each matters (-1 for none) and the options of it that make it matter.
OUT gets the values of everything evaluated in order, repeats included, for so these packages are used, and the computing
seconds of the package itself.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

POPULATION = 50


class Table:
    """Looks architectures up; counts what is asked for and the time that takes."""

    def __init__(self, path: str) -> None:
        data = np.load(path)
        self.sizes = data["sizes"]
        self._parents = data["parents"]
        self._of = {
            tuple(row): cost for row, cost in zip(data["rows"].tolist(), data["costs"].tolist(), strict=True)
        }
        self.asked: list[list[float]] = []
        self.seconds = 0.0

    def __call__(self, rows: Any) -> np.ndarray:
        began = time.process_time()
        costs = [self._of[self._canonical(row)] for row in np.asarray(rows).round().astype(int).tolist()]
        self.asked += costs
        self.seconds += time.process_time() - began
        return np.array(costs)

    def _canonical(self, row: list[int]) -> tuple[int, ...]:
        for index, (parent, *allowed) in enumerate(self._parents):
            if parent >= 0 and not allowed[row[parent]]:
                row[index] = 0
        return tuple(row)


def pymoo_nsga2(table: Table, seed: int, budget: int) -> None:
    """pymoo's NSGA-II through its own ask and tell, with the operators its users take for integers."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.evaluator import Evaluator
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.problems.static import StaticProblem

    problem = Problem(n_var=len(table.sizes), n_obj=2, xl=0, xu=table.sizes - 1, vtype=int)
    algorithm = NSGA2(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=0.9, eta=15, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob_var=0.02, eta=20, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    algorithm.setup(problem, termination=("n_eval", 10**9), seed=seed, verbose=False)
    while len(table.asked) < budget:
        asked = algorithm.ask()
        Evaluator().eval(StaticProblem(problem, F=table(asked.get("X"))), asked)
        algorithm.tell(infills=asked)


def optuna_nsga2(table: Table, seed: int, budget: int) -> None:
    """Optuna's NSGA-II through its own ask and tell."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    ranges = {f"x{i}": optuna.distributions.IntDistribution(0, int(n) - 1) for i, n in enumerate(table.sizes)}
    while len(table.asked) < budget:
        trial = study.ask(ranges)
        study.tell(trial, table([[trial.params[name] for name in ranges]])[0].tolist())


def _dynast_modules() -> None:
    """Make parts of the package importable without its front door, which loads fairseq."""
    import importlib.util

    found = importlib.util.find_spec("dynast")
    assert found is not None
    package = types.ModuleType("dynast")
    package.__path__ = list(found.submodule_search_locations or ())
    sys.modules["dynast"] = package


def linas(table: Table, seed: int, budget: int) -> None:
    """DyNAS-T's LINAS: its encoding, predictors and inner evolution, in the loop of its `LINAS.search`.

    The loop is written out here because the module it stands in imports every supernet the package knows, and with
    them fairseq and torchvision.
    """
    _dynast_modules()
    from dynast.predictors.predictor_manager import PredictorManager  # type: ignore[import-not-found]
    from dynast.search.encoding import EncodingBase  # type: ignore[import-not-found]
    from dynast.search.evolutionary import EvolutionaryManager  # type: ignore[import-not-found]
    from pymoo.core.problem import Problem

    np.random.seed(seed)
    choices = {f"x{i}": {"count": 1, "vars": list(range(int(n)))} for i, n in enumerate(table.sizes)}
    encoding = EncodingBase(choices, seed=seed)
    lines = ["subnet,date,first,second\n"]
    population = [encoding.random_sample() for _ in range(POPULATION)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.csv"
        for loop in range(round(budget / POPULATION)):
            for row, (first, second) in zip(population, table(population).tolist(), strict=True):
                lines.append(f'"{encoding.translate2param(list(row))}",now,{first!r},{second!r}\n')
            path.write_text("".join(lines))
            predictors = [
                PredictorManager(str(path), encoding, name, ["first", "second"]).train_predictor()
                for name in ("first", "second")
            ]

            class Guessed(Problem):
                def __init__(self, predictors: list[Any] = predictors) -> None:
                    super().__init__(n_var=len(table.sizes), n_obj=2, xl=0, xu=table.sizes - 1, vtype=int)
                    self._predictors = predictors

                def _evaluate(self, x: Any, out: dict[str, Any], *_: Any, **__: Any) -> None:
                    hot = np.array([encoding.onehot_generic(row) for row in x.round().astype(int).tolist()])
                    out["F"] = np.column_stack([p.predict(hot) for p in self._predictors])

            manager = EvolutionaryManager(algorithm="nsga2", seed=seed + loop, n_obj=2)
            manager.configure_nsga2(population=POPULATION, num_evals=20_000)
            population = np.rint(manager.run_search(Guessed()).pop.get("X")).astype(int).tolist()


PEERS: dict[str, Callable[[Table, int, int], None]] = {
    "pymoo NSGA-II": pymoo_nsga2,
    "Optuna NSGA-II": optuna_nsga2,
    "DyNAS-T LINAS": linas,
}


def main() -> None:
    """Search and write what was found."""
    path, peer, seed, budget, out = sys.argv[1:]
    table = Table(path)
    if PEERS[peer] is not linas:  # imports and first-call costs, which are nothing beside its fits
        PEERS[peer](table, 0, 2 * POPULATION)
        table.asked, table.seconds = [], 0.0
    began = time.process_time()
    PEERS[peer](table, int(seed), int(budget))
    own = time.process_time() - began - table.seconds
    Path(out).write_text(json.dumps({"costs": table.asked, "own": own}))


if __name__ == "__main__":
    main()
