"""Costs of a plain network, counted while one input passes: what surgery saved."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from core.networks.chain import example_inputs


def count_macs(net: nn.Sequential, input_shape: Sequence[int]) -> int:
    """Multiply-accumulates of convolutions, linear layers and attention products for one input.

    The same convention as `Supernet.costs`.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(example_inputs(net, input_shape))
    return int(counter.get_total_flops()) // 2


def count_parameters(net: nn.Module) -> int:
    """Trainable numbers, BatchNorm scale and offset included."""
    return sum(parameter.numel() for parameter in net.parameters())
