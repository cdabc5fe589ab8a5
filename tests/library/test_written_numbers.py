"""Numbers as people write them, read back; and what only looks like them, left alone."""

from __future__ import annotations

import io
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.library.foreign_tables.decoding import decoded
from core.library.foreign_tables.written_numbers import Convention, convention_of, read_numbers
from core.library.table_guessing import guessed


def column(*texts: str | None) -> pd.Series:
    return pd.Series(list(texts), dtype="str")


@pytest.mark.parametrize(
    ("texts", "decimal", "values", "unit"),
    [
        (["85,33 %", "7,5 %"], ",", [85.33, 7.5], "%"),
        (["1.234.567,5", "3"], ",", [1234567.5, 3], ""),
        (["25.6M", "900K", "1.2B", "3"], ".", [25.6e6, 900e3, 1.2e9, 3], ""),
        (["4.1 GFLOPs", "310 MFLOPs"], ".", [4.1e9, 310e6], ""),
        (["12 ms", "3.5ms", "4"], ".", [12, 3.5, 4], "ms"),
        (["76.1 ± 0.2", "75.9±0.15", "70.2 +/- 1"], ".", [76.1, 75.9, 70.2], ""),
        (["1 234 567.5", "1’234", "12"], ".", [1234567.5, 1234, 12], ""),
        (["\N{MINUS SIGN}0.5 %", "-1.5e-3 %"], ".", [-0.5, -1.5e-3], "%"),
        (["1.00x", "2.5x"], ".", [1, 2.5], ""),
    ],
)
def test_what_is_written_is_read(texts: list[str], decimal: str, values: list[float], unit: str) -> None:
    found = read_numbers("accuracy", column(*texts, None), decimal)
    assert found is not None
    np.testing.assert_array_equal(found.values, [*values, np.nan])
    assert found.unit == unit
    assert found.example[0] in texts
    assert found.example[1] == values[texts.index(found.example[0])]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("widths", ["128,256", "64,128", "16,320,640"]),
        ("widths", ["128 256 512", "64 128 256"]),
        ("arch", ["25.6M", "30.1M"]),
        ("architecture", ["1_2", "3_4"]),
        ("latency", ["12 ms", "1.2 s"]),
        ("kernels", ["3x3", "5x5"]),
        ("device", ["phone", "gpu", "12"]),
        ("released", ["2024-01-02", "2024-02-03"]),
        ("version", ["1.2.3", "1.10.0"]),
        ("depths", ["1,2", "2,3"]),
        ("resolution", ["224 px", "256 px"]),
        ("empty", ["", "  "]),
    ],
)
def test_what_only_looks_so_is_left_alone(name: str, texts: list[str]) -> None:
    assert read_numbers(name, column(*texts)) is None


def test_a_cost_has_thousands_where_a_list_has_widths() -> None:
    found = read_numbers("Params", column("4,233,120", "25,557,032"))
    assert found is not None
    assert found.values.tolist() == [4_233_120, 25_557_032]


def test_words_between_numbers_are_neither_read_nor_lost() -> None:
    text = "net,latency\na,1.2 ms\nb,OOM\nc,3 ms\nd,\n"
    found, columns = decoded(text.encode())
    latency = found.columns[1]
    assert (latency.words, latency.missing, latency.unit, latency.low) == (1, 1, "ms", 1.2)
    assert [(each.column, each.unit) for each in guessed(found).objectives] == [("latency", "ms")]
    kept = pd.read_parquet(io.BytesIO(columns))["latency"]
    assert kept[1] == "OOM"
    assert float(kept[0]) == 1.2


def test_nothing_is_said_where_every_number_was_one_already() -> None:
    found, columns = decoded(b"net,latency\na,1.50\nb,OOM\nc,3\n")
    assert found.notes == ()
    assert pd.read_parquet(io.BytesIO(columns))["latency"].tolist() == ["1.50", "OOM", "3"]


_VALUES = st.lists(st.floats(-1e9, 1e9).map(lambda v: round(v, 3)), min_size=1, max_size=20)


