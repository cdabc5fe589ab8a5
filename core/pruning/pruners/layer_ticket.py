"""Layer tickets: take whole residual blocks out of a fresh network, then train what is left."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from core.config import BaseConfig
from core.errors import InvalidInput
from core.networks.blocks.base import known_kind
from core.networks.calibration import recalibrate
from core.networks.chain import fresh_like
from core.pruning.criteria.base import CRITERIA, WeightCriterion, prunable_weights
from core.pruning.judging import judging_batch
from core.pruning.pruners.base import PRUNERS, Pruned, Pruner, PruningTask, weight_count
from core.pruning.retraining import train_masked
from core.records import Progress
from core.words import format_share


@PRUNERS.register("layer_ticket")
class LayerTicket(Pruner):
    """Takes out whole residual blocks, chosen before any training; the others start as they would have."""

    label = "Layer ticket"
    source = "Jordao et al., 'When layers play the lottery, all tickets win at initialization', 2023"
    removes = "blocks"

    class Config(BaseConfig):
        """Which blocks go, and how the rest is trained."""

        criterion: Literal["grasp", "snip"] = Field(
            "grasp", description="Score of a block: the sum of this criterion over its weights, at the start."
        )
        epochs: int = Field(30, ge=1, le=2000, description="Passes over the training images.")

    def prune(self, task: PruningTask, sparsities: Sequence[float]) -> Iterator[Progress | Pruned]:
        candidates = removable_blocks(task.parent)
        if not candidates:
            raise InvalidInput(
                "This network has no block that can be taken out whole: that needs a shortcut that changes nothing."
            )
        fresh = fresh_like(task.parent, task.seed)
        scores = block_scores(fresh, candidates, self.config.criterion, task)
        order = sorted(candidates, key=lambda block: (scores[block], block))
        config = task.training.model_copy(update={"epochs": self.config.epochs, "seed": task.seed})
        for sparsity in sparsities:
            gone, note = fewest_blocks(fresh, order, sparsity)
            net = without_blocks(fresh, gone)
            for share in train_masked(net, task.dataset, config, {}):
                yield Progress(share, f"training without {len(gone)} of {len(candidates)} blocks")
            yield Pruned(sparsity, net, trained=True, note=note)


def removable_blocks(net: nn.Sequential) -> list[int]:
    """Stages whose shortcut is the identity, so that the network still fits together without them."""
    kinds = [(block, known_kind(block)) for block in net]
    return [index for index, (block, kind) in enumerate(kinds) if kind and kind.droppable(block)]


def block_scores(
    net: nn.Sequential, blocks: Sequence[int], criterion: str, task: PruningTask
) -> dict[int, float]:
    """Sum of a criterion over the convolution and linear weights of each block.

    The network is fresh, so its BatchNorm takes each layer's statistics from the batch, as training will.

    Raises:
        InvalidInput: the criterion cannot judge this network.
    """
    batch = judging_batch(task)
    measured = copy.deepcopy(net)
    recalibrate(measured, batch.inputs)
    judge = CRITERIA.create(criterion)
    assert isinstance(judge, WeightCriterion)
    scores = judge.scores(measured, prunable_weights(measured), batch, task.seed)
    return {block: _sum_of(scores, block) for block in blocks}


def _sum_of(scores: Mapping[str, torch.Tensor], block: int) -> float:
    return sum(float(score.sum()) for name, score in scores.items() if name.startswith(f"{block}."))


def fewest_blocks(net: nn.Sequential, order: Sequence[int], sparsity: float) -> tuple[list[int], str]:
    """The first blocks of an order until their share of the weights reaches the sparsity, else all.

    Returns:
        The blocks that go, and a sentence where another sparsity than the one asked for comes of it.
    """
    total, gone, share = weight_count(net), list[int](), 0.0
    for block in order:
        if share >= sparsity:
            break
        gone.append(block)
        share += weight_count(net[block]) / total
    if share < sparsity:
        return (
            gone,
            f"All blocks that can be taken out are gone; together they hold {format_share(share, 1)} of the weights.",
        )
    if gone and share > sparsity + 0.01:
        return gone, f"Blocks go whole, so {format_share(share, 1)} of the weights went."
    return gone, ""


def without_blocks(net: nn.Sequential, gone: Sequence[int]) -> nn.Sequential:
    """A copy without some stages; the others keep every bit."""
    return nn.Sequential(*(copy.deepcopy(stage) for index, stage in enumerate(net) if index not in set(gone)))
