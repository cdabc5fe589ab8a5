"""The exact evaluator: every distinct prefix of the chain is computed once.

Two architectures that agree on everything the first k stages depend on have identical activations and
identical recalibrated BatchNorm statistics up to stage k. So the architectures asked for are
sorted into a trie of stage keys and walked depth first: one path of activations is alive at a
time, and siblings are handed to the stage together, which may share work further.

Calibration, validation and test samples travel through the net as one batch. The statistics of
every BatchNorm layer come from the calibration rows alone (training samples), exactly as if the
subnet had been recalibrated by itself. A result therefore does not depend on which other
architectures are asked for, nor on their order.

Called from worker processes and, for one subnet, from a page; holds no state between calls, but for what a caller
lets it keep (`core.evaluation.kept_activations`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.chance.bits import bits_column
from core.errors import InvalidInput
from core.evaluation.by_network import count_weights, with_networks
from core.evaluation.costs import CostTable
from core.evaluation.kept_activations import KeptActivations
from core.evaluation.trie import Trie
from core.networks.trees import joined, map_leaves, n_rows, rows_of
from core.networks.trees import leaves as tensors_of
from core.objectives.base import (
    OBJECTIVES,
    FromCosts,
    FromFiles,
    FromOutputs,
    FromProfile,
    ShareOfSamples,
    method,
    names_of,
    objective,
    require_for,
    shares,
)
from core.objectives.extracted import FromNetworks
from core.objectives.loss import Loss
from core.records import Measurement, Obtained, Source
from core.spaces import Arch
from core.supernets.base import BranchContext, Stage, Supernet
from core.tasks.base import EvaluationData, Task

# Outputs of this many subnets are reduced together: enough to hide the overhead, small in memory.
_REDUCE_TOGETHER = 16
_REDUCE_BYTES = 1 << 19
"""Or until their outputs take so much: what a core's own memory holds is read again at once, and need not be copied."""
_MAP_BYTES = 2 << 30
"""Three maps of all samples that are alive together; where they take more, samples go through in pieces."""
_BLOCK = 64
"""Architectures whose outputs are collected from pieces at once."""
_SIBLING_BYTES = 1 << 30
"""Outputs of siblings that are computed together and then wait for their turn."""
_SMALL_BYTES = 1 << 25
"""With inputs of so few bytes, all siblings together, they are not counted."""


def splits_for(objectives: Iterable[str]) -> tuple[str, ...]:
    """Data splits that measuring these objectives needs, in a fixed order."""
    names = [*objectives]
    measured = names_of(FromOutputs, names) + names_of(FromNetworks, names)
    wanted = {OBJECTIVES.get(name).split for name in measured}
    return tuple(sorted(wanted, key=lambda split: (split != "validation", split)))


def evaluate(
    supernet: Supernet,
    archs: Sequence[Arch] | NDArray[np.uint8],
    objectives: Sequence[str],
    data: EvaluationData,
    kept: KeptActivations | None = None,
) -> Iterator[Measurement]:
    """Measure architectures, one `Measurement` each, as soon as it is known.

    Args:
        supernet: whose subnets.
        archs: architectures, as tuples or (n, d) indices; repeats are measured once.
        objectives: names; those measured from outputs or on extracted networks, and counted ones.
        data: samples with every split the objectives need.
        kept: outputs of prefixes from earlier calls with this supernet and these samples; changes no value.

    Yields:
        One measurement per distinct architecture, in the order of the walk, with which samples were right.

    Raises:
        InvalidInput: an architecture is outside the space, or an objective cannot be measured here.
    """
    rows = np.unique(supernet.space.canonicalize(np.asarray(archs).reshape(-1, len(supernet.space))), axis=0)
    costs = _counted(supernet, rows, objectives, kept)
    wanted = names_of(FromOutputs, objectives)
    counted = dict.fromkeys(costs, Obtained(Source.COUNTED))
    told, every = names_of(ShareOfSamples, wanted), wanted + names_of(FromNetworks, objectives)
    walked = walk(supernet, rows, wanted, data, keep_bits=True, kept=kept)
    for indices, values in with_networks(walked, supernet, rows, every, data):
        for at, index in enumerate(indices):
            measured = {n: float(values[n][at]) for n in every} | {
                n: float(c[index]) for n, c in costs.items()
            }
            arch = tuple(int(v) for v in rows[index])
            right = {n: values[bits_column(n)][at].tobytes() for n in told}
            yield Measurement(arch, {n: measured[n] for n in objectives}, counted, right)


