"""One writer of CSV: the same question gives the same bytes on a page and on the command line."""

from __future__ import annotations

import ast
import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.library import supernets
from core.library.csv_tables import about_table, csv_bytes, search_csv
from core.library.fronts import front
from core.objectives.base import objective
from core.pareto import Constraint
from core.settings import settings
from core.store import RunStore
from pages.ui.captions import measured_objectives
from pages.ui.front.files import Files
from pages.ui.front.state import View

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    return tmp_path


def of_the_page(*limits: Constraint) -> Files:
    entry = supernets.find(None, "digits-cnn")
    table = supernets.table_with_counts(entry)
    assert table is not None
    x, y = objective("macs"), objective("accuracy")
    shown = front(table, ("macs", "accuracy"), limits)
    view = View(supernet="digits-cnn", x="macs", y="accuracy", constraints=limits)
    return Files(entry, shown, x, y, tuple(measured_objectives(table)), view)


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


@pytest.mark.slow
def test_page_and_command_line_write_the_same_bytes(home: Path) -> None:
    files, out = of_the_page(), home / "all.csv"
    command = files.command().split()
    assert command[:3] == ["python", "-m", "core"]
    done = CliRunner().invoke(app, [*command[3:], "--csv", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_bytes() == files.csv(files.front.table)
    theirs, ours = (
        json.loads(text) for text in (out.with_name("all.about.json").read_bytes(), files.about())
    )
    assert theirs | {"command": ""} == ours | {"command": ""}
    assert list(ours["columns"]) == list(rows_of(out.read_bytes())[0])


@pytest.mark.slow
def test_the_rows_that_are_shown_and_all_of_them() -> None:
    files = of_the_page()
    few, everything = rows_of(files.csv(files.front.members)), rows_of(files.csv(files.front.table))
    assert len(few) == 22
    assert {row["on_front"] for row in few} == {"True"}
    assert len(everything) == 13_824
    order = {row["network"]: number for number, row in enumerate(everything)}
    of_front = [row for row in everything if row["on_front"] == "True"]
    assert of_front == sorted(few, key=lambda row: order[row["network"]])
    # The limits of the page decide which rows are meant, and no command says the same.
    limited = of_the_page(Constraint("macs", upper=10_000.0))
    assert 0 < len(rows_of(limited.csv(limited.front.table))) < 13_824
    assert limited.command() == ""


@pytest.mark.slow
def test_ids_keep_their_zeros(tmp_path: Path) -> None:
    files = of_the_page()
    path = tmp_path / "f.csv"
    path.write_bytes(files.csv(files.front.table))
    read = pd.read_csv(path)  # takes for a number what a spreadsheet would
    assert read["network"].iloc[0] == "subnet:digits-cnn:000000000000"
    assert set(read["network"].str.split(":").str[2]) == set(files.front.table["arch_id"])


def test_a_search_is_the_same_file_on_the_page(home: Path) -> None:
    out = home / "evals.csv"
    asked = ["search", "digits-cnn", "--algorithm", "random_search", "--budget", "20", "--seed", "4"]
    done = CliRunner().invoke(app, [*asked, "--csv", str(out)])
    assert done.exit_code == 0, done.output
    place = settings()
    with RunStore(place.database_url, place.home) as store:
        [run] = store.list_runs(kind="search_front")
        entry = supernets.find(store, "digits-cnn")
        assert search_csv(entry, run, store.ledger(run.run_id)) == out.read_bytes()
    about = json.loads(out.with_name("evals.about.json").read_bytes())
    assert about["algorithm"]["name"] == "random_search"
    assert about["algorithm"]["seed"] == 4
    assert about["supernet"]["sha256"] == entry.sha256
    assert about["data"]["fingerprint"]
    assert about["columns"]["macs"]["unit"] == "MACs"
    assert about["columns"]["accuracy"]["split"] == "validation"


def test_cells_are_no_formulas_and_numbers_stay_numbers() -> None:
    table = pd.DataFrame(
        {"name": ["=1+1", "010", "-x", "plain", None], "accuracy": [-0.5, 0.5, np.nan, 1.0, 2.0]}
    )
    assert csv_bytes(table) == b"name,accuracy\n'=1+1,-0.5\n010,0.5\n'-x,\nplain,1.0\n,2.0\n"
    assert csv_bytes([{"a": "@x", "b": 1}]) == b"a,b\n'@x,1\n"


def test_a_description_says_what_every_column_is() -> None:
    entry = supernets.find(None, "digits-cnn")
    about = json.loads(about_table(entry, ["architecture", "latency_ms", "on_front"]))
    assert all(column["meaning"] for column in about["columns"].values())
    assert about["columns"]["latency_ms"]["unit"] == "ms"
    assert about["algorithm"] == {"name": "exhaustive", "seed": None}


def test_nobody_else_writes_csv() -> None:
    writers = {"to_csv", "writer", "DictWriter"}
    for path in [*(ROOT / "core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]:
        if path.name == "csv_tables.py" or path.parent.name == "predicting":  # a download's own script
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in writers:
                owner = node.value
                assert node.attr != "to_csv", f"{path}:{node.lineno}"
                assert not (isinstance(owner, ast.Name) and owner.id == "csv"), f"{path}:{node.lineno}"


def test_intervals_and_the_share_of_resamples_are_in_every_file_of_a_front_whose_samples_are_known(
    home: Path,
) -> None:
    files = of_the_page()
    members = files.front.members
    first = pd.read_csv(io.BytesIO(files.written(members)))
    assert {"accuracy_low", "accuracy_high", "front_share"} <= set(first)
    assert (first["accuracy_low"] < first["accuracy"]).all()
    parquet = pd.read_parquet(io.BytesIO(files.written(members, "parquet")))
    pd.testing.assert_frame_equal(parquet, first, check_dtype=False)
    assert [row["front_share"] for row in json.loads(files.written(members, "json"))] == first[
        "front_share"
    ].tolist()
    latex = files.latex().decode()
    assert "95 \\% interval" in latex
    assert "On the front in resamples" in latex
    assert "--intervals" in files.command()
