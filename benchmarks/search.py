"""Which search finds how much, for the same number of evaluations and for the same seconds.

    python benchmarks/search.py [--spaces digits-cnn,macro] [--algorithms nsga2,local_search:batch=10] [--seeds 10]
                                [--budget 500] [--until 0.99] [--tables FOLDER] [--out table.md]

Every cell (space, algorithm, seed) is searched once and kept in the cache folder, so an interrupted benchmark goes on and
a further algorithm costs its own cells alone. A cell ends after `--budget` evaluations and a fifth of the exhaustive
time, whichever comes later; with `--until` it goes on until that share of the exact hypervolume is reached, or for
eight budgets. Seconds are computing time of one thread, asking and telling included: measured on the real evaluator
for supernets, modeled from the work of stages for published tables.

Printed and written as Markdown: per space the share of the exact front's hypervolume (of the best known front's, where
nobody knows the exact one) after 50, 100, 250 and 500 evaluations and after 5, 10 and 20 % of the exhaustive time: the
mean over seeds, least and most in brackets; median seconds to 95 and 99 % and how many times sooner than NSGA-II's;
milliseconds of the algorithm's own work per evaluation. Folders: `--tables` or PARETOSCOPE_TABLES for the published tables
(a space whose table is absent is skipped with a sentence), `--cells` or a folder in the user's cache for the cells.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from benchmarks.search_spaces import NAMES, Bench, Measure, bench, walked_seconds
from core.pareto import hypervolume, hypervolume_over_time, non_dominated, reference_point
from core.search import ALGORITHMS

EVALUATIONS = (50, 100, 250, 500)
TIME_SHARES = (0.05, 0.10, 0.20)
GOALS = (0.95, 0.99)
BASELINE = "nsga2"
SOONER = 4.0
_MOST_BUDGETS = 8


@dataclass(frozen=True, eq=False)
class Cell:
    """One search.

    Attributes:
        values: (n, 2) of everything measured, in the order asked.
        evaluations: measured when each batch ended.
        seconds: spent by then.
        proposing: seconds that the algorithm itself took.
    """

    values: NDArray[np.float64]
    evaluations: NDArray[np.int64]
    seconds: NDArray[np.float64]
    proposing: float


@dataclass(frozen=True)
class Ends:
    """When a cell is done: after so many evaluations and seconds, and at that share of the exact hypervolume."""

    budget: int
    seconds: float
    until: float


# --- searching ------------------------------------------------------------------------------------


def created(spec: str, space: Bench, seed: int) -> tuple[Any, Measure]:
    """An algorithm from "name" or "name:setting=value:setting=value", and what measures for it.

    The setting keep_mb is the evaluator's: megabytes of activations that it keeps from one batch to the next.
    """
    name, *settings = spec.split(":")
    config = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        try:
            config[key] = json.loads(value)
        except ValueError:
            config[key] = value
    problem, measure = space.fresh(int(config.pop("keep_mb", 0) * 1e6))
    return ALGORITHMS.create(name, config, problem=problem, seed=seed), measure


def searched(spec: str, space: Bench, seed: int, ends: Ends, scale: Scale | None) -> Cell:
    """Search until the ends are reached or the algorithm is finished."""
    algorithm, measure = created(spec, space, seed)
    proposing = spent = 0.0
    names = [o.name for o in space.problem.objectives]
    values: list[list[float]] = []
    evaluations, seconds = [], []
    while not _done(values, spent, ends, scale):
        began = time.process_time()
        # As a search with this budget asks, so that curves do not depend on where a cell ends.
        archs = algorithm.ask(
            min(algorithm.batch_size, max(ends.budget - len(values), 0) or algorithm.batch_size)
        )
        asked = time.process_time()
        if not archs:
            break
        measured = measure(archs)
        took = time.process_time() - asked
        if space.modeled:
            took = walked_seconds(space.problem.work, np.array(archs, np.uint8))
        told = time.process_time()
        algorithm.tell(measured)
        own = asked - began + time.process_time() - told
        proposing, spent = proposing + own, spent + own + took
        values += [[m.values[name] for name in names] for m in measured]
        evaluations.append(len(values))
        seconds.append(spent)
    return Cell(np.array(values), np.array(evaluations), np.array(seconds), proposing)


def _done(values: Sequence[Sequence[float]], spent: float, ends: Ends, scale: Scale | None) -> bool:
    if len(values) < ends.budget or spent < ends.seconds:
        return False
    if len(values) >= _MOST_BUDGETS * ends.budget or not ends.until or scale is None:
        return True
    return scale.share(np.array(values)) >= ends.until


# --- cells on disk --------------------------------------------------------------------------------


def kept(path: Path, ends: Ends) -> Cell | None:
    """The cell in a file, if it went as far as is asked for."""
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if stored["budget"] != ends.budget or stored["until"] < ends.until:
        return None
    return Cell(
        np.array(stored["values"]),
        np.array(stored["evaluations"], int),
        np.array(stored["seconds"]),
        stored["proposing"],
    )


def keep(path: Path, cell: Cell, ends: Ends) -> None:
    """Write a cell whole or not at all."""
    content = {
        "budget": ends.budget,
        "until": ends.until,
        "values": cell.values.tolist(),
        "evaluations": cell.evaluations.tolist(),
        "seconds": cell.seconds.tolist(),
        "proposing": cell.proposing,
    }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(path)


def exhaustive_seconds(space: Bench, folder: Path) -> float | None:
    """What the whole space takes, found out once."""
    path = folder / f"{space.name}-exhaustive.json"
    if path.is_file():
        return float(json.loads(path.read_text()))
    seconds = space.exhaustive_seconds()
    if seconds is not None:
        path.write_text(json.dumps(seconds))
    return seconds


# --- what was found -------------------------------------------------------------------------------


class Scale:
    """What hypervolumes are shares of.

    Args:
        maximize: per objective.
        points: (n, 2) of the whole space, or of everything that any search measured.
    """

    def __init__(self, maximize: Sequence[bool], points: NDArray[np.float64]) -> None:
        self.maximize = list(maximize)
        self.reference = reference_point(points, maximize=self.maximize)
        front = points[non_dominated(points, maximize=self.maximize)]
        self.front_size = len(front)
        self._ceiling = hypervolume(front, self.reference, maximize=self.maximize)

    def share(self, values: NDArray[np.float64]) -> float:
        """0-1 of the ceiling."""
        return float(hypervolume(values, self.reference, maximize=self.maximize) / self._ceiling)

    def curve(self, cell: Cell) -> NDArray[np.float64]:
        """(n,) share after each evaluation."""
        return self.curve_of(cell.values)

    def curve_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) share after each of (n, 2) values."""
        volumes = hypervolume_over_time(values, self.reference, maximize=self.maximize)
        return np.asarray(volumes) / self._ceiling


