"""EfficientTDNN: a time-delay network for sounds and other series with elastic kernel, depth and widths.

A stem, a chain of SE-Res2 blocks whose outputs are concatenated and mixed, attentive statistics, an embedding.
"""

from __future__ import annotations

import torch

from core.supernets.base import Stage, Supernet
from core.supernets.families import FAMILIES
from core.supernets.tdnn_space import ElasticTDNNConfig, tdnn_space
from core.supernets.tdnn_stages import BlockStage, LogMelStage, StemStage, reorder
from core.supernets.tdnn_tail import ConcatStage, HeadStage, PoolStage
from core.tasks.base import InputConfig


@FAMILIES.register("elastic_tdnn")
class ElasticTDNN(Supernet):
    """Time-delay network for sounds and other series with elastic kernel, depth and widths."""

    label = "EfficientTDNN"
    source = "Wang et al., EfficientTDNN, IEEE/ACM TASLP 2022; blocks: Desplanques et al., ECAPA-TDNN, 2020"
    Config = ElasticTDNNConfig
    task_name = "series"

    def __init__(self, config: ElasticTDNNConfig) -> None:
        space = tdnn_space(config)
        frames = -(-config.features[1] // config.stem_stride)
        stages: list[Stage] = [LogMelStage(space, config)] if config.front == "log_mel" else []
        stages.append(StemStage(space, config, frames))
        stages += [BlockStage(space, config, frames, b) for b in range(1, config.depths[-1] + 1)]
        stages += [
            ConcatStage(space, config, frames),
            PoolStage(space, config, frames),
            HeadStage(space, config),
        ]
        super().__init__(config, space, stages)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        small = {"channels": 16, "concat_channels": 16, "width_ratios": (0.5, 1.0), "bottleneck": 3}
        sound = {"input_shape": (1, 80), "rate": 800, "window_ms": 20, "hop_ms": 10, "bands": 4, "classes": 3}
        features = {"front": "none", "input_shape": (3, 15), "rate": 0, "classes": 4, "stem_stride": 2}
        return [
            ElasticTDNNConfig.model_validate(small | sound | {"embedding": 5}),
            ElasticTDNNConfig.model_validate(
                small | features | {"kernels": (3, 5), "depths": (1, 2), "dilations": (1, 2), "scale": 2}
            ),
        ]

    @torch.no_grad()
    def sort_channels(self) -> None:
        """Order the units within blocks, and those behind the concatenation, by importance."""
        for stage in self.stages:
            if isinstance(stage, BlockStage):
                stage.sort_inner()
        concat, pool, head = self.stages[-3:]
        assert isinstance(concat, ConcatStage)
        assert isinstance(pool, PoolStage)
        assert isinstance(head, HeadStage)
        halves = head.linear.weight.abs().sum(0).view(2, -1)
        order = halves.sum(0).argsort(descending=True, stable=True)
        both = torch.cat([order, order + len(order)])
        reorder((concat.conv.weight, 0), order)
        reorder((pool.attend.weight, 1), order)
        reorder((pool.score.weight, 0), order)
        for vector in (pool.norm.weight, pool.norm.bias):
            reorder((vector, 0), both)
        reorder((head.linear.weight, 1), both)
