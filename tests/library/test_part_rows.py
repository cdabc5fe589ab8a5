"""Where parts stand in the record of their run: every number comes back to its part, and none takes another's place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.library.part_rows import PLACES, Places, numbered, part_file


@given(st.sets(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=40))
def test_rows_of_parts_come_back_and_none_takes_the_place_of_another(steps: set[tuple[int, int]]) -> None:
    places = Places("net", 12)
    own = [(index, {"step": step, "epoch": step, "loss": 0.5}) for index, step in sorted(steps)]
    rows = [places.whole(index, row) for index, row in own]
    assert len({row["step"] for row in rows}) == len(rows)
    assert [(row["net"], row["step"]) for row in rows] == [(i, i * 12 + row["epoch"]) for i, row in own]
    expected: dict[int, list[object]] = {}
    for index, row in own:
        expected.setdefault(index, []).append(row)
    assert places.parts([{"step": 3, "phase": "nobody's"}, *rows]) == expected


def test_a_part_may_not_have_more_steps_than_its_place() -> None:
    assert PLACES.whole(2, {"step": 1_000_000})["step"] == 3_000_000
    for step in (-1, 1_000_001):
        with pytest.raises(ValueError, match="there may be 1,000,000"):
            PLACES.whole(2, {"step": step})


def test_files_and_checkpoints_are_those_of_earlier_releases() -> None:
    assert part_file(3, "supernet.safetensors") == "part-3-supernet.safetensors"
    assert numbered((258).to_bytes(8, "little") + b"state") == (258, b"state")