def at_evaluations(curve: NDArray[np.float64], n: int) -> float:
    """Share after n evaluations; NaN if the search did not come so far and did not finish its space before."""
    return float(curve[min(n, len(curve)) - 1]) if len(curve) >= n or curve[-1] >= 1 - 1e-12 else float("nan")


def at_seconds(curve: NDArray[np.float64], cell: Cell, seconds: float) -> float:
    """Share after some seconds, by the batches that had ended."""
    ended = int((cell.seconds <= seconds).sum())
    return float(curve[cell.evaluations[ended - 1] - 1]) if ended else 0.0


def seconds_to(curve: NDArray[np.float64], cell: Cell, share: float) -> float:
    """Seconds at the end of the batch that reached a share; infinite if none did."""
    reached = np.flatnonzero(curve[cell.evaluations - 1] >= share)
    return float(cell.seconds[reached[0]]) if len(reached) else float("inf")


def spread(values: Sequence[float]) -> str:
    """ "93.1 (91.0-94.8)": mean, least and most, in percent; a dash where nothing is known."""
    if not len(values) or np.isnan(values).any():
        return "-"
    return f"{100 * np.mean(values):.1f} ({100 * min(values):.1f}-{100 * max(values):.1f})"


# --- the table ------------------------------------------------------------------------------------


def table(
    space: Bench, cells: dict[str, list[Cell]], exhaustive: float | None
) -> tuple[list[str], dict[str, tuple[float, ...]]]:
    """Markdown of one space, and per algorithm how many times sooner than NSGA-II it reached each goal."""
    every = np.concatenate([cell.values for found in cells.values() for cell in found])
    scale = Scale(
        [o.maximize for o in space.problem.objectives], every if space.whole is None else space.whole
    )
    kind = "modeled" if space.modeled else "measured"
    known = "exact" if space.whole is not None else "best known"
    whole = f"; all of it takes {exhaustive:,.1f} s ({kind})" if exhaustive else ""
    goals = " and ".join(o.label for o in space.problem.objectives)
    n = min(len(found) for found in cells.values())
    lines = [
        f"## {space.name}",
        f"{space.problem.space.size:,} architectures, {goals}; {known} front of {scale.front_size}{whole}. "
        f"Share of its hypervolume in percent, {n} seeds: mean (least-most).",
        "",
        "| algorithm | "
        + " | ".join(f"{e} evaluations" for e in EVALUATIONS)
        + " | "
        + " | ".join(f"{100 * s:.0f} % of the time" for s in TIME_SHARES)
        + " | "
        + " | ".join(f"s to {100 * g:.0f} %" for g in GOALS)
        + " | times sooner | own ms per evaluation |",
        "|---" * (len(EVALUATIONS) + len(TIME_SHARES) + len(GOALS) + 3) + "|",
    ]
    medians = {
        name: [float(np.median([seconds_to(scale.curve(c), c, g) for c in found])) for g in GOALS]
        for name, found in cells.items()
    }
    sooner = {
        name: tuple(_times(medians.get(BASELINE), own, i) for i in range(len(GOALS)))
        for name, own in medians.items()
    }
    for name, found in cells.items():
        curves = [scale.curve(cell) for cell in found]
        shares = [spread([at_evaluations(curve, e) for curve in curves]) for e in EVALUATIONS]
        for share in TIME_SHARES:
            at = [
                at_seconds(curve, cell, share * (exhaustive or np.nan))
                for curve, cell in zip(curves, found, strict=True)
            ]
            shares.append(spread(at) if exhaustive else "-")
        shares += [f"{s:.2f}" if np.isfinite(s) else "-" for s in medians[name]]
        shares.append(" / ".join(f"{t:.1f}" if np.isfinite(t) else "-" for t in sooner[name]))
        shares.append(f"{1e3 * np.mean([cell.proposing / len(cell.values) for cell in found]):.2f}")
        lines.append(f"| {name} | " + " | ".join(shares) + " |")
    return [*lines, ""], sooner


