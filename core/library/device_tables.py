"""Published tables of what every cell of a cell space takes on a device: latency and energy, measured by others.

A table has a column `arch_str` (the cell as its benchmark writes it) and columns `device_latency` (milliseconds) or
`device_energy` (millijoules), with `data__` before them where a device was measured on several data. A value that
is not positive was never measured: there is none then, and the record says how many.

Source of the form: Li et al., "HW-NAS-Bench", ICLR 2021.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.cache import kept, place_of
from core.confined import Limits, run_confined
from core.errors import CoreError, InvalidInput
from core.library.evaluations import source_column
from core.library.results import Part, Record, Result, results
from core.library.supernets import SupernetEntry
from core.objectives.base import PUBLISHED, objective
from core.records import Obtained, Source
from core.spaces import SearchSpace
from core.spaces.cell_string import OPERATIONS, parse_arch_string

if TYPE_CHECKING:
    import pandas as pd

    from core.store import RunStore

KIND = "import_device_table"
FAMILY = "nas_bench_201"
VALUES_FILE = "device_table.npz"
MOST_BYTES = 64 << 20
MOST_COLUMNS = 200
_LONGEST_NAME = 32
_READER = "core.library.device_table_worker"
_LIMITS = Limits(memory_bytes=3 * 2**30, cpu_seconds=30)
_CELLS = "arch_str"
_COLUMN = re.compile(r"(?:([A-Za-z0-9][A-Za-z0-9.-]*)__)?([A-Za-z0-9][A-Za-z0-9.-]*)_(latency|energy)")
_QUANTITIES = {"latency": "latency_ms", "energy": "energy_mj"}
_NAMES = {
    "edgegpu": "Edge-GPU",
    "raspi4": "Raspberry-Pi-4",
    "edgetpu": "Edge-TPU",
    "pixel3": "Pixel-3",
    "eyeriss": "Eyeriss",
    "fpga": "FPGA",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenet16": "ImageNet16-120",
}
"""How the devices and data of HW-NAS-Bench are called by people; other names stay as they are."""


class DeviceColumn(Part):
    """One column of a table as an objective.

    Attributes:
        objective: its name, a variant of latency or energy.
        column: its name in the file.
        missing: cells of the space that were never measured.
    """

    objective: str
    column: str
    missing: int


class Found(Part):
    """What a file holds.

    Attributes:
        data: names of the data that devices were measured on, in the file's order; one empty name if it says none.
        columns: of one of the data.
        ignored: columns that are neither latency nor energy.
        cells: how many cells it lists.
    """

    data: tuple[str, ...]
    columns: tuple[DeviceColumn, ...]
    ignored: tuple[str, ...]
    cells: int


class DeviceTableRecord(Record):
    """What a run keeps; the values lie beside it.

    Attributes:
        supernet: SHA-256 of the supernet's file.
        title: what the table is called.
        chosen: the data whose columns were taken.
        found: what the file holds.
    """

    FILE: ClassVar[str] = "device_table.json"
    supernet: str
    title: str
    chosen: str
    found: Found


# --- reading ------------------------------------------------------------------------------------------


def read_table(data: bytes, chosen: str = "") -> tuple[Found, bytes]:
    """Decode a file that may come from anybody, in a confined process.

    Args:
        data: CSV or Parquet.
        chosen: the data whose columns are taken; the file's first if empty.

    Returns:
        What it holds, and the values as `values_of` reads them.

    Raises:
        InvalidInput: it is no such table; the sentence says why.
        Busy: the machine has no time to read it now.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"This table is larger than {MOST_BYTES >> 20} MB.")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / VALUES_FILE
        answer = run_confined(_READER, data, {"chosen": chosen}, target, _LIMITS)
        return Found.model_validate(answer), target.read_bytes()


def decoded(data: bytes, chosen: str, space: SearchSpace) -> tuple[Found, bytes]:
    """`read_table` in this process; what the confined one runs."""
    frame = _frame(data)
    if _CELLS not in frame:
        raise InvalidInput(f"This table has no column {_CELLS}, which names the cell of each row.")
    at = _positions(frame[_CELLS].tolist(), space)
    known = [(str(name), match) for name in frame.columns if (match := _COLUMN.fullmatch(str(name)))]
    data_names = tuple(dict.fromkeys(match[1] or "" for _, match in known))
    if not known:
        raise InvalidInput(
            "This table has no column of latency or energy; they are called like pixel3_latency or "
            "cifar10__eyeriss_energy."
        )
    if len(known) > MOST_COLUMNS:
        raise InvalidInput(f"This table has more than {MOST_COLUMNS} columns of devices.")
    taken = chosen or data_names[0]
    if taken not in data_names:
        raise InvalidInput(f"This table has nothing of {taken[:40]!r}; it has {', '.join(data_names)}.")
    columns, values = [], {}
    for name, match in known:
        if (match[1] or "") != taken:
            continue
        found = _values(frame[name], at, space.size, name)
        called = _objective(match[2], match[1] or "", match[3])
        columns.append(DeviceColumn(objective=called, column=name, missing=int(np.isnan(found).sum())))
        values[called] = found
    ignored = tuple(str(n)[:80] for n in frame.columns if n != _CELLS and not _COLUMN.fullmatch(str(n)))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **values)  # type: ignore[arg-type]  # its stubs take every name for a flag
    told = Found(data=data_names, columns=tuple(columns), ignored=ignored[:MOST_COLUMNS], cells=len(at))
    return told, buffer.getvalue()


