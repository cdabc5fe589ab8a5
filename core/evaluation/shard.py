"""A shard of a walk, as an executor calls it: rows in, their values out.

Whoever spreads a walk (`core.evaluation.spread_walk`) shares the supernet, the samples and what is asked for; a shard
itself is nothing but its architectures. A process that does several keeps what it has loaded.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import Cancelled
from core.evaluation.by_network import with_networks
from core.evaluation.carried import arrived, carried
from core.evaluation.evaluator import walk
from core.executors import Desk
from core.objectives.base import FromOutputs, names_of
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData

FUNCTION = "core.evaluation.shard:measure"


def shared_bytes(
    supernet: Supernet, data: EvaluationData, objectives: Sequence[str], *, keep_bits: bool
) -> dict[str, bytes]:
    """What all shards of a walk share, for `Executor.opened`; see `spread_walk.walk_on`."""
    told = {"objectives": list(objectives), "keep_bits": keep_bits}
    return {**carried(supernet, data), "task": json.dumps(told).encode()}


def measure(payload: bytes, desk: Desk) -> bytes:
    """Walk the architectures of a shard.

    Args:
        payload: (n, d) uint8 canonical architectures, row after row.
        desk: with what `shared_bytes` made.

    Returns:
        An npz: `indices` (n,) of the rows in the order of the walk, and objective -> (n,) values, with bits where kept.

    Raises:
        InvalidInput: this process computes on another device than the driver.
        Cancelled: nobody wants the result any more.
    """
    here, told = arrived(desk.shared), json.loads(desk.shared["task"])
    supernet, names = here.supernet, told["objectives"]
    rows = np.frombuffer(payload, np.uint8).reshape(-1, len(supernet.space))
    passes = names_of(FromOutputs, names)
    walked = walk(supernet, rows, passes, here.data, keep_bits=told["keep_bits"])
    indices: list[int] = []
    found: list[Mapping[str, NDArray[Any]]] = []
    for positions, values in with_networks(walked, supernet, rows, names, here.data):
        if desk.cancelled:
            raise Cancelled("Cancelled.")
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
