"""GraSP as a proxy: what the gradient flow loses if the weights were cut."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from core.proxies.base import PROXIES, LayerProxy
from core.pruning.criteria.base import prunable_weights
from core.pruning.criteria.gradients import hessian_gradients, weights_of
from core.tasks.base import Batch


@PROXIES.register("grasp")
class GraSP(LayerProxy):
    """Minus the sum over weights of w times the Hessian-gradient product; the sign is the one of the proxy's authors.

    They turned it because the sum fell where accuracy rose. As a criterion for pruning the sign is the other one, and
    the logits are divided by 200; here they are as they are.
    """

    label = "GraSP"
    source = "Wang, Zhang, Grosse, 'GraSP', ICLR 2020; as a proxy: Abdelfattah et al., ICLR 2021"

    def parts(self, net: nn.Sequential, batch: Batch, seed: int) -> Mapping[str, float]:
        names = prunable_weights(net)
        found = hessian_gradients(net, names, batch)
        return {name: -float((w * found[name]).sum()) for name, w in weights_of(net, names).items()}