@given(_VALUES, st.sampled_from([".", ","]), st.sampled_from(["", " %", "ms", " ms"]), st.booleans())
def test_what_any_country_writes_is_read_back(
    values: list[float], decimal: str, unit: str, grouped: bool
) -> None:
    other = "," if decimal == "." else "."
    swap = str.maketrans({".": decimal, ",": other})
    texts = [f"{value:{',' if grouped else ''}.3f}".translate(swap) + unit for value in values]
    found = read_numbers("accuracy", column(*texts), decimal)
    assert found is not None
    np.testing.assert_array_equal(found.values, values)
    assert found.unit == unit.strip()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["3,14", "net 1", "2,7"], Convention(",")),
        (["3,14", "1.234"], Convention(",", ".")),
        (["3.14", "2.5", "1,2"], Convention()),
        (["3,14", "2,5", "2.55"], Convention(",")),
        (["3,14", "2,5", "1.234", "2.55"], Convention(",")),
        (["1,234"], Convention(",")),
        (["1.234"], Convention()),
        (["1,2,3", "4,5,6"], Convention()),
        ([], Convention()),
    ],
)
def test_a_file_says_itself_how_it_writes_numbers(fields: list[str], expected: Convention) -> None:
    assert convention_of(fields) == expected


SPREADSHEET = (
    "Modell;Top-1 Größe (%);Latenz (ms);Parameter\nnetz-a;85,33 %;12,5;1.234\nnetz-b;80,1 %;1,25;5.432\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_a_spreadsheet_of_elsewhere_writes(encoding: str) -> None:
    found, columns = decoded(SPREADSHEET.encode(encoding))
    assert found.names == ("Modell", "Top-1 Größe (%)", "Latenz (ms)", "Parameter")
    assert [each.kind for each in found.columns] == ["text", "number", "number", "number"]
    frame = pd.read_parquet(io.BytesIO(columns))
    assert frame.iloc[:, 1:].to_numpy(float).tolist() == [[85.33, 12.5, 1234], [80.1, 1.25, 5432]]
    assert found.notes == (
        "Read as numbers, with decimal commas: Top-1 Größe (%) 85,33 % as 85.33 %; Latenz (ms) 12,5 as 12.5.",
    )
    assert {(each.column, each.unit) for each in guessed(found).objectives} >= {("Latenz (ms)", "ms")}


def test_what_papers_print_is_a_table_of_objectives() -> None:
    text = 'Model,Params,FLOPs,Top-1\na,25.6M,4.1G,76.1 ± 0.2\nb,900K,310M,70.2\nc,"1,234,567",1.2T,71\n'
    found, _ = decoded(text.encode())
    assert {(each.column, each.maximize, each.unit) for each in guessed(found).objectives} == {
        ("Params", False, ""),
        ("FLOPs", False, ""),
        ("Top-1", True, "%"),
    }
    assert guessed(found).identity == "Model"
    assert found.first[0] == ("a", "25600000", "4100000000", "76.1")
    assert found.notes[0].startswith(
        "Read as numbers: Params 25.6M as 25,600,000; FLOPs 4.1G as 4,100,000,000;"
    )


def test_many_such_columns_are_said_in_a_sentence() -> None:
    text = ",".join(f"c{n}" for n in range(9)) + "\n" + ",".join(["1 %"] * 9) + "\n"
    notes = decoded(text.encode())[0].notes
    assert len(notes) == 1
    assert notes[0].endswith("c4 1 % as 1 %; and 4 more columns.")


@pytest.mark.parametrize(
    "text", [" " * 4000 + "!", "1" * 4000 + "!", "1 " * 2000, "1,234" * 800, "1" + " " * 4000 + "x y"]
)
def test_no_text_takes_long_to_look_at(text: str) -> None:
    began = time.process_time()
    read_numbers("c", column(*["1.5 %"] * 600, *[text] * 300))
    assert time.process_time() - began < 2
