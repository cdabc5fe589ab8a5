"""Numbers as a person reads them, and names made safe."""

from __future__ import annotations

import pytest

from core.objectives.base import objective
from core.over_seeds import spread
from core.plots.over_seeds import in_words
from core.text import LONGEST, display_name, for_cell, for_figure, for_markdown
from core.words import axis_title, format_bytes, format_seconds, format_value


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.9731, "97.3 %"),
        ("accuracy", 1.0, "100.0 %"),
        ("macs", 1_240_000, "1.24 M"),
        ("params", 12_345, "12.3 k"),
        ("params", 999, "999"),
        ("macs", 999_950, "1 M"),
        ("macs", 999_400, "999 k"),
        ("macs", 0, "0"),
        ("size_bytes", 48_000, "48 kB"),
        ("size_bytes", 512, "512 B"),
        ("latency_ms", 0.4249, "0.42 ms"),
        ("loss", 0.1234, "0.123 nats"),
        ("macs", None, "not measured"),
        ("accuracy", float("nan"), "not measured"),
        ("macs", float("inf"), "not measured"),
    ],
)
def test_values(name: str, value: float | None, text: str) -> None:
    assert format_value(value, objective(name)) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.012, "+1.2 points"),
        ("accuracy", -0.012, "−1.2 points"),
        ("macs", -23_800, "−23.8 k"),
        ("latency_ms", 0.5, "+0.50 ms"),
        ("params", 0, "±0"),
    ],
)
def test_differences_carry_a_sign(name: str, value: float, text: str) -> None:
    assert format_value(value, objective(name), signed=True) == text


def test_spread_and_units() -> None:
    assert format_value(0.42, objective("latency_ms"), spread=0.03) == "0.42 ms ± 0.03"
    assert axis_title(objective("accuracy")).startswith("Validation accuracy (%)")
    assert [format_seconds(s) for s in (None, 8.2, 125, 4200)] == ["", "8 s", "2 min 05 s", "1 h 10 min"]
    assert format_bytes(1_240_000) == "1.24 MB"


HOSTILE = [
    "<script>alert(1)</script>",
    "**bold**",
    "[x](javascript:alert(1))",
    "![x](http://evil/x.png)",
    "$\\href{javascript:1}{x}$",
    "`code`",
    ":red[x]",
    "a\nb\r\n# head",
    "\u202egnp.exe",
    "x" * 1_000_000,
    "\x00\x1b[31m",
    "| a | b |",
    "&lt;b&gt;",
    "<https://evil>",
    "~~x~~",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_come_out_as_one_plain_short_line(name: str) -> None:
    shown = display_name(name)
    assert len(shown) <= LONGEST
    assert "\n" not in shown
    assert "\u202e" not in shown
    assert not {"<", ">", "$"} & set(for_figure(name))
    markdown = for_markdown(name)
    for index, character in enumerate(markdown):
        if character in "*[]()<>#`$~|:!":
            assert markdown[index - 1] == "\\"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\tx", "\rx"])
def test_cells_are_no_formulas(text: str) -> None:
    assert for_cell(text).startswith("'")
    assert for_cell("plain") == "plain"


@pytest.mark.parametrize(
    ("values", "reads"),
    [
        ([400, 400, 400], "400 (400 to 400, n = 3)"),
        ([21, 22, 24], "22.3 (21.0 to 24.0, n = 3)"),
        ([682_000.25, 683_000.5, 684_000.75], "683000 (682000 to 684001, n = 3)"),
        ([0.5], "0.5 (n = 1)"),
    ],
)
def test_numbers_over_seeds_have_as_many_decimals_as_they_need(values: list[float], reads: str) -> None:
    assert in_words(spread(values)) == reads


def test_shares_over_seeds_keep_theirs() -> None:
    assert in_words(spread([0.93, 0.93]), factor=100.0, unit=" %") == "93.0 % (93.0 to 93.0, n = 2)"
