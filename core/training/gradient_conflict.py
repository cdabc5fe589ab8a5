"""Do subnets of different size pull their shared weights into the same direction?

Two subnets answer the same batch; each has a gradient of its own loss against the labels. Of every stage the two
gradients are compared over those weights that both subnets move: 1 is the same direction, 0 none in common, below 0
what helps one harms the other. Nothing of a training is touched: no gradient is stored, no statistic, no draw.

Source: cosine of gradients as in Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, and in
Hu et al., "Generalizing Few-Shot NAS with Gradient Matching", ICLR 2022 (there between options of one choice).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.device import beside
from core.seeding import torch_drawing
from core.spaces import Arch

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.supernets.base import Supernet
    from core.tasks.base import Batch

BATCH = 128
"""Training samples in the batch: the first ones, as they are stored, without augmentation."""


def common_batch(net: Supernet, dataset: Dataset) -> Batch:
    """The batch that gradients are compared on."""
    return net.task.batch(dataset, dataset.train.first(BATCH))


def stage_labels(net: Supernet, arch: Sequence[int]) -> tuple[str, ...]:
    """What each stage of the chain is called; a stage that this architecture lacks has its number."""
    found = []
    for place, stage in enumerate(net.chain):
        found.append(stage.cost(arch).label if stage.key(arch) is not None else f"stage {place + 1}")
    return tuple(found)


def conflict(net: Supernet, batch: Batch, archs: Sequence[Arch]) -> list[list[float]]:
    """Cosine of the gradients of every pair of subnets, stage by stage.

    Args:
        net: a supernet under training; it stays as it is.
        batch: what all of them answer.
        archs: subnets.

    Returns:
        Per pair, in the order of `itertools.combinations`, one number per stage of the chain; NaN where the two share
        no weight of the stage that both move.
    """
    gradients = [_gradients(net, batch, arch) for arch in archs]
    return [
        [_cosine(one[stage], other[stage]) for stage in range(len(net.chain))]
        for one, other in combinations(gradients, 2)
    ]


def _gradients(net: Supernet, batch: Batch, arch: Arch) -> list[list[Tensor | None]]:
    """Of every stage of the chain, the gradient of each of its weights; None where the subnet does not use it."""
    batch = beside(net, batch)
    weights = [[p for p in stage.parameters() if p.requires_grad] for stage in net.chain]
    flat = list({id(p): p for of_stage in weights for p in of_stage}.values())
    # Whatever draws in a forward pass draws from a copy.
    with torch.enable_grad(), torch_drawing(0, "gradient conflict"):
        outputs = batch.counted(net(batch.inputs, arch))
        loss = net.task.losses(outputs, batch.targets).mean()
        found = torch.autograd.grad(loss, flat, allow_unused=True)
    by_weight = {id(p): g for p, g in zip(flat, found, strict=True)}
    return [[by_weight[id(p)] for p in of_stage] for of_stage in weights]


def _cosine(one: Sequence[Tensor | None], other: Sequence[Tensor | None]) -> float:
    product = left = right = 0.0
    for a, b in zip(one, other, strict=True):
        if a is None or b is None:
            continue
        both = (a != 0) & (b != 0)
        x, y = a[both].double(), b[both].double()
        product += float(x @ y)
        left += float(x @ x)
        right += float(y @ y)
    return product / float(np.sqrt(left * right)) if left * right > 0 else float("nan")
