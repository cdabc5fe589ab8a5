"""Costs of a plain network, counted while one input passes: what surgery saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from core.networks.chain import example_inputs


def _attention(
    query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, out_shape: Any = None, **__: Any
) -> int:
    """Operations of queries (n, heads, t, size) with keys and of weights with values, those that a mask hides as well."""
    rows, heads, queries, size = query
    return 2 * rows * heads * queries * key[2] * (size + value[3])


FUSED = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention}
"""Operations of torch that its own counter does not know."""


def count_macs(net: nn.Sequential, input_shape: Sequence[int]) -> int:
    """Multiply-accumulates of convolutions, linear layers and attention products for one input.

    The same convention as `Supernet.costs`.
    """
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=FUSED) as counter:
        net(example_inputs(net, input_shape))
    return int(counter.get_total_flops()) // 2


def count_parameters(net: nn.Module) -> int:
    """Trainable numbers, BatchNorm scale and offset included."""
    return sum(parameter.numel() for parameter in net.parameters())
