"""ElasticViT: convolution stages, then attention stages, with elastic resolution, widths, depths and ratios.

All blocks of a stage have one width and one setting. Smaller widths are the first channels, smaller kernels the
middle of larger ones; a stage has as many heads as its width holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.spaces import SearchSpace
from core.supernets.base import Stage, Supernet
from core.supernets.conv_vit_attention import AttentionStage, HeadStage
from core.supernets.conv_vit_space import (
    ConvStageConfig,
    ElasticConvViTConfig,
    StageConfig,
    conv_vit_space,
)
from core.supernets.conv_vit_stages import BottleneckStage, Place, SeparableStage, StemStage
from core.supernets.families import FAMILIES
from core.supernets.resizing import ResizeStage
from core.tasks.base import InputConfig

_REDUCE_KERNEL = 3


@FAMILIES.register("elastic_conv_vit")
class ElasticConvViT(Supernet):
    """Convolution and attention stages with elastic resolution, widths, depths, kernels, values and ratios."""

    label = "ElasticViT"
    source = "Tang et al., ElasticViT, ICCV 2023 (its space; values are kept head by head)"
    Config = ElasticConvViTConfig
    task_name = "image"

    def __init__(self, config: ElasticConvViTConfig) -> None:
        space = conv_vit_space(config)
        wide, reduction = config.stem_widths[-1], config.stem_stride
        stem = Place(0, 0, 1, reduction, config.input_shape[0], wide, enters=True)
        stages: list[Stage] = [
            ResizeStage(space, config.input_shape),
            StemStage(space, stem, config.pixel_mean, config.pixel_std),
        ]
        for b in range(1, config.stem_depths[-1] + 1):
            stages.append(
                SeparableStage(space, Place(0, b, reduction, reduction, wide, wide), config.kernels)
            )
        every: tuple[StageConfig, ...] = (*config.conv_stages, *config.attention_stages)
        for s, stage in enumerate(every, start=1):
            after, most = reduction * stage.stride, stage.widths[-1]
            within = [Place(s, b, after, after, most, most) for b in range(1, stage.depths[-1] + 1)]
            if isinstance(stage, ConvStageConfig):
                within[0] = Place(s, 1, reduction, after, wide, most, enters=True)
                stages += _conv_stage(space, config, stage, within)
            else:
                entry = Place(s, 0, reduction, after, wide, most, enters=True)
                stages += _attention_stage(space, config, entry, within)
            wide, reduction = most, after
        last = len(config.conv_stages) + len(config.attention_stages)
        stages.append(
            HeadStage(
                space,
                Place(last, 0, reduction, reduction, wide, wide),
                ratio=config.head_ratio,
                features=config.features,
                classes=config.classes,
            )
        )
        super().__init__(config, space, stages)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [cls.example((1, 8, 8))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> ElasticConvViTConfig:
        """A small configuration for images (c, h, w) of this shape."""
        side = input_shape[1]
        settings: dict[str, Any] = {
            "input_shape": input_shape,
            "pixel_mean": (0.3,) * input_shape[0],
            "pixel_std": (0.4,) * input_shape[0],
            "resolutions": (side - 1, side),
            "stem_widths": (3, 4),
            "conv_stages": [
                {"widths": (3, 5), "squeeze": True},
            ],
            "attention_stages": [
                {"widths": (4, 6), "depths": (1, 2)},
                {"widths": (4, 6), "depths": (1,), "stride": 1},
            ],
            "expands": (1, 2),
            "head_size": 2,
            "features": 5,
        }
        return ElasticConvViTConfig.model_validate(settings)


def _conv_stage(
    space: SearchSpace, config: ElasticConvViTConfig, stage: ConvStageConfig, places: Sequence[Place]
) -> list[Stage]:
    return [
        BottleneckStage(space, place, kernels=config.kernels, expands=config.expands, squeeze=stage.squeeze)
        for place in places
    ]


def _attention_stage(
    space: SearchSpace, config: ElasticConvViTConfig, entry: Place, blocks: Sequence[Place]
) -> list[Stage]:
    grid = -(-config.sides[-1] // entry.after)
    ratio = (config.reduce_ratio,)
    return [
        BottleneckStage(space, entry, kernels=(_REDUCE_KERNEL,), expands=ratio, squeeze=True),
        *(
            AttentionStage(
                space,
                place,
                mlp_ratios=config.mlp_ratios,
                value_scales=config.value_scales,
                head_size=config.head_size,
                grid=grid,
            )
            for place in blocks
        ),
    ]
