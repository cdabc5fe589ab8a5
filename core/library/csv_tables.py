"""CSV files, written in one place for pages and command line: equal questions give equal bytes.

The first column of a table of subnets is `architecture`, a JSON object; then come the objectives in their stored units,
`on_front` and `source`. Where more is asked for, `network` follows: an id that no spreadsheet takes for a number. Beside
a file stands its description: what every column is, in which unit, of which supernet, by which algorithm and seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.config import JsonObject
from core.library.chance_columns import meaning
from core.library.evaluations import architectures, evaluations, measurements_of
from core.library.network_id import NetworkId
from core.library.searches import bounds_of
from core.library.supernets import SupernetEntry
from core.objectives.base import is_objective, objective, objectives
from core.pareto import Constraint
from core.records import Measurement, Objective, Obtained, Run
from core.spaces import SearchSpace
from core.text import for_cell

if TYPE_CHECKING:
    import pandas as pd

    from core.ledger import Ledger

_FIXED = {
    "architecture": "choice -> option, as a JSON object",
    "arch_str": "the cell as its benchmark writes it",
    "on_front": "whether no other row beats it in the objectives the front is of",
    "source": "how the values of the row were obtained",
    "network": "id of the subnet, as every command takes it",
}


def csv_bytes(table: pd.DataFrame | Sequence[Mapping[str, Any]]) -> bytes:
    """A table as CSV. A text that a spreadsheet would take for a formula gets a quote before it."""
    import pandas as pd

    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(list(table))
    return plain_cells(frame).to_csv(index=False, lineterminator="\n").encode(errors="replace")


def plain_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table without a text or a name that a spreadsheet would take for a formula; not the frame itself."""
    texts = {str(name): frame[name].map(_cell) for name in frame if frame[name].dtype.kind not in "biuf"}
    return frame.assign(**texts).rename(columns=_cell)


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    # A lone carriage return is not quoted by pandas, and a new line to a spreadsheet.
    return for_cell(value.replace("\r\n", "\n").replace("\r", "\n"))


def front_csv(
    entry: SupernetEntry,
    rows: pd.DataFrame,
    front_of: Sequence[str],
    usual: Obtained,
    also: Sequence[str] = (),
    beside: Mapping[str, NDArray[np.float64]] | None = None,
) -> bytes:
    """`front_rows` as CSV."""
    return csv_bytes(front_rows(entry, rows, front_of, usual, also, beside))


def front_rows(
    entry: SupernetEntry,
    rows: pd.DataFrame,
    front_of: Sequence[str],
    usual: Obtained,
    also: Sequence[str] = (),
    beside: Mapping[str, NDArray[np.float64]] | None = None,
) -> pd.DataFrame:
    """Subnets of a table, in its order, as every file has them.

    Args:
        entry: their supernet.
        rows: of a table of the library; a column `on_front` is taken as it is, for these may be some of many.
        front_of: objectives that the front is of.
        usual: how measured values were obtained where the table does not say.
        also: further objectives; with any, the column `network` is written, too.
        beside: further columns, written last; see `core.library.chance_columns`.
    """
    names = [*front_of, *(name for name in also if name not in front_of)]
    measured = measurements_of(entry.space, rows, names, usual)
    found = evaluations(entry.space, objectives(names), measured, front_of=front_of)
    if "on_front" in rows:
        found["on_front"] = rows["on_front"].to_numpy(bool)
    written = _named(entry, found) if also else architectures(entry.space, found)
    return written.assign(**(beside or {}))


def _named(entry: SupernetEntry, found: pd.DataFrame) -> pd.DataFrame:
    ids = [str(NetworkId.subnet(entry.supernet_id, arch_id)) for arch_id in found["arch_id"]]
    return architectures(entry.space, found).assign(network=ids)


def search_csv(entry: SupernetEntry, run: Run, ledger: Ledger) -> bytes:
    """What a search has measured so far, in its order: the file that the run itself keeps at its end."""
    names: Any = run.params["objectives"]
    measured = [found for _, found in ledger.measurements()]
    return search_bytes(entry.space, objectives(names), bounds_of(run.params), measured)


def search_bytes(
    space: SearchSpace,
    goals: Sequence[Objective],
    constraints: Sequence[Constraint],
    measurements: Sequence[Measurement],
) -> bytes:
    """A search's measurements in their order; objectives that are only bounded are columns, too."""
    named = {goal.name for goal in goals}
    bounded = dict.fromkeys(c.objective for c in constraints if c.objective not in named)
    columns = [*goals, *objectives(list(bounded))]
    found = evaluations(space, columns, measurements, [goal.name for goal in goals], constraints)
    return csv_bytes(architectures(space, found))


def about_table(
    entry: SupernetEntry,
    columns: Iterable[str],
    *,
    search: JsonObject | None = None,
    run_id: str = "",
    command: str = "",
    runs: Sequence[Run] = (),
) -> bytes:
    """The description beside a table of subnets, as JSON.

    Args:
        entry: their supernet.
        columns: of the table.
        search: request of the search that chose the rows, None for the whole space.
        run_id: of that search.
        command: the command line that writes the same table, "" if there is none.
        runs: searches and samples whose subnets the table holds together.
    """
    card = entry.card
    several = [{"kind": run.kind, **_algorithm({**run.params, "seed": run.seed}, run.run_id)} for run in runs]
    content = {
        "supernet": {
            "id": entry.supernet_id,
            "title": entry.title,
            "family": entry.family,
            "sha256": entry.sha256,
            "table_sha256": entry.table_sha256 or None,
            "seed": card.seed,
        },
        "data": card.data.model_dump(mode="json") if card.data else None,
        "algorithm": several or _algorithm(search, run_id),
        "subnets_of_the_space": entry.space.size,
        "command": command or None,
        "columns": {name: _column(name) for name in columns},
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _algorithm(search: JsonObject | None, run_id: str) -> dict[str, Any]:
    if search is None:
        return {"name": "exhaustive", "seed": None}
    told = {name: search.get(name) for name in ("seed", "config", "objectives", "budget", "use_table")}
    # Said only where there are some: files of searches without read as they always did.
    more = {name: search[name] for name in ("constraints", "seconds", "from_runs") if search.get(name)}
    return {"name": search.get("algorithm"), **told, **more, "run": run_id}


def _column(name: str) -> dict[str, Any]:
    if not is_objective(name):
        return {"meaning": _FIXED.get(name, "") or meaning(name)}
    goal = objective(name)
    better = "more" if goal.maximize else "less"
    return {
        "meaning": goal.summary,
        "unit": goal.unit or "fraction or count",
        "better": better,
        "obtained": str(goal.how),
        "split": goal.split or None,
    }
