"""NAS-Bench-201 cells as strings, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`, and their search space. No torch.

`op~j` is the operation on the edge from node j; the three groups are the nodes 1, 2 and 3.
Source: Dong and Yang, "NAS-Bench-201", ICLR 2020.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.errors import InvalidInput
from core.spaces.choice import Choice
from core.spaces.space import SearchSpace

OPERATIONS = ("none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3")
"""From the cheapest to the dearest; the benchmark itself lists them in another order."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) in the order of the string."""

_MOST_CHARACTERS = 400


def edge_name(start: int, end: int) -> str:
    return f"edge_{start}_{end}"


_ENDS = (OPERATIONS.index("skip_connect"), OPERATIONS.index("nor_conv_3x3"))
"""Skips everywhere cost nothing, like `none`, and still bring the input to the output."""


class CellSpace(SearchSpace):
    """Six edges with five operations each: 15,625 cells, of which 15,284 pass their input on."""

    def __init__(self) -> None:
        super().__init__(
            [Choice(edge_name(*e), OPERATIONS, "operation", ordinal=False, ends=_ENDS) for e in EDGES]
        )

    def computes(self, arch: Sequence[int]) -> bool:
        """Whether a path without `none` leads from the first node to the last."""
        reached = {0}
        for (start, end), operation in zip(EDGES, arch, strict=True):
            if start in reached and OPERATIONS[operation] != "none":
                reached.add(end)
        return EDGES[-1][1] in reached


def cell_space() -> CellSpace:
    """The search space of NAS-Bench-201."""
    return CellSpace()


def format_arch_string(operations: Sequence[str]) -> str:
    """The string of six operations in the order of `EDGES`.

    Raises:
        InvalidInput: not six, or one that does not exist.
    """
    if len(operations) != len(EDGES) or not set(operations) <= set(OPERATIONS):
        raise InvalidInput(f"A cell has six operations out of {', '.join(OPERATIONS)}.")
    nodes = []
    for node in (1, 2, 3):
        parts = [f"{op}~{start}" for op, (start, end) in zip(operations, EDGES, strict=True) if end == node]
        nodes.append(f"|{'|'.join(parts)}|")
    return "+".join(nodes)


def parse_arch_string(text: str) -> tuple[str, ...]:
    """The six operations of a string, in the order of `EDGES`.

    Raises:
        InvalidInput: the text is no such string.
    """
    readable = isinstance(text, str) and len(text) <= _MOST_CHARACTERS
    operations = tuple(re.findall(r"(\w+)~\d", text)) if readable else ()
    if (
        len(operations) != len(EDGES)
        or not set(operations) <= set(OPERATIONS)
        or format_arch_string(operations) != text
    ):
        raise InvalidInput(
            "This is no NAS-Bench-201 cell; one looks like |op~0|+|op~0|op~1|+|op~0|op~1|op~2|."
        )
    return operations
