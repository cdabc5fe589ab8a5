"""What a table of a million rows costs: importing it, and every change of a limit on the Tables page.

    python benchmarks/table_import.py [--rows 1000000]

A made-up table (a name, four choices, accuracy, latency with values that were never measured, parameters, energy) is
written as CSV, Parquet and JSON lines and imported as the page does: read in the confined process, columns guessed, kept,
opened. Printed are the seconds of each, then, for the open table, the milliseconds of the server for a front under new limits
(median and slowest of twenty), for the card of a row, for three objectives and for fronts of two columns, and the memory the
process grew by. Goals: an import within a minute, a filter under 300 ms.
"""

from __future__ import annotations

import argparse
import io
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from core.library import kept_tables
from core.library.foreign_tables.decoding import read_foreign
from core.library.imported_tables import TableRows, front_table
from core.library.table_guessing import guessed
from core.pareto import Constraint
from core.seeding import stream
from core.store import RunStore
from core.views.table_front import standing_of, table_front
from core.views.table_several import by_columns
from core.views.table_third import third_fronts

_MOST_IMPORT_SECONDS, _MOST_FILTER_MS = 60.0, 300.0
_AXES = ("latency_ms", "accuracy")


def made_up(n: int) -> pd.DataFrame:
    """n architectures of a space of four choices; one in fifty was never timed, and says -1."""
    rng = stream(0, "table import")
    choices = {name: rng.integers(0, 8, n) for name in ("depth", "width", "kernel", "ratio")}
    cost = sum((choices[name] + 1.0) for name in choices) / 32
    latency = np.round(cost * rng.lognormal(0, 0.2, n) * 10, 4)
    return pd.DataFrame(
        {
            "arch": np.char.add("net-", np.arange(n).astype(str)),
            **choices,
            "accuracy": np.round(1 - 0.4 * np.exp(-3 * cost) + rng.normal(0, 0.01, n), 5),
            "latency_ms": np.where(rng.random(n) < 0.02, -1.0, latency),
            "params": (cost * 1e6 * rng.lognormal(0, 0.1, n)).astype(np.int64),
            "energy_mj": np.round(latency * rng.lognormal(0, 0.3, n), 4),
        }
    )


def files(frame: pd.DataFrame) -> dict[str, bytes]:
    """The table in three formats."""
    parquet = io.BytesIO()
    frame.to_parquet(parquet, index=False)
    return {
        "csv": frame.to_csv(index=False).encode(),
        "parquet": parquet.getvalue(),
        "json lines": frame.to_json(orient="records", lines=True).encode(),
    }


def grown_mb() -> float:
    """The process's largest size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def imported(store: RunStore, data: bytes) -> TableRows:
    """As the page does it."""
    found, columns = read_foreign(data)
    table_id = kept_tables.add(store, "Million", found, columns, guessed(found), "0" * 64)
    return kept_tables.opened(store, store.tables.get(table_id))[1]


def timed(work: Callable[[int], object], times: int = 20) -> tuple[float, float, float]:
    """Milliseconds: median, slowest, and of the processor in the mean; the number of the try is handed over."""
    taken, used = [], time.process_time()
    for number in range(times):
        began = time.perf_counter()
        work(number)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken), max(taken), 1000 * (time.process_time() - used) / times


def questions(rows: TableRows) -> dict[str, Callable[[int], object]]:
    """What the page asks of an open table."""
    x, y = (rows.goal(name) for name in _AXES)
    whole = table_front(rows, x, y)

    def filtered(number: int) -> object:
        limits = (Constraint("params", upper=2e5 + 4e4 * number), Constraint("accuracy", lower=0.7))
        return table_front(rows, x, y, limits)

    return {
        "front under new limits": filtered,
        "card of a row": lambda number: standing_of(rows, whole, x, y, number * 997),
        "third objective": lambda number: third_fronts(rows, x, y, rows.goal("params")),
        "fronts of two columns": lambda number: by_columns(rows, ["latency_ms", "energy_mj"], y),
        "all rows that count, as a file": lambda number: front_table(rows, [y.name, x.name]),
    }


def main() -> None:
    """Import, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    held = files(made_up(options.rows))
    before, rows = grown_mb(), None
    with tempfile.TemporaryDirectory() as folder:
        with RunStore(f"sqlite:///{folder}/paretoscope.db", Path(folder)) as store:
            for name, data in held.items():
                began = time.perf_counter()
                rows = imported(store, data)
                took = time.perf_counter() - began
                verdict = "within" if took < _MOST_IMPORT_SECONDS else "OVER"
                print(
                    f"{name:11} {len(data) / 1e6:5.0f} MB: imported in {took:5.1f} s ({verdict} {_MOST_IMPORT_SECONDS:.0f})"
                )
        assert rows is not None
        print("  left off:", "; ".join(rows.told(list(_AXES))))
        for name, ask in questions(rows).items():
            median, slowest, used = timed(ask, 20 if name.startswith(("front", "card")) else 3)
            limit = f" ({'within' if median < _MOST_FILTER_MS else 'OVER'} {_MOST_FILTER_MS:.0f})"
            print(
                f"  {name}: {median:.0f} ms, slowest {slowest:.0f}, of the processor {used:.0f}{limit if name.startswith('front u') else ''}"
            )
        print(
            f"  one table takes {rows.memory / 1e6:.0f} MB; the process grew by {grown_mb() - before:.0f} MB at its peak"
        )


if __name__ == "__main__":
    main()
