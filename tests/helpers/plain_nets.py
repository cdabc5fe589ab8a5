"""Extracted nets of every family, with every default disturbed."""

from __future__ import annotations

import torch
from torch import nn

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
