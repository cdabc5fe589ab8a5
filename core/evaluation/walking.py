"""Depth first through the trie of stage keys, on the chosen device, in pieces that its memory has room for.

What fits is known beforehand on the processor, from the network and the samples alone; another device is asked what is
free, and where it was wrong about that, what did not fit is done again in smaller pieces. Siblings are halved first, then
samples; calibration rows always go through together, so that statistics stay those of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.device import Device
from core.errors import CoreError
from core.evaluation.kept_activations import KeptActivations
from core.evaluation.trie import Trie
from core.networks.trees import joined, n_rows, rows_of
from core.networks.trees import leaves as tensors_of
from core.supernets.base import BranchContext, Stage, Supernet
from core.tasks.base import EvaluationData

_MAP_BYTES = 2 << 30
"""Three maps of all samples that are alive together; where they take more, samples go through in pieces."""
_BLOCK = 64
"""Architectures whose outputs are collected from pieces at once."""
_SIBLING_BYTES = 1 << 30
"""Outputs of siblings that are computed together and then wait for their turn."""
_SMALL_BYTES = 1 << 25
"""With inputs of so few bytes, all siblings together, they are not counted."""
# Of what a device has free: for the maps of all samples, and for siblings that wait for their turn at one level.
_MAPS_SHARE, _SIBLINGS_SHARE = 2, 8


def outputs(
    supernet: Supernet,
    rows: NDArray[np.uint8],
    data: EvaluationData,
    device: Device,
    kept: KeptActivations | None = None,
) -> Iterator[tuple[int, Any]]:
    """Yields (row index, what the last stage returns, on the device) per architecture.

    Args:
        supernet: whose subnets; its weights may be anywhere.
        rows: (n, d) canonical architectures, all different.
        data: samples, anywhere.
        device: where they are computed.
        kept: outputs of prefixes from earlier walks on this device; where samples go in pieces, it is not used.

    Raises:
        CoreError: the device has no room for one subnet.
    """
    size, left = _piece(supernet, data, device), np.arange(len(rows))
    while len(left):
        done: list[int] = []
        try:
            for at, found in _in_pieces(supernet, rows[left], data, device, kept, size):
                done.append(at)
                yield int(left[at]), found
        except RuntimeError as error:
            if not device.is_out_of_memory(error):
                raise
        # Here, where no frame of the failed walk holds its activations any more.
        left = np.delete(left, done)
        if len(left):
            size = _smaller(supernet, data, device, size)
            if kept is not None:
                kept.clear()
            device.forget()


def _smaller(supernet: Supernet, data: EvaluationData, device: Device, size: int) -> int:
    """Samples that are tried next where so many did not fit."""
    most = min(size, n_rows(data.inputs) - data.calibration_rows)
    if supernet.task.whole or most <= 1:
        raise CoreError(
            f"One subnet with its calibration samples does not fit into the memory of {device.label}. Set "
            "PARETOSCOPE_DEVICE=cpu, or end what else computes there."
        )
    return most // 2


def _in_pieces(
    supernet: Supernet,
    rows: NDArray[np.uint8],
    data: EvaluationData,
    device: Device,
    kept: KeptActivations | None,
    size: int,
) -> Iterator[tuple[int, Any]]:
    if size >= n_rows(data.inputs) - data.calibration_rows:
        yield from _walked(supernet, rows, data, device, kept)
        return
    order, calibration = Trie.of(supernet, rows).order, data.calibration_rows
    for start in range(0, len(rows), _BLOCK):
        block = order[start : start + _BLOCK]
        found: dict[int, list[Any]] = {}
        for low in range(calibration, n_rows(data.inputs), size):
            picked = [slice(0, calibration), slice(low, low + size)]
            inputs = joined([rows_of(data.inputs, each) for each in picked])
            spans = {"piece": slice(calibration, n_rows(inputs))}
            part = replace(data, inputs=inputs, spans=spans)
            for at, output in _walked(supernet, rows[block], part, device):
                # The first piece brings its calibration rows, which nobody reads, so that all rows keep their places.
                new = slice(calibration if at in found else 0, None)
                found.setdefault(at, []).append(rows_of(output, new))
        for at, pieces in found.items():
            yield int(block[at]), joined(pieces)


def _piece(supernet: Supernet, data: EvaluationData, device: Device) -> int:
    """How many samples go through the network beside those for calibration, so that three of its widest maps fit.

    On the processor it depends on the network and the samples alone: results do not depend on how work was cut.
    """
    rows, free = n_rows(data.inputs), device.free_bytes()
    if supernet.task.whole or supernet.space.ends is None:
        return rows
    widest = max(cost.output_size for cost in supernet.costs(supernet.largest))
    room = _MAP_BYTES if free is None else free // _MAPS_SHARE
    fitting = room // (3 * 4 * widest) - data.calibration_rows
    return max(fitting, data.calibration_rows, 1)


def _walked(
    supernet: Supernet,
    rows: NDArray[np.uint8],
    data: EvaluationData,
    device: Device,
    kept: KeptActivations | None = None,
) -> Iterator[tuple[int, Any]]:
    """Depth-first through the trie; yields (row index, what the last stage returns) per architecture."""
    trie = Trie.of(supernet, rows)
    archs = rows[trie.order].tolist()
    context = BranchContext(data.calibration_rows) if kept is None else kept.context(data.calibration_rows)
    context.answers_from = min((span.start for span in data.spans.values()), default=0)
    stages, samples = device.net(supernet).chain, n_rows(data.inputs)
    plan = None if kept is None else kept.plan(stages, trie.codes, archs)
    # An explicit stack: (level, activations, low, high). One path of activations is alive; None stands for what is kept,
    # or is not needed because all that follows is kept.
    stack: list[tuple[int, Any, int, int]] = [(0, device.put(data.inputs), 0, len(rows))]
    while stack:
        level, x, low, high = stack.pop()
        if level == len(stages):
            for position in range(low, high):
                yield int(trie.order[position]), x
            continue
        if x is None and kept is not None and plan is not None:
            x = kept.output(level, (low, high), plan)
        groups = trie.groups(level, low, high)
        most = (
            len(groups)
            if x is None
            else _together(stages[level], x, [archs[g[0]] for g in groups], samples, device)
        )
        if most < len(groups):
            stack.append((level, x, groups[most][0], high))
            groups = groups[:most]
        alike = [g for g in groups if trie.codes[level, g[0]] < 0]
        others = [g for g in groups if trie.codes[level, g[0]] >= 0]
        computed = others if plan is None else [g for g in others if not plan.has(level + 1, g)]
        found = _branched(stages[level], x, [archs[g[0]] for g in computed], context, device)
        if found is None:  # no room for all of them
            half = groups[(len(groups) + 1) // 2][0]
            stack += [(level, x, half, high), (level, x, low, half)]
            continue
        following = [(level + 1, y, *g) for y, g in zip(found, computed, strict=True)]
        if kept is not None and plan is not None and level + 1 < len(stages):
            for y, g in zip(found, computed, strict=True):
                kept.keep(level + 1, g, y, plan)
            following += [(level + 1, None, *g) for g in others if plan.has(level + 1, g)]
        following += [(level + 1, x, *g) for g in alike]
        stack.extend(reversed(following))
        del x, found, following


def _branched(
    stage: Stage, x: Any, archs: Sequence[Sequence[int]], context: BranchContext, device: Device
) -> list[Any] | None:
    """Outputs of siblings; None where the device has no room for all of them at once."""
    try:
        with device.computing():
            return stage.branch(x, archs, context) if archs else []
    except RuntimeError as error:
        if len(archs) == 1 or not device.is_out_of_memory(error):
            raise
    return None


def _together(stage: Stage, x: Any, archs: Sequence[Sequence[int]], samples: int, device: Device) -> int:
    """How many siblings of one input are computed at once: as many as there is room for their outputs.

    No result depends on it: a stage computes the same whichever siblings are asked for together.
    """
    free = device.free_bytes()
    room = _SIBLING_BYTES if free is None else free // _SIBLINGS_SHARE
    if sum(leaf.nbytes for leaf in tensors_of(x)) * len(archs) < min(_SMALL_BYTES, room // 32):
        return len(archs)
    sizes = [stage.cost(arch).output_size for arch in archs if stage.key(arch) is not None]
    return max(1, room // (4 * samples * max(sizes, default=1)))
