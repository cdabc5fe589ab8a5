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
from torch import Tensor

from core.chance.bits import bits_column
from core.device import chosen_device
from core.errors import InvalidInput
from core.evaluation.by_network import count_weights, with_networks
from core.evaluation.costs import CostTable
from core.evaluation.kept_activations import KeptActivations
from core.evaluation.walking import outputs
from core.networks.trees import joined, map_leaves, rows_of
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
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData, Task

# Outputs of this many subnets are reduced together: enough to hide the overhead, small in memory.
_REDUCE_TOGETHER = 16
_REDUCE_BYTES = 1 << 19
"""Or until their outputs take so much: what a core's own memory holds is read again at once, and need not be copied."""
_REDUCE_ELSEWHERE = (256, 1 << 26)
"""The same two on another device, where each reduction is waited for."""


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
    told, every = names_of(ShareOfSamples, wanted), wanted + names_of(FromNetworks, objectives)
    obtained = dict.fromkeys(costs, Obtained(Source.COUNTED)) | measured_here(every)
    walked = walk(supernet, rows, wanted, data, keep_bits=True, kept=kept)
    for indices, values in with_networks(walked, supernet, rows, every, data):
        for at, index in enumerate(indices):
            measured = {n: float(values[n][at]) for n in every} | {
                n: float(c[index]) for n, c in costs.items()
            }
            arch = tuple(int(v) for v in rows[index])
            right = {n: values[bits_column(n)][at].tobytes() for n in told}
            yield Measurement(arch, {n: measured[n] for n in objectives}, obtained, right)


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


def measured_here(names: Iterable[str]) -> dict[str, Obtained]:
    """How objectives are obtained that this process measures, where that has to be said: elsewhere than on the processor
    in float32."""
    identity = chosen_device().identity
    return dict.fromkeys(names, Obtained(Source.MEASURED, identity)) if identity else {}


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
    device = chosen_device()
    with torch.inference_mode():
        for position, found in outputs(supernet, rows, data, device):
            answered = supernet.task.predictions(rows_of(found, data.spans[split]))
            yield position, device.back(answered).numpy()


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
    device = chosen_device()
    targets = device.put(data.targets)
    most, most_bytes = _REDUCE_ELSEWHERE if device.elsewhere else (_REDUCE_TOGETHER, _REDUCE_BYTES)

    def reduce(outputs: Sequence[Any]) -> dict[str, NDArray[Any]]:
        return _reduce(supernet.task, outputs, measured, data, targets, keep_bits)

    with torch.inference_mode():
        for position, found in outputs(supernet, rows, data, device, kept):
            leaves.append((position, found))
            taken = len(leaves) * sum(leaf.nbytes for leaf in tensors_of(found))
            if len(leaves) == most or taken >= most_bytes:
                yield [i for i, _ in leaves], reduce([x for _, x in leaves])
                leaves.clear()
        if leaves:
            yield [i for i, _ in leaves], reduce([x for _, x in leaves])


def _reduce(
    task: Task,
    outputs: Sequence[Any],
    measured: Mapping[str, FromOutputs],
    data: EvaluationData,
    every_target: Tensor,
    keep_bits: bool,
) -> dict[str, NDArray[Any]]:
    """Objective values of several subnets from their outputs, and which samples were right."""
    values: dict[str, NDArray[Any]] = {}
    for split in splits_for(measured):
        rows = data.spans[split]
        targets = every_target[rows]
        of_split = [rows_of(each, rows) for each in outputs]
        under = joined(of_split) if len(of_split) > 1 else of_split[0]
        # (subnets, samples, ...)
        stacked = map_leaves(lambda leaf: _whole(leaf).reshape(len(outputs), -1, *leaf.shape[1:]), under)
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


def _whole(leaf: Tensor) -> Tensor:
    """Outputs as numbers that losses can be taken of: of bfloat16 every probability would be rounded."""
    return leaf.float() if leaf.dtype == torch.bfloat16 else leaf
