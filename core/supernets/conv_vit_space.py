"""The space of ElasticViT: its configuration, and the choices that follow from it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from core.config import BaseConfig
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending
from core.supernets.resizing import resolution_choice
from core.tasks.image import ImageConfig

_MOST_GRID = 32


class StageConfig(BaseConfig):
    """Options of one stage, whose blocks have one width and one setting."""

    widths: tuple[int, ...] = Field(
        description="Channels; with attention, as many heads as the head size divides them into."
    )
    depths: tuple[int, ...] = Field((1, 2), description="Number of blocks.")
    stride: int = Field(2, ge=1, le=4, description="Stride at the stage's beginning.")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        require_ascending({"widths": self.widths, "depths": self.depths})
        if self.widths[-1] > 1024 or self.depths[-1] > 16:
            raise ValueError("a stage may have at most 1,024 channels and 16 blocks")
        return self


class ConvStageConfig(StageConfig):
    """Options of one stage of convolution blocks."""

    squeeze: bool = Field(False, description="Weigh channels by squeeze-and-excite.")


class AttentionStageConfig(StageConfig):
    """Options of one stage of transformer blocks; a convolution block leads to them."""


class ElasticConvViTConfig(ImageConfig):
    """A small one by default; `published` describes the authors'."""

    resolutions: tuple[int, ...] = Field(
        (), description="Sides to which images are resized; as they are if none is given."
    )
    stem_widths: tuple[int, ...] = Field((8, 16), description="Channels of the first convolution.")
    stem_depths: tuple[int, ...] = Field(
        (1, 2), description="Number of blocks behind it, which expand nothing."
    )
    stem_stride: int = Field(1, ge=1, le=4, description="Stride of the first convolution.")
    conv_stages: tuple[ConvStageConfig, ...] = Field(
        (ConvStageConfig(widths=(8, 16)),), max_length=6, description="Stages of convolution blocks."
    )
    attention_stages: tuple[AttentionStageConfig, ...] = Field(
        (AttentionStageConfig(widths=(16, 32)),),
        min_length=1,
        max_length=8,
        description="Stages of transformer blocks.",
    )
    kernels: tuple[int, ...] = Field((3, 5), description="Kernels of convolution blocks.")
    expands: tuple[int, ...] = Field(
        (2, 4), description="Hidden channels of convolution blocks, as a multiple of their input's."
    )
    mlp_ratios: tuple[int, ...] = Field(
        (1, 2), description="Hidden units of MLPs, as a multiple of the width."
    )
    value_scales: tuple[int, ...] = Field(
        (1, 2), description="Size of values, as a multiple of the queries'."
    )
    head_size: int = Field(8, ge=1, le=128, description="Numbers of a query, for each head.")
    reduce_ratio: int = Field(
        2, ge=1, le=16, description="Expansion of the block that leads to a stage of transformer blocks."
    )
    head_ratio: int = Field(
        2, ge=1, le=16, description="Channels before the mean, as a multiple of the last width."
    )
    features: int = Field(32, ge=1, le=8192, description="Units of the layer before the classifier.")

    @model_validator(mode="after")
    def _fits(self) -> ElasticConvViTConfig:
        names = ("kernels", "expands", "mlp_ratios", "value_scales", "stem_widths", "stem_depths")
        require_ascending({name: getattr(self, name) for name in names})
        if any(k % 2 == 0 for k in self.kernels) or self.kernels[-1] > 11:
            raise ValueError("kernels must be odd and at most 11")
        if max(self.expands[-1], self.mlp_ratios[-1], self.value_scales[-1]) > 16:
            raise ValueError("blocks expand at most 16 times")
        if self.stem_widths[-1] > 1024 or self.stem_depths[-1] > 16:
            raise ValueError("a stage may have at most 1,024 channels and 16 blocks")
        if any(w % self.head_size for stage in self.attention_stages for w in stage.widths):
            raise ValueError("widths of transformer blocks must be multiples of the head size")
        resolution_choice(self.sides)
        strides = [self.stem_stride, *(stage.stride for stage in self.conv_stages)]
        reduction = 1
        for stride in strides:
            reduction *= stride
        if -(-self.sides[-1] // (reduction * self.attention_stages[0].stride)) > _MOST_GRID:
            raise ValueError(f"attention sees maps of at most {_MOST_GRID}x{_MOST_GRID}; use larger strides")
        return self

    @property
    def sides(self) -> tuple[int, ...]:
        """The resolutions there are."""
        return self.resolutions or (self.input_shape[1],)

    @classmethod
    def published(cls, *, classes: int = 1000) -> ElasticConvViTConfig:
        """The authors' space for ImageNet, from 60 to 800 million multiply-accumulates.

        Source: github.com/microsoft/Moonlit, ElasticViT, configs/final_3min_space.yaml.
        """

        def stages(rows: list[tuple[int, int, int, int, int, int]]) -> list[dict[str, object]]:
            return [
                {
                    "widths": tuple(range(low, high + 1, step)),
                    "depths": tuple(range(first, last + 1)),
                    "stride": stride,
                }
                for low, high, step, first, last, stride in rows
            ]

        conv = stages([(16, 32, 8, 2, 5, 2), (16, 48, 8, 2, 6, 2)])
        conv[1]["squeeze"] = True
        attention = stages(
            [
                (48, 96, 16, 1, 5, 2),
                (80, 160, 16, 1, 6, 1),
                (144, 288, 16, 1, 6, 2),
                (160, 320, 16, 1, 6, 2),
            ]
        )
        return cls.model_validate(
            {
                "input_shape": (3, 224, 224),
                "classes": classes,
                "pixel_mean": (0.485, 0.456, 0.406),
                "pixel_std": (0.229, 0.224, 0.225),
                "resolutions": (128, 160, 176, 192, 224, 256),
                "stem_widths": (16, 24),
                "stem_stride": 2,
                "conv_stages": conv,
                "attention_stages": attention,
                "expands": (3, 4, 5, 6),
                "mlp_ratios": (2, 3, 4, 5),
                "value_scales": (2, 3, 4),
                "head_size": 16,
                "reduce_ratio": 6,
                "head_ratio": 6,
                "features": 1984,
            }
        )


def conv_vit_space(config: ElasticConvViTConfig) -> SearchSpace:
    """Resolution, stem, then each stage's width, depth and what its blocks have in common."""
    choices = [
        resolution_choice(config.sides),
        Choice("width0", config.stem_widths, "width", unit="channels"),
        Choice("depth0", config.stem_depths, "depth", unit="blocks"),
        Choice("kernel0", config.kernels, "kernel", unit="pixels"),
    ]
    stages: tuple[StageConfig, ...] = (*config.conv_stages, *config.attention_stages)
    for s, stage in enumerate(stages, start=1):
        choices.append(Choice(f"width{s}", stage.widths, "width", unit="channels"))
        choices.append(Choice(f"depth{s}", stage.depths, "depth", unit="blocks"))
        if isinstance(stage, ConvStageConfig):
            choices.append(Choice(f"kernel{s}", config.kernels, "kernel", unit="pixels"))
            choices.append(Choice(f"expand{s}", config.expands, "ratio"))
        else:
            choices.append(Choice(f"mlp{s}", config.mlp_ratios, "ratio"))
            choices.append(Choice(f"value{s}", config.value_scales, "ratio"))
    return SearchSpace(choices)
