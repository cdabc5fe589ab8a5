"""Extracted nets of every family, and a net for every kind of block, with every default disturbed."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from core.networks.blocks import BLOCKS
from core.networks.chain import build_net, example_inputs
from core.supernets.families import FAMILIES
from tests.helpers.nets import disturb, random_dataset


def extracted(
    family: str = "elastic_cnn", seed: int = 0, arch: tuple[int, ...] | None = None
) -> nn.Sequential:
    """A subnet (the largest if none is named) of the family's example, cut out and calibrated."""
    plugin = FAMILIES.get(family)
    torch.manual_seed(seed)
    supernet = disturb(plugin(plugin.example((1, 8, 8))), seed)
    images = torch.from_numpy(random_dataset(40).calibration.x)
    chosen = supernet.largest if arch is None else supernet.space.canonical(arch)
    return supernet.extract(chosen, supernet.calibrate(chosen, images))


def example_net(name: str, seed: int = 0) -> nn.Sequential:
    """The example of a block's kind with every default disturbed, statistics and constants included; eval mode."""
    kind = BLOCKS.get(name)()
    torch.manual_seed(seed)
    net = build_net([{"block": b, "arguments": a} for b, a in kind.example.chain])
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in [*net.parameters(), *net.buffers()]:
            if tensor.is_floating_point() and (tensor.ndim < 2 or not tensor.any() or (tensor == 1).all()):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.5 + 0.3)
    return net.eval().requires_grad_(False)


def example_samples(net: nn.Sequential, name: str, rows: int = 24, seed: int = 1) -> Any:
    """Random inputs that the example of a block's kind takes."""
    shape = BLOCKS.get(name).example.input_shape
    return example_inputs(net, shape, rows=rows, generator=torch.Generator().manual_seed(seed))
