"""Beside us on the same tables, from their own packages in their own environment: who finds how much, at what cost.

    python benchmarks/search_peers.py [--spaces digits-cnn,macro] [--seeds 10] [--budget 500] [--tables FOLDER]
                                      [--peers pymoo,optuna,dynast] [--algorithms nsga2,linas] [--out table.md]

Builds an environment in the cache folder once (pymoo, Optuna; with `dynast` DyNAS-T's LINAS with its own predictors and
inner evolution: without its dependencies on fairseq and torchvision, which do not install beside a current torch) and
searches the tables of `benchmarks/search.py` there and here. Printed: share of the exact front's hypervolume after 50, 100,
250 and 500 evaluations, mean over seeds with least and most, and the searcher's own computing time per evaluation. A peer's
repeats count as evaluations, for it evaluates them again. What fails to install or to run is said in a sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.search import EVALUATIONS, Ends, Scale, at_evaluations, searched, spread
from benchmarks.search_spaces import GOALS, SHIPPED, TABLES, Bench, bench
from core.library import supernets
from core.library.measuring import from_table
from core.spaces import SearchSpace

WORKER = Path(__file__).with_name("peers_worker.py")
PACKAGES = {
    "pymoo": ["pymoo==0.6.2"],
    "optuna": ["optuna==5.0.0"],
    "dynast": ["autograd", "numba", "pandas", "requests", "scikit-learn", "pymoo==0.6.2"],
}
ALONE = {"dynast": "dynast==1.6.0"}
"""Installed without what it asks for."""
NAMES = {"pymoo": "pymoo NSGA-II", "optuna": "Optuna NSGA-II", "dynast": "DyNAS-T LINAS"}
_MOST_SECONDS = 3600


def environment(folder: Path, peers: list[str]) -> Path:
    """Python of an environment that has the peers; built where it is missing."""
    python = folder / "env" / "bin" / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    for peer in peers:
        done = folder / f"{peer}.installed"
        if not done.is_file():
            pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, *PACKAGES[peer]], check=True)
            if peer in ALONE:
                subprocess.run([*pip, "--no-deps", ALONE[peer]], check=True)
            done.touch()
    return python


def looked_up(name: str, tables: Path | None, cache: Path) -> Bench:
    """A space of the benchmark whose measuring is looking up."""
    space = bench(name, tables=tables, cache=cache)
    if name not in SHIPPED:
        return space
    look_up = from_table(supernets.find(None, name), GOALS)
    assert look_up is not None
    return replace(space, measure=lambda archs: list(look_up(archs)))


def parents(space: SearchSpace) -> np.ndarray:
    """(d, 37) of each choice: the one that decides whether it matters, -1 for none, and which options make it matter."""
    found = np.zeros((len(space), 37), int)
    found[:, 0] = -1
    for index, choice in enumerate(space.choices):
        if choice.requires is not None:
            found[index, 0] = space.position[choice.requires[0]]
            found[index, [1 + option for option in choice.requires[1]]] = 1
    return found


def written(space: Bench, path: Path) -> None:
    """The table as the worker reads it."""
    rows = space.problem.space.array()
    goals = space.problem.objectives
    measured = space.measure([tuple(row) for row in rows.tolist()])
    signs = [-1.0 if goal.maximize else 1.0 for goal in goals]
    costs = [[s * m.values[goal.name] for s, goal in zip(signs, goals, strict=True)] for m in measured]
    sizes = np.array(space.problem.space.cardinalities)
    np.savez(path, rows=rows, costs=np.array(costs), sizes=sizes, parents=parents(space.problem.space))


def peer_search(python: Path, table: Path, peer: str, seed: int, budget: int) -> tuple[np.ndarray, float]:
    """(n, 2) values that a peer evaluated, in order, as costs, and its own milliseconds per evaluation.

    Raises:
        RuntimeError: it failed; the message is the last line it said.
    """
    out = table.with_name(f"{table.stem}-{peer}-{seed}-{budget}.json")
    if not out.is_file():
        command = [str(python), str(WORKER), str(table), NAMES[peer], str(seed), str(budget), str(out)]
        # One core, as for everybody here.
        alone = os.environ | {"LOKY_MAX_CPU_COUNT": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MOST_SECONDS, env=alone)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    content = json.loads(out.read_text())
    return np.array(content["costs"])[:budget], 1e3 * content["own"] / len(content["costs"])


def lines_of(space: Bench, asked: argparse.Namespace, python: Path) -> list[str]:
    """Markdown of one space."""
    assert space.whole is not None
    maximize = [goal.maximize for goal in space.problem.objectives]
    scale, signs = Scale(maximize, space.whole), np.where(maximize, -1.0, 1.0)
    table = asked.cells / f"{space.name}.npz"
    if not table.is_file():
        written(space, table)
    found: dict[str, tuple[list[np.ndarray], list[float]]] = {}
    said = []
    for peer in asked.peers:
        curves, own = [], []
        try:
            for seed in range(asked.seeds):
                costs, each = peer_search(python, table, peer, seed, asked.budget)
                curves.append(scale.curve_of(costs * signs))
                own.append(each)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            said.append(f"{NAMES[peer]} does not run here: {error}")
        if curves:
            found[NAMES[peer]] = curves, own
    for name in asked.algorithms.split(","):
        cells = [searched(name, space, s, Ends(asked.budget, 0.0, 0.0), scale) for s in range(asked.seeds)]
        own = [1e3 * cell.proposing / len(cell.values) for cell in cells]
        found[f"ours: {name}"] = [scale.curve(cell) for cell in cells], own
    lines = [
        f"## {space.name}",
        f"{space.problem.space.size:,} architectures; exact front of {scale.front_size}. Share of its hypervolume in "
        f"percent, {asked.seeds} seeds: mean (least-most).",
        "",
        "| searcher | " + " | ".join(f"{n} evaluations" for n in EVALUATIONS) + " | own ms per evaluation |",
        "|---" * (len(EVALUATIONS) + 2) + "|",
    ]
    for name, (curves, own) in found.items():
        shares = [spread([at_evaluations(curve, n) for curve in curves]) for n in EVALUATIONS]
        lines.append(f"| {name} | " + " | ".join(shares) + f" | {np.mean(own):.2f} |")
    return [*lines, "", *said]


def main() -> None:
    """Build the environment, search, print and write."""
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "paretoscope-benchmarks" / "peers"
    )
    tables = os.environ.get("PARETOSCOPE_TABLES")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spaces", default=",".join((*SHIPPED, *TABLES)))
    parser.add_argument("--peers", default="pymoo,optuna", type=lambda text: text.split(","))
    parser.add_argument("--algorithms", default="random_search,nsga2,linas")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--tables", type=Path, default=Path(tables) if tables else None)
    parser.add_argument("--cells", type=Path, default=cache)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    asked.cells.mkdir(parents=True, exist_ok=True)
    python = environment(asked.cells, asked.peers)
    lines = []
    for name in asked.spaces.split(","):
        try:
            lines += lines_of(looked_up(name, asked.tables, asked.cells), asked, python)
        except FileNotFoundError as error:
            print(error)
    print("\n".join(lines))
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
