"""Subnets to export: every family, small, with weights that a wrong copy cannot hide behind."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

from core.datasets import Dataset, load_dataset
from core.export.subnet import ExtractedSubnet, extract_subnet
from core.seeding import stream, torch_seed
from core.supernets import FAMILIES
from core.supernets.base import Supernet

TITLE = 'Digits "CNN" \\ ünïcode\n</b>'
"""A title as a careless person might type it."""


def digits() -> Dataset:
    return load_dataset("digits", seed=0)


_DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "image": ("digits", {}),
    "tokens": ("commands", {"texts": 400}),
    "graph": ("generated_graph", {"nodes": 300}),
    "series": ("tones", {"clips": 240, "calibration": 64}),
    "language": ("licenses", {"length": 24, "scored": 6}),
}
"""A small data set of each task that no network is needed for."""


def data_of(family: str) -> Dataset:
    """Data that a family can be trained on."""
    name, config = _DATA[FAMILIES.get(family).task.name]
    return load_dataset(name, seed=0, **config)


@lru_cache
def supernet(family: str) -> Supernet:
    """A supernet for its data; norms and biases are random too (fresh ones are zeros and ones)."""
    cls = FAMILIES.get(family)
    config = cls.task.settings_from(data_of(family))
    generator = torch.Generator().manual_seed(torch_seed(0, "export tests", family))
    result: Supernet = cls(cls.Config.model_validate(config))
    with torch.no_grad():
        for parameter in result.parameters():
            parameter.copy_(0.1 + 0.3 * torch.randn(parameter.shape, generator=generator))
    return result.requires_grad_(False)


def architectures(family: str, n: int) -> list[tuple[int, ...]]:
    """The largest, the smallest, then random ones."""
    space = supernet(family).space
    rng = stream(1, "export tests", family)
    return [space.largest, space.smallest, *(space.sample(rng) for _ in range(n - 2))][:n]


@lru_cache
def subnet(family: str, index: int = 0) -> ExtractedSubnet:
    arch = architectures(family, max(index + 1, 2))[index]
    return extract_subnet(supernet(family), arch, data_of(family), title=TITLE)
