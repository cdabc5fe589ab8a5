"""Ensembles of paths that share a trunk of the first layers: an ensemble is one architecture.

A network is a chain of L layers. The last few of them exist once per path: behind the layer where the paths part, each
has operations and a head of its own, and what flows is a tuple of maps. The prediction is the average of the paths'
probabilities, the outputs are its logarithm. Without layers of its own a network is a single one, the first path. The
trunk uses the first path's operations, so that parting earlier adds weights and changes none.

Source: Chen et al., "One-shot neural ensemble architecture search by diversity-guided search space shrinking", CVPR 2021
(NEAS). Their blocks are MBConv; dense residual blocks train several times faster at these sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.supernets.base import Stage, Supernet
from core.supernets.chain_stages import StemStage, halved
from core.supernets.families import FAMILIES
from core.supernets.path_space import PathEnsembleConfig, layers_of, space_of
from core.supernets.path_stages import Flow, HeadStage, LayerStage, SplitStage
from core.tasks.base import InputConfig


@FAMILIES.register("path_ensemble")
class PathEnsemble(Supernet):
    """Ensembles whose networks share the first layers; where they part and each path's operations are chosen."""

    label = "Ensemble of paths"
    source = "Chen et al., NEAS, CVPR 2021 (dense residual blocks; operations of each path are its own)"
    Config = PathEnsembleConfig
    task_name = "image"

    def __init__(self, config: PathEnsembleConfig) -> None:
        layers = layers_of(config)
        space = space_of(config, layers)
        stages: list[Stage] = [StemStage(space, config, [config.channels])]
        for layer in layers:
            bank = None
            if layer.path == 1:
                trunk = LayerStage(space, layer, config.paths, trunk=True)
                bank = trunk.bank
                stages += [trunk, SplitStage(space, layer, config.paths)] if layer.can_part else [trunk]
            if layer.can_part:
                stages.append(LayerStage(space, layer, config.paths, bank))
        last = layers[-1].place
        stages.append(HeadStage(space, config, last.most_out, halved(last.size, last.stride)))
        super().__init__(config, space, stages)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        # 12 halves to 6 and 3: an odd map.
        wide = {"layers": (1, 1, 2), "paths": 3, "own": 3, "kernels": (1, 3), "expands": (1, 4)}
        return [cls.example((1, 8, 8)), cls.example((3, 12, 12)).model_copy(update=wide)]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> PathEnsembleConfig:
        """A small configuration for images (c, h, w) of this shape."""
        return PathEnsembleConfig(
            input_shape=input_shape,
            channels=2,
            layers=(2, 2),
            own=3,
            pixel_mean=(0.3,) * input_shape[0],
            pixel_std=(0.4,) * input_shape[0],
        )

    @property
    def own_layers(self) -> dict[int, list[str]]:
        """Layer that every path can have for itself -> its choices, the first path's first."""
        found: dict[int, list[str]] = {}
        for stage in self.chain:
            if isinstance(stage, LayerStage) and not stage.trunk:
                found.setdefault(stage.layer.number, []).append(stage.layer.choice)
        return found

    @torch.no_grad()
    def diversities(self, x: Tensor, arch: Sequence[int]) -> tuple[Tensor, dict[int, float]]:
        """What the ensemble answers, and how far apart its paths are behind every layer of their own.

        Args:
            x: images (n, c, h, w).
            arch: normalized by the batch itself, as in training.

        Returns:
            (n, classes) outputs; layer -> mean distance between the paths' maps of a sample, each map of length 1, over all
            pairs of paths: 0 where all compute the same, 2 at most.
        """
        flow: Flow = x
        found: dict[int, float] = {}
        for stage in self.chain:
            if stage.key(arch) is not None:
                flow = stage(flow, arch)
            if isinstance(stage, LayerStage) and stage.closes and isinstance(flow, tuple):
                maps = [F.normalize(each.flatten(1), dim=1) for each in flow]
                apart = [float((a - b).norm(dim=1).mean()) for a, b in combinations(maps, 2)]
                found[stage.layer.number] = sum(apart) / len(apart)
        assert isinstance(flow, Tensor)
        return flow, found