def _times(baseline: Sequence[float] | None, own: Sequence[float], goal: int) -> float:
    if baseline is None or not np.isfinite(baseline[goal]) or not np.isfinite(own[goal]):
        return float("nan")
    return baseline[goal] / own[goal]


def verdict(sooner: dict[str, dict[str, tuple[float, ...]]]) -> list[str]:
    """Whether one algorithm is so many times sooner at 95 % on two spaces, and nowhere later than NSGA-II."""
    names = {name for of in sooner.values() for name in of if name != BASELINE}
    lines = []
    for name in sorted(names):
        times = {
            space: of[name][0] for space, of in sooner.items() if name in of and np.isfinite(of[name][0])
        }
        if times and (fast := [s for s, t in times.items() if t >= SOONER]):
            slow = [s for s, t in times.items() if t < 1]
            worse = f"; later on {', '.join(slow)}" if slow else "; nowhere later"
            lines.append(
                f"{name}: 95 % at least {SOONER:g} times sooner than NSGA-II on {', '.join(fast)}{worse}."
            )
    return lines or [f"Nothing reaches 95 % {SOONER:g} times sooner than NSGA-II on any of these spaces."]


# --- the command ----------------------------------------------------------------------------------


def arguments() -> argparse.Namespace:
    """What was asked for."""
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "paretoscope-benchmarks" / "search"
    )
    tables = os.environ.get("PARETOSCOPE_TABLES")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spaces", default=",".join(NAMES))
    parser.add_argument("--algorithms", default=",".join(n for n in ALGORITHMS.names() if n != "exhaustive"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--until", type=float, default=0.0)
    parser.add_argument("--tables", type=Path, default=Path(tables) if tables else None)
    parser.add_argument("--cells", type=Path, default=cache)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def spaces(asked: argparse.Namespace) -> Iterator[Bench]:
    """The spaces that are here; says which are not."""
    for name in asked.spaces.split(","):
        try:
            yield bench(name, tables=asked.tables, cache=asked.cells)
        except FileNotFoundError as error:
            print(error)


def cells_of(space: Bench, asked: argparse.Namespace, exhaustive: float | None) -> dict[str, list[Cell]]:
    """Every cell of a space, searched or read."""
    ends = Ends(asked.budget, TIME_SHARES[-1] * (exhaustive or 0.0), asked.until)
    known = space.whole
    scale = None if known is None else Scale([o.maximize for o in space.problem.objectives], known)
    kind = "modeled" if space.modeled else "measured"
    found: dict[str, list[Cell]] = {}
    # Seed by seed, so that whatever stops it leaves every algorithm with about as many.
    for seed in range(asked.seeds):
        for spec in asked.algorithms.split(","):
            path = asked.cells / f"{space.name}-{kind}-{spec.replace(':', '_')}-{seed}.json"
            cell = kept(path, ends)
            if cell is None:
                cell = searched(spec, space, seed, ends, scale)
                keep(path, cell, ends)
                print(
                    f"{space.name} {spec} seed {seed}: {len(cell.values)} in {cell.seconds[-1]:.1f} s",
                    flush=True,
                )
            found.setdefault(spec, []).append(cell)
    return found


def main() -> None:
    """Search what is missing, print the tables and write them."""
    asked = arguments()
    asked.cells.mkdir(parents=True, exist_ok=True)
    lines, sooner = [], {}
    for space in spaces(asked):
        exhaustive = exhaustive_seconds(space, asked.cells)
        text, sooner[space.name] = table(space, cells_of(space, asked, exhaustive), exhaustive)
        lines += text
    lines += verdict(sooner)
    print("\n".join(lines))
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
