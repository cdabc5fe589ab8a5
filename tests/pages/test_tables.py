"""Settings of a run as two columns: nothing of what was asked for is cut, or written as Python writes it."""

from __future__ import annotations

import pytest

from pages.ui import tables
from pages.ui.tables import flat_settings, height_of, settings_table


def test_methods_of_a_list_go_by_their_names() -> None:
    asked = {
        "methods": [
            {"name": "magnitude", "config": {}, "sparsities": [0.5, 0.8]},
            {"name": "taylor", "config": {"samples": 64}},
            {"name": "random", "config": {}},
        ]
    }
    assert flat_settings(asked) == [
        ("methods / magnitude / sparsities", "0.5, 0.8"),
        ("methods / taylor / config / samples", "64"),
        ("methods / random", "defaults"),
    ]


def test_those_of_one_name_and_of_none_go_by_their_numbers() -> None:
    twice = {"methods": [{"name": "snip", "seed": 1}, {"name": "snip", "seed": 2}]}
    assert flat_settings(twice)[2:] == [("methods / 2 / name", "snip"), ("methods / 2 / seed", "2")]
    assert flat_settings({"phases": [{"epochs": 3}]}) == [("phases / 1 / epochs", "3")]


def test_what_is_empty_is_said_and_plain_lists_are_lines() -> None:
    found = flat_settings({"a": [], "b": {}, "c": None, "d": [1, 2], "e": {"f": False}})
    assert found == [("a", "none"), ("b", "none"), ("c", "none"), ("d", "1, 2"), ("e / f", "False")]


def test_long_lists_are_not_cut_and_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(tables.st, "html", drawn.append)
    settings_table({"subnets": ["0123456789ab"] * 12, "name": "<b>"}, "Settings")
    assert drawn[0].count("0123456789ab") == 12
    assert "…" not in drawn[0]
    assert "&lt;b&gt;" in drawn[0]


def test_a_table_is_as_high_as_its_rows_in_both_sizes_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit draws rows of 2.1875 rem: `tests/e2e/test_tables.py` sees that none is hidden."""
    assert (height_of(1), height_of(3)) == (68, 134)
    assert height_of(50) == height_of(10) > height_of(50, most=8)
    monkeypatch.setattr(tables.projector, "is_on", lambda: True)
    assert height_of(1) == 80
