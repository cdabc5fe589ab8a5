"""The space of NASNet cells: a normal and a reduction cell, each of a few blocks that join two states. No torch.

A block reads two states, each through an operation, and adds them. States are what the previous cell made, what the
one before it made, and the blocks so far. What no block reads is the cell's output, side by side.

Source: Zoph et al., "Learning transferable architectures for scalable image recognition", CVPR 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.spaces.choice import Choice
from core.spaces.space import SearchSpace

OPERATIONS = (
    "identity",
    "avg_pool_3x3",
    "max_pool_3x3",
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "conv_1x3_3x1",
    "conv_3x3",
    "dilated_conv_3x3",
    "conv_1x7_7x1",
)
"""All thirteen, from the cheapest to the dearest at usual widths."""
SMALL = ("identity", "avg_pool_3x3", "max_pool_3x3", "conv_1x1", "conv_3x3")
"""Five of them, for small images."""
KINDS = ("normal", "reduction")


def nasnet_space(blocks: int, operations: Sequence[str]) -> SearchSpace:
    """All pairs of a normal and a reduction cell.

    Args:
        blocks: of each cell.
        operations: to choose from, the cheapest first.
    """
    choices = []
    for kind in KINDS:
        for block in range(1, blocks + 1):
            for side in (1, 2):
                states = ("previous", "before", *(f"block {n}" for n in range(1, block)))
                # Small: each block reads the one before it alone. Large: all read the cell's inputs, and all are output.
                first = side - 1
                ends = (first if block == 1 else block, first)
                choices.append(
                    Choice(input_name(kind, block, side), states, "input", ordinal=False, ends=ends)
                )
                every = tuple(operations)
                choices.append(
                    Choice(
                        operation_name(kind, block, side),
                        every,
                        "operation",
                        ordinal=False,
                        ends=(0, len(every) - 1),
                    )
                )
    return SearchSpace(choices)


def input_name(kind: str, block: int, side: int) -> str:
    """Name of the choice of what a block reads, on one of its two sides."""
    return f"{kind}{block}_input{side}"


def operation_name(kind: str, block: int, side: int) -> str:
    """Name of the choice of an operation."""
    return f"{kind}{block}_operation{side}"


def unused_states(inputs: Sequence[int]) -> tuple[int, ...]:
    """States that no block reads, in order: 0 and 1 are the cell's inputs, block b (from 1) is b + 1.

    Args:
        inputs: what the blocks read, two each.
    """
    return tuple(state for state in range(2 + len(inputs) // 2) if state not in set(inputs))


def distinct_cells(blocks: int, operations: int) -> int:
    """Number of different cells: a block is a sum, so the order of its two sides does not count.

    With s states and o operations there are n = s * o things a side can be, and n * (n + 1) / 2 pairs of them.
    """
    sides = [(block + 1) * operations for block in range(1, blocks + 1)]
    return math.prod(n * (n + 1) // 2 for n in sides)
