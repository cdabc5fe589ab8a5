"""Zen-score: how far a small change of random inputs gets through a random network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.residual_block import ResidualBlock
from core.networks.calibration import BatchNorm, batch_norms
from core.networks.trees import leaves
from core.proxies.base import PROXIES, WORST, Proxy
from core.proxies.copies import differentiable
from core.seeding import torch_seed
from core.tasks.base import Batch

_STEP = 0.01


@PROXIES.register("zen")
class ZenScore(Proxy):
    """Log of the mean change before the head when Gaussian inputs change by a hundredth, what BatchNorm took out added again.

    Weights are drawn anew from a Gaussian, and residual blocks lose their shortcuts, as the paper asks; shortcuts of
    other blocks stay.
    """

    label = "Zen-score"
    source = "Lin et al., 'Zen-NAS', ICCV 2021"

    def measure(self, net: nn.Sequential, batch: Batch, seed: int) -> float:
        shape = differentiable(net, batch.inputs).shape
        generator = torch.Generator().manual_seed(torch_seed(seed, "proxy", "zen"))
        body = nn.Sequential(*(_plain(block) for block in list(net)[:-1]))
        with torch.no_grad():
            _draw(body, generator)
            x, change = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
            taken: list[Tensor] = []
            hooks = [norm.register_forward_pre_hook(_keep_deviation(taken)) for norm in batch_norms(body)]
            before = leaves(body(x))[0]
            for hook in hooks:
                hook.remove()
            moved = (before - leaves(body(x + _STEP * change))[0]).abs().flatten(1).sum(1).mean()
        if not bool(moved > 0) or not all(bool(each > 0) for each in taken):
            return WORST
        return float(moved.log() + sum(each.log() for each in taken))


def _keep_deviation(taken: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def keep(norm: nn.Module, entered: tuple[Tensor, ...]) -> None:
        var = torch.var(entered[0], dim=[0, *range(2, entered[0].ndim)], correction=0)
        taken.append(var.mean().sqrt())

    return keep


def _draw(net: nn.Module, generator: torch.Generator) -> None:
    """Gaussian weights, neutral norms, no offsets."""
    for module in net.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if isinstance(module, BatchNorm | nn.LayerNorm | nn.RMSNorm):
            weight.fill_(1)  # type: ignore[union-attr]
        elif isinstance(weight, nn.Parameter):
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
        if isinstance(bias, nn.Parameter):
            bias.zero_()


def _plain(block: nn.Module) -> nn.Module:
    return _WithoutShortcut(block) if isinstance(block, ResidualBlock) else block


class _WithoutShortcut(nn.Module):
    """A residual block that only computes what it adds."""

    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        self.conv1, self.norm1 = block.conv1, block.norm1
        self.conv2, self.norm2 = block.conv2, block.norm2

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))
