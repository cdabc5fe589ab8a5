"""One contract for every reader of foreign tables: it knows its files and no others, reads the numbers, refuses the rest.

A new reader needs an entry in `tests.helpers.foreign_tables.FILES`.
"""

from __future__ import annotations

import pytest

from core.errors import InvalidInput
from core.library.foreign_tables.base import HEAD, READERS, ForeignTable, reader_of, suffixes
from core.library.foreign_tables.decoding import decoded
from tests.helpers.foreign_tables import FILES, ROWS
from tests.security.hostile_files import plain_sentence

NAMES = READERS.names()


def test_every_reader_has_a_file() -> None:
    assert sorted(FILES) == NAMES
    assert {"csv", "parquet", "jsonl", "db", "log"} <= set(suffixes())
    ranks = [READERS.get(name).rank for name in NAMES]
    assert len(set(ranks)) == len(ranks), "which of two is asked first must not depend on their names"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_finds_its_reader_whatever_it_is_called(name: str) -> None:
    data = FILES[name]()
    assert reader_of(data).name == name
    first = min(
        (READERS.create(each) for each in NAMES if READERS.create(each).fits(data[:HEAD])),
        key=lambda r: r.rank,
    )
    assert first.name == name


@pytest.mark.parametrize("name", NAMES)
def test_numbers_come_through(name: str) -> None:
    found = READERS.create(name).read(FILES[name]())
    assert isinstance(found, ForeignTable)
    frame = found.frame
    if name.startswith("optuna"):
        assert frame["acc"].tolist()[:2] == [0.5, 0.6]
        assert frame["acc"].isna().tolist() == [
            False,
            False,
            True,
        ]
        assert frame["kernel"].tolist() == ["small", "large", "small"]
        assert frame["depth"].tolist() == [1, 2, 3]
        assert frame["note"].tolist() == ["n0", "n1", "n2"]
        assert found.hints["acc"].maximize is True
        assert found.hints["ms"].maximize is False
        assert "1 of 3 trials did not complete" in found.notes[0]
    else:
        assert frame["accuracy"].astype(float).tolist() == ROWS["accuracy"].tolist()
        assert frame["arch"].tolist() == ROWS["arch"].tolist()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_half_a_file_is_read_or_refused_in_a_sentence(name: str, cut: float) -> None:
    data = FILES[name]()
    refusal = ""
    try:
        decoded(data[: int(cut * len(data))])
    except InvalidInput as error:
        refusal = str(error)
    if refusal:
        assert plain_sentence(refusal), refusal
    else:
        # What has no end of its own cannot be told from a shorter file.
        assert name in ("csv", "json_lines", "optuna_journal", "optuna_sqlite")


def test_what_is_no_table_is_refused() -> None:
    for data in (
        b"",
        b"  \n",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"%PDF-1.4",
        b"\x80\x04\x95K\x00.",
        b"PK\x03\x04" + bytes(40),
    ):
        with pytest.raises(InvalidInput):
            decoded(data)