def _frame(data: bytes) -> pd.DataFrame:
    import pandas as pd

    try:
        read = pd.read_parquet if data[:4] == b"PAR1" else pd.read_csv
        frame: pd.DataFrame = read(io.BytesIO(data))
    except MemoryError:
        raise
    except Exception as error:  # both libraries raise many kinds over a damaged file; all mean the same
        raise InvalidInput("This file cannot be read as a CSV or Parquet table.") from error
    if frame.columns.duplicated().any():
        raise InvalidInput("Two columns of this table have the same name.")
    return frame


def _positions(cells: Sequence[object], space: SearchSpace) -> NDArray[np.int64]:
    """(n,) place of each cell in the order of the space."""
    if not cells:
        raise InvalidInput("This table has no rows.")
    order = {arch_id: place for place, arch_id in enumerate(space.arch_ids(space.array()))}
    found = np.empty(len(cells), np.int64)
    for row, cell in enumerate(cells):
        try:
            operations = parse_arch_string(str(cell))
        except InvalidInput as error:
            raise InvalidInput(f"Row {row + 1}: {error}") from error
        found[row] = order[space.arch_id([OPERATIONS.index(operation) for operation in operations])]
    if len(np.unique(found)) < len(found):
        raise InvalidInput("This table lists a cell twice.")
    return found


def _values(column: pd.Series, at: NDArray[np.int64], size: int, name: str) -> NDArray[np.float64]:
    """(size,) values in the order of the space; not a number where a cell was never measured."""
    try:
        read = column.to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"Column {name[:60]} holds something other than numbers.") from error
    values = np.full(size, np.nan)
    values[at] = np.where(np.isfinite(read) & (read > 0), read, np.nan)
    if np.isnan(values).all():
        raise InvalidInput(f"Column {name[:60]} has no value: nothing in it is positive.")
    return values


def _objective(device: str, data: str, quantity: str) -> str:
    parts = [_NAMES.get(part, part)[:_LONGEST_NAME] for part in (device, data) if part]
    return f"{_QUANTITIES[quantity]}.{'_'.join([*parts, PUBLISHED])}"


def sentences(columns: Sequence[DeviceColumn], cells: int) -> list[str]:
    """What was imported, and what of it was never measured.

    Args:
        columns: imported ones.
        cells: of the space.
    """
    whole = [objective(column.objective).label for column in columns if not column.missing]
    told = [f"{'; '.join(whole)}: measured for every cell."] if whole else []
    return told + [
        f"{objective(column.objective).label}: {column.missing:,} of {cells:,} cells were never measured and stay off its fronts."
        for column in columns
        if column.missing
    ]


# --- what there is -------------------------------------------------------------------------------------


def require_cells(entry: SupernetEntry) -> None:
    """Refuse a supernet whose subnets no such table can name.

    Raises:
        InvalidInput: it is not of the cell space.
    """
    if entry.family != FAMILY:
        raise InvalidInput(
            f"{entry.title} is no NAS-Bench-201 cell space; published tables of devices list its cells only."
        )


def device_tables(store: RunStore | None, entry: SupernetEntry) -> list[Result[DeviceTableRecord]]:
    """Tables that were imported for a supernet, newest first."""
    if entry.family != FAMILY:
        return []
    found = results(store, DeviceTableRecord, KIND)
    return [each for each in found if each.record.supernet == entry.sha256]


def with_devices(
    store: RunStore | None, entry: SupernetEntry, revision: str, table: pd.DataFrame
) -> tuple[str, pd.DataFrame]:
    """A table of subnets with the published objectives there are, and a revision that changes with them.

    Args:
        store: where they are kept.
        entry: the supernet.
        revision: of the table.
        table: with a column `arch_id`; not changed. Of one objective the newest import counts.
    """
    found = [each for each in device_tables(store, entry) if VALUES_FILE in each.files]
    if store is None or not found:
        return revision, table
    revision = "-".join([revision, *(each.files[DeviceTableRecord.FILE][:12] for each in found)])
    return revision, _attached(revision, found, store, entry, table)


@kept(
    8, key=lambda revision, found, store, entry, table: (entry.sha256, place_of(store), revision, len(table))
)
def _attached(
    revision: str,
    found: Sequence[Result[DeviceTableRecord]],
    store: RunStore,
    entry: SupernetEntry,
    table: pd.DataFrame,
) -> pd.DataFrame:
    order = {arch_id: place for place, arch_id in enumerate(entry.space.arch_ids(entry.space.array()))}
    at = np.array([order[arch_id] for arch_id in table["arch_id"]], np.int64)
    columns: dict[str, Any] = {}
    for each in reversed(found):
        try:
            values = _kept_values(each.files[VALUES_FILE], store)
        except CoreError:  # the check command names it
            continue
        for column in each.record.found.columns:
            columns[column.objective] = values[column.objective][at]
            columns[source_column(column.objective)] = str(Obtained(Source.MEASURED, each.record.title))
    return table.assign(**columns)


@kept(8, key=lambda sha256, store: (place_of(store), sha256))
def _kept_values(sha256: str, store: RunStore) -> dict[str, NDArray[np.float64]]:
    with np.load(io.BytesIO(store.kept.content(sha256)), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
