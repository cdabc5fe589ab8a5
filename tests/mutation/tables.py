"""Faults of imported tables; see `tests.mutation.faults`."""

from __future__ import annotations

from tests.mutation.fault import Fault

_MAPPING, _IN_MAPPING = "core/library/table_mapping.py", ("tests/library/test_table_mapping.py",)
_ROWS = "core/library/imported_tables.py"
_FRONT, _IN_FRONT = "core/views/table_front.py", ("tests/views/test_table_front.py",)
_SQLITE, _IN_READERS = (
    "core/library/foreign_tables/optuna_sqlite.py",
    ("tests/library/test_foreign_tables.py",),
)
_CSV, _IN_FILES = "core/library/csv_tables.py", ("tests/reports/test_front_files.py",)
_STORE, _IN_STORE = "core/store/imported.py", ("tests/store/test_imported_tables.py",)

FAULTS = [
    Fault(
        "a latency of zero counts",
        _MAPPING,
        'zero = (values == 0) if meaning.least == "positive" else never',
        "zero = never",
        _IN_MAPPING,
    ),
    Fault(
        "a latency of -1 counts",
        _MAPPING,
        'negative = never if meaning.least == "any" else (values < 0) & np.isfinite(values)',
        "negative = never",
        _IN_MAPPING,
    ),
    Fault(
        "what is predicted stands on the front of a table",
        _ROWS,
        "off |= self.guessed[name]",
        "off |= False",
        _IN_MAPPING,
    ),
    Fault(
        "limits move the reference point",
        _FRONT,
        "reference = _reference(rows, x, y)",
        "reference = reference_point(points[np.isfinite(points).all(axis=1)], maximize=maximize)",
        _IN_FRONT,
    ),
    Fault(
        "the front is of the rows that are drawn",
        _FRONT,
        "at = np.flatnonzero(non_dominated(points, maximize=maximize))",
        "points[::2] = np.nan if len(rows) > most else points[::2]\n    at = np.flatnonzero(non_dominated(points, maximize=maximize))",
        _IN_FRONT,
    ),
    Fault(
        "a view of a stranger's database is asked",
        _SQLITE,
        "WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'",
        "WHERE sql NOT LIKE '%VIRTUAL%'",
        _IN_READERS,
    ),
    Fault(
        "a name of a column is a formula",
        _CSV,
        ".rename(columns=_cell)",
        "",
        ("tests/library/test_table_mapping.py",),
    ),
    Fault(
        "a carriage return begins a row",
        _CSV,
        'for_cell(value.replace("\\r\\n", "\\n").replace("\\r", "\\n"))',
        "for_cell(value)",
        _IN_FILES,
    ),
    Fault(
        "a removed table keeps its file among the others",
        _STORE,
        "        self._files.put_away([sha256])\n",
        "",
        _IN_STORE,
    ),
]
