"""Edge-popup: which random weights to use is all that is learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from core.config import BaseConfig
from core.networks.chain import fresh_like
from core.networks.masks import applied
from core.pruning.pruners.base import PRUNERS, Pruned, Pruner, PruningTask
from core.pruning.retraining import settle
from core.pruning.supermasks import Supermask, random_weights
from core.records import Progress
from core.seeding import torch_seed
from core.training.plain import PlainStep, fit
from core.words import format_share


@PRUNERS.register("edge_popup")
class EdgePopup(Pruner):
    """Finds a subnet that works inside a network of random weights, which are never trained."""

    label = "Edge-popup"
    source = "Ramanujan et al., 'What's hidden in a randomly weighted neural network?', CVPR 2020"
    removes = "weights"

    class Config(BaseConfig):
        """How the scores are trained."""

        epochs: int = Field(30, ge=1, le=2000, description="Passes over the training images.")
        init: Literal["signed_constant", "kaiming"] = Field(
            "signed_constant", description="Random weights of one size and either sign, or normal ones."
        )
        optimizer: Literal["sgd", "adamw"] = Field("sgd", description="What trains the scores.")
        learning_rate: float = Field(2.0, gt=0, le=1e3, description="Peak learning rate of the scores.")
        weight_decay: float = Field(1e-4, ge=0, le=1, description="Decay of the scores.")

    def prune(self, task: PruningTask, sparsities: Sequence[float]) -> Iterator[Progress | Pruned]:
        changes = {
            n: getattr(self.config, n) for n in ("epochs", "optimizer", "learning_rate", "weight_decay")
        }
        config = task.training.model_copy(update=changes | {"seed": task.seed})
        order = torch_seed(task.seed, "pruning", "order")
        for sparsity in sparsities:
            net = fresh_like(task.parent, task.seed)
            random_weights(
                net, self.config.init, 1 - sparsity, torch_seed(task.seed, "edge_popup", "weights")
            )
            supermask = Supermask(net, 1 - sparsity, torch_seed(task.seed, "edge_popup", "scores"))
            doing = f"choosing {format_share(1 - sparsity)} of random weights"
            yield Progress(0.0, doing)
            take_step = PlainStep(supermask, task.dataset, config)
            fitting = fit(take_step, task.dataset, config, order_seed=order, what="the scores of edge-popup")
            for at in fitting:
                if at.last:
                    yield Progress(at.share, doing)
            masks = supermask.masks()
            found = applied(net, masks)
            settle(found, task.dataset)
            yield Pruned(sparsity, found, masks, trained=True)
