"""Numbers as people write them: 85,33 %, 1 234.5, 25.6M, 4.1 GFLOPs, 75.3 ± 0.2.

A column of texts becomes one of numbers where at least half of its values are written so, and all in one unit. A column
that says which row it is stays as it is: its 1,2 may be two choices. So does one whose every value could be a list of
widths, 128,256, unless its name is a cost's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.library.foreign_tables.vocabulary import UNITS, is_a_cost, is_a_name

if TYPE_CHECKING:
    import pandas as pd

_SCALES = {"k": "e3", "K": "e3", "M": "e6", "B": "e9", "G": "e9", "T": "e12"}
_COUNTED = ("", "flop", "flops", "mac", "macs", "madds", "ops", "param", "params")
"""What may stand behind a scale, or alone, in small letters."""
_SPACES = " \u00a0\u202f\u2009'’_"
_SIGN = r"[-+\N{MINUS SIGN}]?"
_GAP = r"[ \u00a0\u202f\u2009]{0,2}"
_MOST_TRIED = 500
_SIMPLE = re.compile(rf"\"?{_SIGN}(\d+)([.,])(\d+)(?![\d.,])")


@dataclass(frozen=True)
class Convention:
    """How a file writes numbers.

    Attributes:
        decimal: what stands before the decimals, "." or ",".
        thousands: what stands between thousands wherever something does, "" where that is not certain.
    """

    decimal: str = "."
    thousands: str = ""


@dataclass(frozen=True)
class Written:
    """A column of texts, read.

    Attributes:
        values: (n,) numbers, not a number where none is written.
        unit: of all of them, "" for none.
        example: one as it is written, and as it reads.
    """

    values: NDArray[np.float64]
    unit: str
    example: tuple[str, float]


def convention_of(fields: Iterable[str]) -> Convention:
    """The convention of a file whose fields are not separated by commas.

    Numbers are taken for written 3,14 where more fields have one comma than have one point that cannot stand between
    thousands.
    """
    commas = points = grouped = 0
    for field in fields:
        found = _SIMPLE.match(field.strip())
        if found is None:
            continue
        could_be_thousands = len(found[3]) == 3 and len(found[1]) <= 3 and found[1] != "0"
        commas += found[2] == ","
        grouped += found[2] == "." and could_be_thousands
        points += found[2] == "." and not could_be_thousands
    if commas <= points:
        return Convention()
    return Convention(",", "." if grouped and not points else "")


def read_numbers(name: str, column: pd.Series, decimal: str = ".") -> Written | None:
    """The numbers of a column of texts; None where too few are written, in several units, or where it holds names.

    Args:
        name: of the column.
        column: texts, missing where there is none.
        decimal: "." or ",".
    """
    import pandas as pd

    if is_a_name(name):
        return None
    pattern = _pattern(decimal)
    tried = column[column.notna() & (column.str.strip() != "")].iloc[:_MOST_TRIED]
    if not len(tried) or tried.str.strip().str.fullmatch(pattern).mean() < 0.5:
        return None
    parts = column.str.strip().str.extract(f"^(?:{pattern})$")
    numbers, suffixes = parts["number"], parts["suffix"]
    meanings = {str(each): _meaning(str(each)) for each in suffixes.dropna().unique()}
    known = [each for each in meanings.values() if each is not None]
    units = {unit for _, unit in known} - {""}
    if len(known) < len(meanings) or len(units) > 1:
        return None
    if not known and not is_a_cost(name) and _could_all_be_lists(numbers.dropna(), decimal):
        return None
    powers = {suffix: meaning[0] for suffix, meaning in meanings.items() if meaning}
    values = _plain(numbers, decimal, suffixes.fillna("").map({"": ""} | powers))
    odd = numbers.notna() & pd.to_numeric(column, errors="coerce").isna()
    first = int(np.flatnonzero(odd if odd.any() else numbers.notna())[0])
    return Written(values, next(iter(units), ""), (str(column.iloc[first]).strip(), float(values[first])))


def _pattern(decimal: str) -> str:
    between = _thousands(decimal)
    whole = rf"(?:\d{{1,3}}(?:{between}\d{{3}})+|\d+)"
    point = re.escape(decimal)
    number = rf"(?P<number>{_SIGN}(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][-+]?\d+)?)"
    spread = rf"(?:{_GAP}(?:±|\+/?-){_GAP}[\d.,]+)?"
    return rf"{number}{spread}{_GAP}(?P<suffix>%|[A-Za-zµ]{{1,8}})?"


def _thousands(decimal: str) -> str:
    return f"[{re.escape(',' if decimal == '.' else '.')}{re.escape(_SPACES)}]"


def _could_all_be_lists(numbers: pd.Series, decimal: str) -> bool:
    """Whether each has groups of three digits and nothing that a list of whole numbers has not."""
    return bool(numbers.str.fullmatch(rf"\d{{1,3}}(?:{_thousands(decimal)}\d{{3}})+").all())


def _plain(numbers: pd.Series, decimal: str, powers: pd.Series) -> NDArray[np.float64]:
    """The numbers times their powers of ten, which are written behind them: no product is rounded."""
    import pandas as pd

    plain = numbers.str.replace(_thousands(decimal), "", regex=True)
    plain = plain.str.replace(decimal, ".", regex=False).str.replace("\N{MINUS SIGN}", "-", regex=False)
    found: NDArray[np.float64] = pd.to_numeric(plain + powers, errors="coerce").to_numpy(
        np.float64, na_value=np.nan
    )
    return found


def _meaning(suffix: str) -> tuple[str, str] | None:
    """The power of ten a value is multiplied with, and its unit; None where nobody can know."""
    if suffix.lower() in UNITS:
        return "", UNITS[suffix.lower()]
    if suffix[0] in _SCALES and suffix[1:].lower() in _COUNTED:
        return _SCALES[suffix[0]], ""
    return ("", "") if suffix.lower() in (*_COUNTED, "x") else None
