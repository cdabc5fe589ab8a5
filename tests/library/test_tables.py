"""Tables as files: what is written comes back, and nothing else is taken for a table of the space."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.library.tables import dump_table, parse_table
from core.spaces import Choice, SearchSpace

SPACE = SearchSpace(
    [
        Choice("depth", (1, 2, 4)),
        Choice("kernel", (3, 5), requires=("depth", (1, 2))),
        Choice("kind", ("conv", "pool")),
    ]
)
COUNTS = st.integers(0, 2**53)
SHARES = st.floats(0, 1, allow_nan=False)


def file_of(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def whole(**values: Any) -> pd.DataFrame:
    """A table as it is written, to be spoiled."""
    return pd.read_parquet(io.BytesIO(dump_table(SPACE, SPACE.array(), values)))


ROW = st.tuples(st.sampled_from(SPACE.array().tolist()), SHARES, COUNTS, st.sampled_from(["measured", "?"]))


@settings(deadline=None, max_examples=20)
@given(st.lists(ROW, min_size=1, max_size=12))
def test_numbers_options_and_sources_come_back_row_by_row(measured: list[Any]) -> None:
    rows, accuracy, macs, told = (np.array(column) for column in zip(*measured, strict=True))
    found = parse_table(
        dump_table(SPACE, rows, {"macs": macs, "accuracy": accuracy}, {"accuracy": told}), SPACE
    )
    assert found["accuracy"].tolist() == accuracy.tolist()
    assert found["macs"].tolist() == macs.tolist(), "counts are exact"
    assert found["accuracy_source"].tolist() == told.tolist()
    assert "macs_source" not in found
    for arch_id, row in zip(found["arch_id"], found.to_dict("records"), strict=True):
        assert SPACE.to_dict(SPACE.from_id(arch_id)).items() <= row.items()
    assert [SPACE.from_id(arch_id) for arch_id in found["arch_id"]] == [tuple(row) for row in rows.tolist()]


def test_a_choice_that_does_not_matter_shows_its_first_option() -> None:
    found = parse_table(dump_table(SPACE, np.array([[0, 1, 1], [1, 1, 0]], np.uint8), {}), SPACE)
    assert found["arch_id"].tolist() == [SPACE.arch_id((0, 0, 1)), SPACE.arch_id((1, 1, 0))]
    assert found[["depth", "kernel", "kind"]].to_numpy().tolist() == [[1, 3, "pool"], [2, 5, "conv"]]


def test_columns_nobody_knows_are_left_alone_and_missing_numbers_stay_missing() -> None:
    frame = whole(accuracy=np.linspace(0, 1, SPACE.size)).assign(
        taste=7.0, loss=None, arch_id="forged", strange_source="x"
    )
    found = parse_table(file_of(frame), SPACE)
    assert "taste" not in found
    assert "strange_source" not in found
    assert found["loss"].isna().all()
    assert found["arch_id"].tolist() == SPACE.arch_ids(SPACE.array()), "ids are computed, never believed"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame.assign(depth=3),
        lambda frame: frame.assign(kernel=2),  # within another choice, outside its own
        lambda frame: frame.assign(depth=-1),
        lambda frame: frame.assign(depth=256),
        lambda frame: frame.assign(depth=-256),
        lambda frame: frame.assign(depth=0.5),
        lambda frame: frame.assign(depth=np.nan),
        lambda frame: frame.assign(depth="many"),
        lambda frame: frame.assign(depth=None),
        lambda frame: frame.drop(columns="kind"),
        lambda frame: frame.assign(accuracy="good"),
        lambda frame: frame.assign(accuracy=[[0.5]] * len(frame)),
    ],
)
def test_a_table_with_something_else_in_it_is_refused(spoil: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    frame = whole(accuracy=np.zeros(SPACE.size))
    assert len(parse_table(file_of(frame), SPACE)) == SPACE.size
    with pytest.raises(InvalidInput):
        parse_table(file_of(spoil(frame)), SPACE)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_damaged_bytes_are_refused_or_still_rows_of_the_space(at: int, written: bytes) -> None:
    data = bytearray(dump_table(SPACE, SPACE.array(), {"accuracy": np.linspace(0, 1, SPACE.size)}))
    start = at % (len(data) - len(written))
    data[start : start + len(written)] = written
    try:
        found = parse_table(bytes(data), SPACE)
    except InvalidInput:
        return
    known = set(SPACE.arch_ids(SPACE.array()))
    assert set(found["arch_id"]) <= known


def test_an_empty_table_has_the_columns_and_no_row() -> None:
    found = parse_table(dump_table(SPACE, SPACE.array()[:0], {"macs": np.zeros(0)}), SPACE)
    assert (len(found), list(found)) == (0, ["arch_id", "depth", "kernel", "kind", "macs"])
