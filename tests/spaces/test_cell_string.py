"""NAS-Bench-201 strings: all of them there and back, and nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from core.errors import InvalidInput
from core.spaces.cell_string import EDGES, OPERATIONS, cell_space, format_arch_string, parse_arch_string


def test_all_cells_there_and_back() -> None:
    texts = set()
    for operations in itertools.product(OPERATIONS, repeat=len(EDGES)):
        text = format_arch_string(operations)
        assert parse_arch_string(text) == operations
        texts.add(text)
    assert len(texts) == cell_space().size == 15_625


def test_reads_the_published_form() -> None:
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    assert parse_arch_string(text) == ("nor_conv_3x3", "none", "nor_conv_3x3", "skip_connect", "none", "none")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|none~0|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|nope~2|",
        "|none~1|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|x",
        "a" * 10_000_000,
        "|none~0|" * 6,
    ],
    ids=range(7),
)
def test_anything_else_is_refused_in_plain_words(text: str) -> None:
    with pytest.raises(InvalidInput, match="no NAS-Bench-201 cell"):
        parse_arch_string(text)
    with pytest.raises(InvalidInput):
        format_arch_string(["none"] * 5)


@pytest.mark.parametrize("value", [None, 3, 1.5, b"|none~0|", ["none"] * 6, {}], ids=range(6))
def test_what_is_no_text_is_refused_in_the_same_words(value: Any) -> None:
    with pytest.raises(InvalidInput, match="no NAS-Bench-201 cell"):
        parse_arch_string(value)
