"""Where a network can be cut: between its operations, where a single value passes.

Each piece becomes one stage of a chain. Pieces without weights join their neighbors, so that every stage has a layer
that says how many channels enter it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from core.networks.operations.channels import Flow
from core.networks.operations.steps import LAYERS, OPERATIONS, Step, last_reads, renumbered

Span = tuple[int, int]
"""Steps of a segment: of (a, b), steps a + 1 to b; value a enters."""
_TO_VECTORS = ("mean", "max", "flatten")


def segments(steps: Sequence[Step], flows: Sequence[Flow]) -> list[Span]:
    """The segments of a network, in order.

    Args:
        steps: of the whole network.
        flows: its values, as `channels.trace` returns them.
    """
    found: list[Span] = []
    waiting: int | None = None
    for start, end in pairwise(_cuts(steps, flows)):
        begin = start if waiting is None else waiting
        if _weighs(steps, flows, (begin, end)):
            found.append((begin, end))
            waiting = None
        elif found and waiting is None and _joins(steps, flows, found[-1], (start, end)):
            found[-1] = (found[-1][0], end)
        else:
            waiting = begin
    if waiting is not None:
        begin, end = (found.pop()[0] if found else waiting), len(steps)
        found.append((begin, end))
    return found


def passes(steps: Sequence[Step], flows: Sequence[Flow]) -> bool:
    """Whether a segment only adds something to its input, so that the network fits together without it."""
    if flows[-1].shape != flows[0].shape:
        return False
    value, adds = len(steps), False
    while value:
        step = steps[value - 1]
        if step["op"] == "add":
            value, adds = min(step["of"]), True
        elif step["op"] in ("relu", "relu6"):
            value = step["of"][0]
        else:
            return False
    return adds


def droppable(steps: Sequence[Step], flows: Sequence[Flow], span: Span) -> bool:
    """`passes` for a segment of a network."""
    start, end = span
    return passes(renumbered(steps[start:end], start), flows[start : end + 1])


def _cuts(steps: Sequence[Step], flows: Sequence[Flow]) -> list[int]:
    """Values through which everything passes, the input and the output among them."""
    last = last_reads(steps)
    found, reach = [0], 0
    for value in range(len(steps)):
        # Nothing before this value is read after it was made.
        if value and reach <= value and len(np.unique(flows[value].ids)) == len(flows[value].ids):
            found.append(value)
        reach = max(reach, last.get(value, 0))
    return [*found, len(steps)]


def _weighs(steps: Sequence[Step], flows: Sequence[Flow], span: Span) -> bool:
    """Whether a segment has a convolution or linear layer, and a layer that reads its input alone."""
    start, end = span
    inside = steps[start:end]
    if not any(step["op"] in ("conv", "linear") for step in inside):
        return False
    entering = flows[start].ids
    for step in inside:
        if step["op"] in LAYERS:
            read = flows[step["of"][0]].ids
            repeat = len(read) // len(entering)
            if len(read) == repeat * len(entering) and np.array_equal(read, np.repeat(entering, repeat)):
                return True
    return False


def _joins(steps: Sequence[Step], flows: Sequence[Flow], before: Span, span: Span) -> bool:
    """Whether steps without layers belong to the segment before them, and not to the one that follows."""
    inside = steps[span[0] : span[1]]
    if all(OPERATIONS[str(step["op"])].elementwise and step["op"] != "norm" for step in inside):
        return True
    return not droppable(steps, flows, before) and not any(step["op"] in _TO_VECTORS for step in inside)
