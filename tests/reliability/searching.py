"""A process that searches planted spaces with one algorithm after the other, and goes on where another was killed.

    python -m tests.reliability.searching HOME BUDGET ALGORITHM...

Each algorithm is a run of the store in HOME. Whatever is measured is written down outside the store first, a line each,
so that what was measured twice is known whatever the store says.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.pareto import Constraint
from core.records import Measurement
from core.search import ALGORITHMS, Problem, SearchAlgorithm
from core.spaces import Arch
from core.store import RunStore
from core.workflows.search_front import Request, search
from tests.helpers.planted import COST, QUALITY, Planted, large_space

MEASURED = "measured"
SECONDS = 0.002
# One bound that is known beforehand, one that only measuring shows.
BOUNDS = (Constraint("cost", upper=22.0), Constraint("quality", lower=5.0))


def config_of(name: str) -> dict[str, Any]:
    """Small populations, so that a short search has several generations."""
    return {"population": 8} if "population" in ALGORITHMS.get(name).Config.model_fields else {}


class InSmallBatches:
    """An algorithm that is asked for a few at a time, so that something is stored before a search is at its end."""

    def __init__(self, algorithm: SearchAlgorithm) -> None:
        self._algorithm = algorithm

    def __getattr__(self, name: str) -> Any:
        return getattr(self._algorithm, name)

    @property
    def batch_size(self) -> int:
        return min(8, self._algorithm.batch_size)


def work(home: Path, budget: int, names: Sequence[str]) -> None:
    """Search with every algorithm whose run is not at its end."""
    planted = Planted(large_space())
    problem = Problem(planted.space, (QUALITY, COST), BOUNDS, planted.counted)
    with RunStore(f"sqlite:///{home / 'searches.db'}", home) as store:
        runs = {run.title: run.run_id for run in store.list_runs()}
        for name in names:
            run_id = runs.get(name) or store.create_run("search_front", {}, title=name)
            ledger = store.ledger(run_id)
            if ledger.artifacts():
                continue

            def measure(archs: Sequence[Arch], name: str = name) -> Iterator[Measurement]:
                for measurement in planted.measure(archs):
                    time.sleep(SECONDS)
                    _note(home, name)
                    yield measurement

            algorithm: Any = InSmallBatches(
                ALGORITHMS.create(name, config_of(name), problem=problem, seed=11)
            )
            for _ in search(Request(supernet="planted", budget=budget), algorithm, measure, {}, ledger):
                pass


def _note(home: Path, name: str) -> None:
    descriptor = os.open(home / MEASURED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{name}\n".encode())
    os.close(descriptor)


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
