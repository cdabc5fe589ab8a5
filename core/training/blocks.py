"""A supernet cut into blocks, consecutive runs of its stages, for methods that train one block after another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from core.device import beside
from core.errors import InvalidInput
from core.networks.trees import leaves, map_leaves, rows_of
from core.spaces import Arch
from core.supernets.base import Supernet
from core.tasks.base import Batch
from core.training.draws import LABELS
from core.training.session import Session
from core.words import count_of


def blocks_of(net: Supernet, n: int, arch: Arch, *, within_groups: bool = True) -> list[range]:
    """All stages but the last, the head, in n consecutive blocks.

    Borders are where a new group of stages begins (another resolution, usually). Of too many groups the smallest
    neighbors become one block; of too few the longest is cut in the middle.

    Args:
        net: the supernet.
        n: number of blocks.
        arch: says the groups.
        within_groups: whether a group may be cut.

    Raises:
        InvalidInput: there are not so many groups, or not so many stages.
    """
    body = net.chain[:-1]
    groups: list[str] = []
    for stage in body:
        there = stage.key(arch) is not None
        groups.append(stage.cost(arch).group if there else (groups or [""])[-1])
    # A stem alone is no block.
    borders = [i for i in range(2, len(body)) if groups[i] != groups[i - 1]]
    most = len(body) if within_groups else len(borders) + 1
    if n > most:
        raise InvalidInput(
            f"This supernet can be cut into {count_of(most, 'block')}, not into {n}; set blocks to {most}."
        )
    while len(borders) > n - 1:
        edges = [0, *borders, len(body)]
        least = min(range(1, len(edges) - 1), key=lambda i: edges[i + 1] - edges[i - 1])
        del borders[least - 1]
    while len(borders) < n - 1:
        edges = [0, *borders, len(body)]
        longest = max(range(len(edges) - 1), key=lambda i: (edges[i + 1] - edges[i], i))
        borders.append((edges[longest] + edges[longest + 1] + 1) // 2)
        borders.sort()
    edges = [0, *borders, len(body)]
    return [range(a, b) for a, b in pairwise(edges)]


def own_choices(net: Supernet, blocks: Sequence[range]) -> list[list[str]]:
    """The choices each block brings: those its stages look at and no earlier block's do, with several options."""
    seen: set[str] = set()
    found = []
    for block in blocks:
        asked = {name for index in block for name in net.chain[index].depends_on} - seen
        found.append([c.name for c in net.space.choices if c.name in asked and len(c.options) > 1])
        seen |= asked
    return found


def through(session: Session, arch: Arch, x: Any, stages: range) -> Any:
    """What some stages make of x, as a training step runs them; the caller counts the pass."""
    run = session.net.in_training(arch, session.progress, session.rng("paths", *map(str, arch)))
    return session.net.activations(x, run, stages=stages)[-1] if len(stages) else x


@torch.no_grad()
def flows(session: Session, arch: Arch, stop: int) -> list[Any]:
    """What so many stages of a subnet make of two calibration samples, of all where they only go through together."""
    inputs = session.task.batch(session.dataset, session.dataset.calibration).inputs
    few = beside(session.net, inputs if session.task.whole else rows_of(inputs, slice(2)))
    return session.net.activations(few, arch, stages=range(stop))


def shapes_of(x: Any) -> list[tuple[int, ...]]:
    """Of every leaf, without rows."""
    return [tuple(leaf.shape[1:]) for leaf in leaves(x)]


def narrowed(x: Any, shapes: Sequence[tuple[int, ...]]) -> Any:
    """The first numbers along every axis but the rows, so that the leaves of a tree have these shapes (without rows).

    Raises:
        InvalidInput: another number of tensors flows there, or larger ones.
    """
    given = leaves(x)
    if len(given) != len(shapes) or any(
        len(a.shape) - 1 != len(b) or any(p < q for p, q in zip(a.shape[1:], b, strict=True))
        for a, b in zip(given, shapes, strict=True)
    ):
        raise InvalidInput(
            "What flows between blocks of this supernet depends on its depth, so a block cannot be trained on the "
            "largest network's. Choose another strategy."
        )
    cut = iter([_cut(leaf, shape) for leaf, shape in zip(given, shapes, strict=True)])
    return map_leaves(lambda _: next(cut), x)


def _cut(leaf: Tensor, shape: tuple[int, ...]) -> Tensor:
    for axis, size in enumerate(shape, 1):
        leaf = leaf.narrow(axis, 0, size)
    return leaf


def train_head(session: Session, batch: Batch, archs: Sequence[Arch]) -> float:
    """One step of the last stage alone on labels, over what the frozen stages before it make; the mean loss.

    Args:
        session: of the training; a pass is counted for every subnet.
        batch: with labels.
        archs: subnets whose gradients add up.
    """
    session.zero_grad()
    last = len(session.net.chain) - 1
    values = []
    for arch in archs:
        with torch.no_grad():
            features = through(session, arch, batch.inputs, range(last))
        outputs = batch.counted(through(session, arch, features, range(last, last + 1)))
        values.append(session.backward(session.loss(LABELS, outputs, batch, {})))
        session.saw(arch, values[-1])
        session.passes += 1
    session.update()
    return sum(values) / len(values)
