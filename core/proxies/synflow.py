"""SynFlow as a proxy: the flow of ones through the absolute network."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from core.networks.calibration import batch_norms
from core.proxies.base import PROXIES, WORST, LayerProxy
from core.pruning.criteria.base import prunable_weights
from core.pruning.criteria.synflow import flow_gradients, linearized
from core.tasks.base import Batch


@PROXIES.register("synflow")
class SynFlow(LayerProxy):
    """Logarithm of the sum over weights of their size times the flow's gradient, without BatchNorm and without data.

    In float64: at sixty layers the sum itself is beyond float32. What each layer contributes is not in logarithms.
    """

    label = "SynFlow (log)"
    source = "Tanaka et al., 'SynFlow', NeurIPS 2020; as a proxy: Abdelfattah et al., ICLR 2021"

    def measure(self, net: nn.Sequential, batch: Batch, seed: int) -> float:
        total = math.fsum(self.parts(net, batch, seed).values())
        return math.log(total) if total > 0 else WORST

    def parts(self, net: nn.Sequential, batch: Batch, seed: int) -> Mapping[str, float]:
        made = linearized(net)
        with torch.no_grad():
            for norm in batch_norms(made):
                # What a norm with these numbers computes is its input.
                assert norm.running_var is not None
                norm.running_var.fill_(1 - norm.eps)
                norm.weight.fill_(1)
        found = flow_gradients(made, prunable_weights(made))
        return {name: float((w * g).sum()) for name, (w, g) in found.items()}
