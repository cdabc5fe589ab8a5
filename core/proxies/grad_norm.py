"""Gradient norm: how steep the loss is before the first step."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from core.proxies.base import PROXIES, LayerProxy
from core.pruning.criteria.base import prunable_weights
from core.pruning.criteria.gradients import gradients_of
from core.tasks.base import Batch


@PROXIES.register("grad_norm")
class GradNorm(LayerProxy):
    """Sum over layers of the Euclidean norm of the loss's gradient by the layer's weights."""

    label = "Gradient norm"
    source = "Abdelfattah et al., 'Zero-cost proxies for lightweight NAS', ICLR 2021"

    def parts(self, net: nn.Sequential, batch: Batch, seed: int) -> Mapping[str, float]:
        found = gradients_of(net, prunable_weights(net), batch)
        return {name: float(gradient.norm()) for name, gradient in found.items()}
