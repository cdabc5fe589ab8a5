"""Criteria that ask what a weight does to the loss or to its gradient: SNIP, GraSP, Fisher, Taylor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from core.config import BaseConfig
from core.errors import InvalidInput
from core.networks.chain import one_batch
from core.networks.trees import map_leaves, rows_of
from core.pruning.criteria.base import CRITERIA, WeightCriterion, require_batch
from core.pruning.criteria.gradients import (
    doubled,
    hessian_gradients,
    loss_gradients,
    trainable_copy,
    weights_of,
    written_out_attention,
)
from core.tasks.base import Batch


@CRITERIA.register("snip")
class SNIP(WeightCriterion):
    """How much the loss would change, to first order, if the connection were scaled: |w g|."""

    label = "SNIP"
    source = "Lee, Ajanthan, Torr, 'SNIP', ICLR 2019"
    needs_data = True

    def scores(
        self, net: nn.Sequential, names: Sequence[str], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        gradients = loss_gradients(net, names, require_batch(self, batch))
        return {name: (w * gradients[name]).abs() for name, w in weights_of(net, names).items()}


class GraSPSettings(BaseConfig):
    """Settings of GraSP."""

    temperature: float = Field(200.0, gt=0, le=10_000, description="Divides the logits.")


@CRITERIA.register("grasp")
class GraSP(WeightCriterion):
    """Keeps the weights whose removal would cost most gradient norm: w times the Hessian-gradient product."""

    label = "GraSP"
    source = "Wang, Zhang, Grosse, 'Picking winning tickets before training by preserving gradient flow', ICLR 2020"
    Config = GraSPSettings
    needs_data = True

    def scores(
        self, net: nn.Sequential, names: Sequence[str], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        data = require_batch(self, batch)
        found = hessian_gradients(trainable_copy(net), names, data, self.config.temperature)
        return {name: w * found[name] for name, w in weights_of(net, names).items()}


@CRITERIA.register("fisher")
class Fisher(WeightCriterion):
    """Expected change of the loss by the empirical Fisher: mean over samples of (w g)^2."""

    label = "Fisher"
    source = (
        "Theis et al., 'Faster gaze prediction with dense networks and Fisher pruning', 2018 (single weights)"
    )
    needs_data = True

    def scores(
        self, net: nn.Sequential, names: Sequence[str], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        data = require_batch(self, batch)
        if one_batch(net):
            raise InvalidInput("Fisher judges sample by sample, which the nodes of one graph do not allow.")
        made = trainable_copy(net).requires_grad_(False)
        chosen = {name: dict(made.named_parameters())[name].detach() for name in names}

        def loss(weights: dict[str, Tensor], sample: Any, target: Tensor) -> Tensor:
            one = map_leaves(lambda leaf: leaf[None], sample)
            outputs = functional_call(made, weights, (one,))
            # A language model answers at several positions of a sample.
            return F.cross_entropy(outputs.flatten(0, -2), target[None].flatten())

        per_sample = vmap(grad(loss), in_dims=(None, 0, 0))
        total = {name: torch.zeros_like(w) for name, w in chosen.items()}
        for start in range(0, len(data), 64):
            some = slice(start, start + 64)
            with written_out_attention():
                found = per_sample(chosen, rows_of(doubled(data.inputs), some), data.targets[some])
            for name, gradients in found.items():
                total[name] += gradients.square().sum(0)
        return {name: chosen[name].square() * total[name] / len(data) for name in names}
