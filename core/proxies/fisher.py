"""Fisher as a proxy: how much the loss hangs on whole channels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.chain import one_batch
from core.proxies.base import PROXIES, LayerProxy
from core.pruning.criteria.gradients import loss_of
from core.tasks.base import Batch


@PROXIES.register("fisher")
class Fisher(LayerProxy):
    """Sum over the channels z of every layer of half the mean over samples of (the sum over positions of z dL/dz) squared."""

    label = "Fisher"
    source = "Turner et al., 'BlockSwap', ICLR 2020; as a proxy: Abdelfattah et al., ICLR 2021"

    def parts(self, net: nn.Sequential, batch: Batch, seed: int) -> Mapping[str, float]:
        if one_batch(net):
            raise InvalidInput(
                "Fisher looks at sample after sample, which the nodes of one graph do not allow."
            )
        made: dict[str, Tensor] = {}

        def keep(name: str, _: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            made[name] = output

        layers = {
            f"{n}.weight": m
            for n, m in net.named_modules()
            if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)
        }
        for name, module in layers.items():
            module.register_forward_hook(partial(keep, name))
        loss = loss_of(net, batch)
        found = torch.autograd.grad(loss, list(made.values()), allow_unused=True)
        gradients = dict(zip(made, found, strict=True))
        return {
            name: _saliency(
                made.get(name), gradients.get(name), second=isinstance(layer, nn.Conv1d | nn.Conv2d)
            )
            for name, layer in layers.items()
        }


def _saliency(z: Tensor | None, gradient: Tensor | None, *, second: bool) -> float:
    """Of a layer's output, channels second in maps and last in tokens and vectors; 0 where the loss does not see it."""
    if z is None or gradient is None:
        return 0.0
    product = (z * gradient).detach()
    over = list(range(2, z.ndim)) if second else list(range(1, z.ndim - 1))
    by_sample = product.sum(over) if over else product
    return float(0.5 * by_sample.square().mean(0).sum())
