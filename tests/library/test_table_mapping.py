"""What counts on a front of an imported table, what is left off and why, and what exports hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.library.csv_tables import csv_bytes
from core.library.foreign_tables.decoding import decoded
from core.library.imported_tables import TableRows, front_table, rows_of
from core.library.table_guessing import guessed
from core.library.table_mapping import (
    LeftOff,
    ObjectiveColumn,
    TableMapping,
    asked,
    counted,
    described,
    may_stand,
)
from core.pareto import non_dominated
from core.records import Source
from core.words import column_label
from tests.helpers.foreign_tables import ROWS, as_csv, as_parquet

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "tables"


def rows(frame: pd.DataFrame = ROWS, **changes: object) -> TableRows:
    found, data = decoded(as_csv(frame))
    return rows_of(data, guessed(found).model_copy(update=changes))


def test_each_reason_is_counted_once_and_nothing_becomes_zero() -> None:
    column = pd.Series(["1.5", "", "oops", "inf", "0", "-2", None, "3"], dtype="str")
    values, left = counted(column, ObjectiveColumn(column="x", maximize=False, least="positive"))
    assert left == LeftOff("x", missing=2, words=1, infinite=1, zero=1, negative=1)
    np.testing.assert_equal(values, [1.5, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 3.0])
    said = left.sentence("Latency")
    assert said.startswith("Latency: 6 rows are left off its fronts: 2 have no value, 1 has a text instead")
    assert "never measured" in said
    for least, total in (("any", 4), ("zero", 5)):
        again, less = counted(column, ObjectiveColumn(column="x", maximize=False, least=least))
        assert less.total == total == int(np.isnan(again).sum())


def test_zero_where_a_latency_is_expected_is_on_no_front() -> None:
    table = rows()
    written = front_table(table, ["accuracy", "latency_ms"])
    assert written["arch"].tolist() == ["net-0", "net-1", "net-2", "net-4"]
    assert written["on_front"].tolist() == [True, True, True, False]
    assert list(written.columns[:5]) == ["arch", "accuracy", "latency_ms", "on_front", "source"]
    assert "2 rows are left off" in table.told(["latency_ms"])[0]
    # As the file stands, the zero would have been the best of all.
    mistaken = non_dominated(ROWS[["accuracy", "latency_ms"]].to_numpy(), maximize=[True, False])
    assert mistaken.tolist() == [False, False, False, False, False, True]


def test_guesses_are_on_no_front() -> None:
    told = [
        "measured",
        "measured: accuracy; predicted: latency_ms",
        "predicted",
        "measured (table)",
        "counted",
        "measured",
    ]
    table = rows(ROWS.assign(source=told))
    assert table.mapping.source == "source"
    assert may_stand(pd.Series(told), "accuracy").tolist() == [True, True, False, True, True, True]
    written = front_table(table, ["accuracy", "latency_ms"])
    assert written.loc[written["on_front"], "arch"].tolist() == ["net-0", "net-4"]
    assert "only predicted" in table.told(["latency_ms"])[0]
    whole = TableMapping(
        objectives=(
            ObjectiveColumn(column="accuracy", maximize=True),
            ObjectiveColumn(column="latency_ms", maximize=False, how=Source.PREDICTED),
        )
    )
    assert not front_table(rows_of(decoded(as_csv())[1], whole), ["accuracy", "latency_ms"])["on_front"].any()


def test_no_formula_in_a_file(tmp_path: Path) -> None:
    evil = ROWS.assign(arch=["=1+1", "+2", "-3", "@x", "\t=4", "ok"], latency_ms=1.0).rename(
        columns={"depth": "=cmd|'/C calc'!A0"}
    )
    content = csv_bytes(front_table(rows(evil), ["accuracy", "latency_ms"])).decode()
    assert all(
        cell[:1] not in "=+-@\t\r" for line in content.splitlines() for cell in line.split(",") if cell
    )


def test_what_is_asked_for() -> None:
    known = {"accuracy": ObjectiveColumn(column="accuracy", maximize=True)}
    columns = ["accuracy", "x:y", "Latency"]
    found = asked("accuracy, latency:min,x:y:max", known, columns)
    assert [(o.column, o.maximize) for o in found] == [("accuracy", True), ("Latency", False), ("x:y", True)]
    for text, says in (
        ("accuracy", "two or more"),
        ("accuracy,accuracy:min", "different"),
        ("accuracy:up,Latency:min", "min or :max"),
        ("accuracy,Latency", "say whether"),
    ):
        with pytest.raises(InvalidInput, match=says):
            asked(text, known, columns)
    with pytest.raises(NotFound, match="Did you mean 'accuracy'"):
        asked("acuracy:max,Latency:min", known, columns)


def test_a_mapping_of_another_table_or_a_damaged_one_is_refused() -> None:
    data = decoded(as_parquet())[1]
    with pytest.raises(InvalidInput, match="no column 'nope'"):
        rows_of(data, TableMapping(objectives=(ObjectiveColumn(column="nope", maximize=True),)))
    with pytest.raises(DamagedArtifact, match="import its file again"):
        rows_of(data[:-9], TableMapping(objectives=()))


@pytest.mark.skipif(not REAL.exists(), reason="the published tables are not on this machine")
def test_rows_that_hw_nas_bench_never_measured_are_named() -> None:
    found, data = decoded((REAL / "nas_bench_201_hardware.parquet").read_bytes())
    table = rows_of(data, guessed(found))
    for data_set in ("cifar10", "cifar100", "imagenet16"):
        column = f"{data_set}__edgetpu_latency"
        assert table.left[column].total == 4_699
        assert "4,699 rows are left off" in table.told([column])[0]
    written = front_table(table, ["cifar10__edgetpu_latency", "cifar10__edgegpu_energy"])
    assert len(written) == 15_625 - 4_699
    assert written["cifar10__edgetpu_latency"].min() > 0


def test_the_results_of_timm_are_an_accuracy_and_its_parameters() -> None:
    head = "model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation"
    rows = [
        f"net{n},{224 + 32 * (n % 3)},{70 + n},{30 - n},{90 + n},{10 - n},{5.5 * n + 1},0.9,bicubic"
        for n in range(8)
    ]
    mapping = guessed(decoded("\n".join([head, *rows]).encode())[0])
    assert mapping.identity == "model"
    assert [(each.column, each.maximize) for each in mapping.objectives] == [
        ("top1", True),
        ("top5", True),
        ("param_count", False),
        ("top1_err", False),
        ("top5_err", False),
    ]
    assert {"img_size", "crop_pct"} <= set(mapping.configuration)


def test_errors_alone_are_objectives_in_the_order_of_the_file() -> None:
    mapping = guessed(decoded(b"net,error,latency\na,0.1,3\nb,0.2,1\n")[0])
    assert [each.column for each in mapping.objectives] == ["error", "latency"]


@pytest.mark.parametrize(
    ("column", "unit", "label"),
    [
        ("Latency (ms)", "ms", "Latency"),
        ("Energy [mJ]", "mJ", "Energy"),
        ("Top-1 (%)", "%", "Top-1"),
        ("latency_ms", "ms", "latency_ms"),
        ("Latency (GPU)", "ms", "Latency (GPU)"),
        ("(ms)", "ms", "(ms)"),
        ("Params (M)", "", "Params (M)"),
    ],
)
def test_a_unit_is_written_once(column: str, unit: str, label: str) -> None:
    goal = described(ObjectiveColumn(column=column, maximize=False, unit=unit))
    assert goal.name == column
    assert goal.label == label
    assert column_label(goal) == (f"{label} ({unit})" if unit else label)
