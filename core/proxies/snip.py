"""SNIP as a proxy: how much the loss hangs on the connections, all together."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from core.proxies.base import PROXIES, LayerProxy
from core.pruning.criteria.base import prunable_weights
from core.pruning.criteria.gradients import gradients_of, weights_of
from core.tasks.base import Batch


@PROXIES.register("snip")
class SNIP(LayerProxy):
    """Sum over weights of the size of w times g, the first-order change of the loss if a connection were cut."""

    label = "SNIP"
    source = "Lee, Ajanthan, Torr, 'SNIP', ICLR 2019; as a proxy: Abdelfattah et al., ICLR 2021"

    def parts(self, net: nn.Sequential, batch: Batch, seed: int) -> Mapping[str, float]:
        names = prunable_weights(net)
        gradients = gradients_of(net, names, batch)
        return {name: float((w * gradients[name]).abs().sum()) for name, w in weights_of(net, names).items()}
