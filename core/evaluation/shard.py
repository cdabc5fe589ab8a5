"""A shard of a walk, as an executor calls it: rows in, their values out.

Whoever spreads a walk (`core.evaluation.spread_walk`) shares the supernet, the samples and what is asked for; a shard
itself is nothing but its architectures. A process that does several keeps what it has loaded.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.device import chosen_device
from core.errors import InvalidInput
from core.evaluation.by_network import with_networks
from core.evaluation.evaluator import walk
from core.executors import Desk
from core.networks.trees import as_tensors, flat, unflat
from core.objectives.base import FromOutputs, names_of
from core.supernets.base import Supernet
from core.supernets.files import dump_supernet, load_supernet
from core.tasks.base import EvaluationData

FUNCTION = "core.evaluation.shard:measure"


@dataclass(frozen=True)
class _Task:
    supernet: Supernet
    data: EvaluationData
    objectives: Sequence[str]
    keep_bits: bool
    device: str


def shared_bytes(
    supernet: Supernet, data: EvaluationData, objectives: Sequence[str], *, keep_bits: bool
) -> dict[str, bytes]:
    """What all shards of a walk share, for `Executor.opened`; see `spread_walk.walk_on`."""
    told = {
        "objectives": list(objectives),
        "calibration_rows": data.calibration_rows,
        "spans": {split: [span.start, span.stop] for split, span in data.spans.items()},
        "keep_bits": keep_bits,
        "target_bytes": dict(data.target_bytes),
        "device": chosen_device().identity,
    }
    return {
        "supernet": dump_supernet(supernet, {}),
        "data": dump_arrays({"targets": data.targets.numpy(), **flat(data.inputs)}),
        "task": json.dumps(told).encode(),
    }


@lru_cache(maxsize=1)
def _loaded(supernet: bytes, data: bytes, task: bytes) -> _Task:
    told, arrays = json.loads(task), load_arrays(data)
    spans = {split: slice(*bounds) for split, bounds in told["spans"].items()}
    inputs, targets = as_tensors(unflat(arrays)), torch.from_numpy(arrays["targets"])
    samples = EvaluationData(inputs, targets, told["calibration_rows"], spans, told["target_bytes"])
    return _Task(load_supernet(supernet)[0], samples, told["objectives"], told["keep_bits"], told["device"])


def measure(payload: bytes, desk: Desk) -> bytes:
    """Walk the architectures of a shard.

    Args:
        payload: (n, d) uint8 canonical architectures, row after row.
        desk: with what `shared_bytes` made.

    Returns:
        An npz: `indices` (n,) of the rows in the order of the walk, and objective -> (n,) values, with bits where kept.

    Raises:
        InvalidInput: this process computes on another device than the driver.
    """
    task = _loaded(desk.shared["supernet"], desk.shared["data"], desk.shared["task"])
    if (device := chosen_device().identity) != task.device:
        raise InvalidInput(
            f"Where the work was given out it is measured on {task.device or 'the processor'}, and a process that does it "
            f"has {device or 'the processor'}: give both the same PARETOSCOPE_DEVICE and PARETOSCOPE_PRECISION."
        )
    rows = np.frombuffer(payload, np.uint8).reshape(-1, len(task.supernet.space))
    passes = names_of(FromOutputs, task.objectives)
    walked = walk(task.supernet, rows, passes, task.data, keep_bits=task.keep_bits)
    indices: list[int] = []
    found: list[Mapping[str, NDArray[Any]]] = []
    for positions, values in with_networks(walked, task.supernet, rows, task.objectives, task.data):
        indices += positions
        found.append(values)
    columns = {name: np.concatenate([values[name] for values in found]) for name in found[0]}
    return dump_arrays({"indices": np.array(indices, np.int64), **columns})


def dump_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays by name as one npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def load_arrays(file: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `dump_arrays` wrote."""
    with np.load(io.BytesIO(file), allow_pickle=False) as arrays:
        return dict(arrays)
