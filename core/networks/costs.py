"""Costs of a plain network, counted while one image passes: what surgery saved."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(net: nn.Module, input_shape: Sequence[int]) -> int:
    """Multiply-accumulates of convolutions, linear layers and attention products for one image (c, h, w).

    The same convention as `Supernet.costs`.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, *input_shape))
    return int(counter.get_total_flops()) // 2


def count_parameters(net: nn.Module) -> int:
    """Trainable numbers, BatchNorm scale and offset included."""
    return sum(parameter.numel() for parameter in net.parameters())
