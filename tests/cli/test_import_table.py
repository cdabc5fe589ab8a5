"""`import-table`: the front of a foreign file, and one line where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from core.library.foreign_tables.decoding import decoded
from tests.cli.conftest import Call
from tests.helpers.foreign_tables import FILES, ROWS, as_csv


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in this process: starting a confined one takes a second, and the first test below does."""
    monkeypatch.setattr("core.cli.importing.read_foreign", decoded)


def test_all_rows_that_count_with_their_front(call: Call, tmp_path: Path) -> None:
    file, out = tmp_path / "t.csv", tmp_path / "front.csv"
    file.write_bytes(as_csv())
    status, said, beside = call(
        "import-table", str(file), "--objectives", "accuracy:max,latency_ms:min", "--csv", str(out)
    )
    assert (status, said.strip()) == (0, str(out))
    assert "latency_ms: 2 rows are left off its fronts" in beside
    table = pd.read_csv(out)
    assert table["on_front"].tolist() == [True, True, True, False]
    about = json.loads((tmp_path / "front.about.json").read_text())
    assert about["rows"] == len(ROWS)
    assert about["columns"]["latency_ms"]["left_off"] == 2


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", FILES)
def test_every_format_from_the_command_line(call: Call, tmp_path: Path, name: str) -> None:
    file = tmp_path / "anything"
    file.write_bytes(FILES[name]())
    status, said, beside = call("import-table", str(file))
    assert status == 0
    assert beside.startswith("Guessed: --objectives ac")
    assert "on_front" in said.partition("\n")[0]
    assert "True" in said


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing.csv"], "There is no file"),
        (["{file}", "--objectives", "nope:min,accuracy:max"], "no column 'nope'"),
        (["{file}", "--objectives", "accuracy:up,latency_ms:min"], "say :min or :max"),
        (["{file}", "--objectives", "accuracy:max"], "two or more"),
        (["{file}", "--objectives", "arch:max,latency_ms:min"], "no number"),
        (["{bad}"], "no table that can be read"),
    ],
)
def test_what_cannot_be_done_is_one_line(call: Call, tmp_path: Path, arguments: list[str], says: str) -> None:
    file, bad = tmp_path / "t.csv", tmp_path / "bad.csv"
    file.write_bytes(as_csv())
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    status, said, beside = call("import-table", *(a.format(file=file, bad=bad) for a in arguments))
    assert status == 2
    assert said == ""
    assert len(beside.strip().splitlines()) == 1
    assert says in beside


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_the_front_in_further_formats(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(as_csv())
    endings = ("csv", "parquet", "json", "tex", "svg", "pdf")
    saves = [part for ending in endings for part in ("--save", str(tmp_path / f"f.{ending}"))]
    wanted = ("--objectives", "accuracy:max,latency_ms:min")
    status, said, _ = call("import-table", str(file), *wanted, *saves)
    assert status == 0
    assert said.split() == saves[1::2]
    first = pd.read_csv(tmp_path / "f.csv")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "f.parquet"), first, check_dtype=False)
    assert [row["on_front"] for row in json.loads((tmp_path / "f.json").read_text())] == first[
        "on_front"
    ].tolist()
    assert (tmp_path / "f.tex").read_text().count(r"\\") == 1 + 3
    assert b"imported table of 6 rows" in (tmp_path / "f.svg").read_bytes()
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")
    status, _, beside = call("import-table", str(file), *wanted, "--save", str(tmp_path / "f.docx"))
    assert (status, "the ending is one of" in beside) == (2, True)


@pytest.mark.slow
def test_a_supernets_front_in_further_formats(call: Call, tmp_path: Path) -> None:
    saves = [part for ending in ("parquet", "svg") for part in ("--save", str(tmp_path / f"f.{ending}"))]
    status, _, beside = call("front", "digits-cnn", "--exact", *saves)
    assert status == 0, beside
    assert len(pd.read_parquet(tmp_path / "f.parquet")) == 13_824
    assert b"digits" in (tmp_path / "f.svg").read_bytes()