def evaluate_table(
    supernet: Supernet,
    rows: NDArray[np.uint8],
    objectives: Sequence[str],
    data: EvaluationData,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Measure many architectures into columns.

    Args:
        supernet: whose subnets.
        rows: (n, d) canonical architectures, all different.
        objectives: as in `evaluate`.
        data: as in `evaluate`.
        on_progress: called with the number of finished architectures; may raise to stop.

    Returns:
        Objective name -> (n,) values in the order of `rows`.
    """
    table: dict[str, NDArray[np.float64]] = {n: np.full(len(rows), np.nan) for n in objectives}
    for name, column in _counted(supernet, rows, objectives).items():
        table[name][:] = column
    wanted = names_of(FromOutputs, objectives)
    every, done = wanted + names_of(FromNetworks, objectives), 0
    for indices, values in with_networks(walk(supernet, rows, wanted, data), supernet, rows, every, data):
        for name in every:
            table[name][indices] = values[name]
        done += len(indices)
        if on_progress is not None:
            on_progress(done)
    return table


def _counted(
    supernet: Supernet,
    rows: NDArray[np.uint8],
    objectives: Sequence[str],
    kept: KeptActivations | None = None,
) -> dict[str, NDArray[np.int64]]:
    if elsewhere := names_of(FromFiles, objectives) + names_of(FromProfile, objectives):
        raise InvalidInput(f"{objective(elsewhere[0]).label} is not measured by this evaluator.")
    require_for(objectives, supernet.task.name)
    costs = CostTable.of(supernet) if kept is None else kept.costs(supernet)
    found = {name: costs.counted(method(name, FromCosts), rows) for name in names_of(FromCosts, objectives)}
    return found | count_weights(supernet, rows, objectives)


def predictions(
    supernet: Supernet, rows: NDArray[np.uint8], data: EvaluationData, split: str
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """What subnets answer on a split: yields (row index, (n,) predicted classes), in the order of the walk.

    Args:
        supernet: whose subnets.
        rows: (m, d) canonical architectures, all different.
        data: samples; must hold the split.
        split: "validation" or "test".

    Raises:
        InvalidInput: the data lack the split.
    """
    if split not in data.spans:
        raise InvalidInput(f"The evaluation data lacks the {split} split.")
    if not len(rows):
        return
    with torch.inference_mode():
        for position, outputs in _outputs(supernet, rows, data):
            yield position, supernet.task.predictions(rows_of(outputs, data.spans[split])).numpy()


# --- the walk -----------------------------------------------------------------------------------


def walk(
    supernet: Supernet,
    rows: NDArray[np.uint8],
    objectives: Sequence[str],
    data: EvaluationData,
    *,
    keep_bits: bool = False,
    kept: KeptActivations | None = None,
) -> Iterator[tuple[list[int], dict[str, NDArray[Any]]]]:
    """Run all rows through the trie; yield (row indices, objective -> (k,) values) in small batches.

    With `keep_bits` there is a column `bits_column(objective)` for each share of samples: (k, bytes), the packed bits
    of which samples were right. What is `kept` from earlier walks with this supernet and these samples is not computed
    again.
    """
    if not len(rows):
        return
    if not objectives:
        yield list(range(len(rows))), {}
        return
    if missing := set(splits_for(objectives)) - set(data.spans):
        raise InvalidInput(f"The evaluation data lacks the {sorted(missing)[0]} split.")
    leaves: list[tuple[int, Any]] = []
    measured = {name: method(name, FromOutputs) for name in objectives}

    def reduce(outputs: Sequence[Any]) -> dict[str, NDArray[Any]]:
        return _reduce(supernet.task, outputs, measured, data, keep_bits)

    with torch.inference_mode():
        for position, outputs in _outputs(supernet, rows, data, kept):
            leaves.append((position, outputs))
            taken = len(leaves) * sum(leaf.nbytes for leaf in tensors_of(outputs))
            if len(leaves) == _REDUCE_TOGETHER or taken >= _REDUCE_BYTES:
                yield [i for i, _ in leaves], reduce([x for _, x in leaves])
                leaves.clear()
        if leaves:
            yield [i for i, _ in leaves], reduce([x for _, x in leaves])


def _outputs(
    supernet: Supernet, rows: NDArray[np.uint8], data: EvaluationData, kept: KeptActivations | None = None
) -> Iterator[tuple[int, Any]]:
    """Yields (row index, what the last stage returns) per architecture; where that takes less memory, in pieces."""
    size = _piece(supernet, data)
    if size >= n_rows(data.inputs) - data.calibration_rows:
        yield from _walked(supernet, rows, data, kept)
        return
    order, calibration = Trie.of(supernet, rows).order, data.calibration_rows
    for start in range(0, len(rows), _BLOCK):
        block = order[start : start + _BLOCK]
        found: dict[int, list[Any]] = {}
        for low in range(calibration, n_rows(data.inputs), size):
            picked = [slice(0, calibration), slice(low, low + size)]
            inputs = joined([rows_of(data.inputs, each) for each in picked])
            spans = {"piece": slice(calibration, n_rows(inputs))}
            part = EvaluationData(inputs, data.targets, calibration, spans, data.target_bytes)
            for at, outputs in _walked(supernet, rows[block], part):
                # The first piece brings its calibration rows, which nobody reads, so that all rows keep their places.
                new = slice(calibration if at in found else 0, None)
                found.setdefault(at, []).append(rows_of(outputs, new))
        for at, outputs in found.items():
            yield int(block[at]), joined(outputs)


def _piece(supernet: Supernet, data: EvaluationData) -> int:
    """How many samples go through the network beside those for calibration, so that three of its widest maps fit.

    It depends on the network and the samples alone: results do not depend on how work was cut.
    """
    rows = n_rows(data.inputs)
    if supernet.task.whole or supernet.space.ends is None:
        return rows
    widest = max(cost.output_size for cost in supernet.costs(supernet.largest))
    fitting = _MAP_BYTES // (3 * 4 * widest) - data.calibration_rows
    return max(fitting, data.calibration_rows, 1)


def _walked(
    supernet: Supernet, rows: NDArray[np.uint8], data: EvaluationData, kept: KeptActivations | None = None
) -> Iterator[tuple[int, Any]]:
    """Depth-first through the trie; yields (row index, what the last stage returns) per architecture."""
    trie = Trie.of(supernet, rows)
    archs = rows[trie.order].tolist()
    context = BranchContext(data.calibration_rows) if kept is None else kept.context(data.calibration_rows)
    context.answers_from = min((span.start for span in data.spans.values()), default=0)
    stages, samples = supernet.chain, n_rows(data.inputs)
    plan = None if kept is None else kept.plan(stages, trie.codes, archs)
    # An explicit stack: (level, activations, low, high). One path of activations is alive; None stands for what is kept,
    # or is not needed because all that follows is kept.
    stack: list[tuple[int, Any, int, int]] = [(0, data.inputs, 0, len(rows))]
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
            len(groups) if x is None else _together(stages[level], x, [archs[g[0]] for g in groups], samples)
        )
        if most < len(groups):
            stack.append((level, x, groups[most][0], high))
            groups = groups[:most]
        alike = [g for g in groups if trie.codes[level, g[0]] < 0]
        others = [g for g in groups if trie.codes[level, g[0]] >= 0]
        computed = others if plan is None else [g for g in others if not plan.has(level + 1, g)]
        outputs = stages[level].branch(x, [archs[g[0]] for g in computed], context) if computed else []
        following = [(level + 1, y, *g) for y, g in zip(outputs, computed, strict=True)]
        if kept is not None and plan is not None and level + 1 < len(stages):
            for y, g in zip(outputs, computed, strict=True):
                kept.keep(level + 1, g, y, plan)
            following += [(level + 1, None, *g) for g in others if plan.has(level + 1, g)]
        following += [(level + 1, x, *g) for g in alike]
        stack.extend(reversed(following))
        del x, outputs, following


def _together(stage: Stage, x: Any, archs: Sequence[Sequence[int]], samples: int) -> int:
    """How many siblings of one input are computed at once: as many as there is room for their outputs.

    No result depends on it: a stage computes the same whichever siblings are asked for together.
    """
    if sum(leaf.nbytes for leaf in tensors_of(x)) * len(archs) < _SMALL_BYTES:
        return len(archs)
    sizes = [stage.cost(arch).output_size for arch in archs if stage.key(arch) is not None]
    return max(1, _SIBLING_BYTES // (4 * samples * max(sizes, default=1)))


def _reduce(
    task: Task,
    outputs: Sequence[Any],
    measured: Mapping[str, FromOutputs],
    data: EvaluationData,
    keep_bits: bool,
) -> dict[str, NDArray[Any]]:
    """Objective values of several subnets from their outputs, and which samples were right."""
    values: dict[str, NDArray[Any]] = {}
    for split in splits_for(measured):
        rows = data.spans[split]
        targets = data.targets[rows]
        of_split = [rows_of(each, rows) for each in outputs]
        under = joined(of_split) if len(of_split) > 1 else of_split[0]
        # (subnets, samples, ...)
        stacked = map_leaves(lambda leaf: leaf.reshape(len(outputs), -1, *leaf.shape[1:]), under)
        nats, size = None, data.target_bytes.get(split, math.nan)
        for name, each in measured.items():
            if each.split != split:
                continue
            if keep_bits and isinstance(each, ShareOfSamples):
                right = each.right(stacked, targets, task)
                values[name], values[bits_column(name)] = shares(right), np.packbits(right, axis=1)
            elif isinstance(each, Loss):
                # Loss, perplexity and bits per byte follow from one mean.
                nats = each.mean_losses(stacked, targets, task) if nats is None else nats
                values[name] = each.of_losses(nats, size)
            else:
                values[name] = each.of_split(stacked, targets, task, size)
    return values
