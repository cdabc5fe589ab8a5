"""NASNet's space at small scale: a normal and a reduction cell, stacked; every operation of every side has weights.

Source: Zoph et al., "Learning transferable architectures for scalable image recognition", CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from core.spaces.nasnet_space import OPERATIONS, nasnet_space
from core.supernets.base import Stage, Supernet
from core.supernets.drop_path import DroppingArch
from core.supernets.families import FAMILIES
from core.supernets.nasnet_stages import CellStage, HeadStage, NasnetCellsConfig, Source, StemStage
from core.tasks.base import InputConfig


@FAMILIES.register("nasnet_cells")
class NasnetCells(Supernet):
    """A normal and a reduction cell of a few blocks each, which join two states by two operations."""

    label = "NASNet cells"
    source = "Zoph et al., NASNet, CVPR 2018 (pooled where a map is halved without weights)"
    Config = NasnetCellsConfig
    task_name = "image"

    def __init__(self, config: NasnetCellsConfig) -> None:
        space = nasnet_space(config.blocks, config.operations)
        size, channels = (config.input_shape[1], config.input_shape[2]), config.channels
        stem = Source("", channels, size, 1)
        stages: list[Stage] = [StemStage(space, config)]
        before = previous = stem
        kinds = ["normal"] * config.normal_cells
        for _ in range(config.reductions):
            kinds += ["reduction", *["normal"] * config.normal_cells]
        for number, kind in enumerate(kinds, start=1):
            channels = 2 * channels if kind == "reduction" else channels
            cell = CellStage(space, config, kind, number, channels, previous, before)
            stages.append(cell)
            before, previous = previous, cell.made
        stages.append(HeadStage(space, config, previous, before))
        super().__init__(config, space, stages)

    def in_training(self, arch: Sequence[int], progress: float, rng: np.random.Generator) -> Sequence[int]:
        assert isinstance(self.config, NasnetCellsConfig)
        drop = self.config.drop_path * progress
        if drop == 0:
            return arch
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        return DroppingArch.of(arch, drop, generator)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        small = cls.example((1, 8, 8))
        every = cls.example((3, 10, 10)).model_copy(update={"operations": OPERATIONS, "blocks": 1})
        return [small, every]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> NasnetCellsConfig:
        """A small configuration for images (c, h, w) of this shape."""
        mean, std = (0.3,) * input_shape[0], (0.4,) * input_shape[0]
        return NasnetCellsConfig(
            input_shape=input_shape, channels=2, blocks=2, pixel_mean=mean, pixel_std=std
        )
