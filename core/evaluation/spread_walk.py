"""One walk through the trie on an executor: in shards, each of which computes its own prefixes.

Shards are cut where little is computed twice (`core.evaluation.shards`). A subnet's numbers do not depend on which
others are walked with it, so the values are the same to the last bit whatever the cut, wherever a shard runs, however
often it is started again and in whatever order shards come back. A run that is resumed cuts what is missing anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.chance.bits import bits_column, packed_length
from core.errors import CoreError
from core.evaluation.costs import CostTable
from core.evaluation.shard import FUNCTION, load_arrays, shared_bytes
from core.evaluation.shards import cut_in_turn
from core.executors import Call, Executor
from core.objectives.base import ShareOfSamples, names_of, objective
from core.objectives.extracted import FromNetworks
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData

_NETWORKS = 8
"""Architectures of a shard at most where each is extracted and measured by itself: that takes seconds, and shares nothing."""


def walk_on(
    executor: Executor,
    supernet: Supernet,
    rows: NDArray[np.uint8],
    objectives: Sequence[str],
    data: EvaluationData,
    *,
    keep_bits: bool = False,
) -> Iterator[tuple[list[int], dict[str, NDArray[Any]]]]:
    """`evaluator.walk` with `by_network.with_networks` on an executor: the same values, a shard at a time, in any order.

    Args:
        executor: where shards run.
        supernet, rows, data, keep_bits: as in `walk`.
        objectives: names; those measured from outputs or on extracted networks.

    Yields:
        (row indices, objective -> values) as `walk`; of no rows at least twice a second while nothing comes, so that
        the caller can be stopped. Closing the iterator ends what runs.

    Raises:
        InvalidInput, DataUnavailable: as in `walk`.
        CoreError: the executor cannot be used, or has gone; what was yielded before is right.
    """
    if not len(rows):
        return
    shared = shared_bytes(supernet, data, objectives, keep_bits=keep_bits)
    nothing = _nothing(objectives, data, keep_bits)
    left = len(rows)
    with executor.opened(shared) as session:
        shards: list[NDArray[np.int64]] = []
        given = 0

        def calls() -> Iterator[Call]:
            nonlocal given
            for shard in _shards(supernet, rows, objectives, data, session.slots):
                shards.append(shard)
                given += len(shard)
                yield Call(f"shard {len(shards) - 1}", FUNCTION, rows[shard].tobytes())

        def waiting() -> int:
            """About how many shards are yet to come."""
            return len(shards) * (len(rows) - given) // max(given, 1)

        for done in session.run(calls(), waiting=waiting):
            if done is None:
                yield [], nothing
                continue
            values = load_arrays(done.value)
            shard = shards[int(done.key.removeprefix("shard "))]
            indices = shard[values.pop("indices")]
            left -= len(indices)
            yield indices.tolist(), values
    if left:
        raise CoreError(
            f"{left:,} of {len(rows):,} architectures did not come back from where they were measured."
        )


def _shards(
    supernet: Supernet,
    rows: NDArray[np.uint8],
    objectives: Sequence[str],
    data: EvaluationData,
    cores: int,
) -> Iterator[NDArray[np.int64]]:
    samples = 1 if supernet.task.whole else len(data.targets)
    most = _NETWORKS if names_of(FromNetworks, objectives) else len(rows)
    for shard in cut_in_turn(supernet, CostTable.of(supernet), rows, samples, cores=cores):
        yield from np.array_split(shard, -(-len(shard) // most))


def _nothing(objectives: Sequence[str], data: EvaluationData, keep_bits: bool) -> dict[str, NDArray[Any]]:
    """The values of no architecture."""
    found: dict[str, NDArray[Any]] = {name: np.empty(0) for name in objectives}
    if keep_bits:
        for name in names_of(ShareOfSamples, objectives):
            length = packed_length(data.answers(objective(name).split))
            found[bits_column(name)] = np.empty((0, length), np.uint8)
    return found
