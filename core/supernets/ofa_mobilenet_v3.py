"""Once-for-all's MobileNetV3: elastic resolution, depth, kernel and expansion, with squeeze-and-excite.

A group's depth keeps its first blocks; a block's smaller kernels are made of its largest by learned matrices, its
smaller expansions are the first of its hidden channels. Which of the authors' tensors is which of ours:
`core.supernets.loaders`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from core.supernets.families import FAMILIES
from core.supernets.mobile import (
    IMAGENET,
    RESOLUTIONS,
    MobileConfig,
    MobileGroupConfig,
    MobileSupernet,
    Style,
)
from core.tasks.base import InputConfig

_GROUPS = (  # width, stride, activation, squeeze-and-excite
    (24, 2, "relu", False),
    (40, 2, "relu", True),
    (80, 2, "hardswish", False),
    (112, 1, "hardswish", True),
    (160, 2, "hardswish", True),
)


class OfaMobileNetV3Config(MobileConfig):
    """A small one by default; `published` describes the authors'."""

    groups: tuple[MobileGroupConfig, ...] = Field(
        (
            MobileGroupConfig(width=8, stride=1, depths=(1, 2)),
            MobileGroupConfig(width=16, activation="hardswish", squeeze=True, depths=(1, 2)),
        ),
        min_length=1,
        max_length=8,
        description="Groups of blocks of equal width.",
    )
    features: int = Field(64, ge=1, le=8192, description="Units of the layer before the classifier.")

    @classmethod
    def published(
        cls,
        *,
        classes: int = 1000,
        width_mult: float = 1.0,
        depths: Sequence[int] = (2, 3, 4),
        kernels: Sequence[int] = (3, 5, 7),
        expands: Sequence[int] = (3, 4, 6),
        resolutions: Sequence[int] = RESOLUTIONS,
    ) -> OfaMobileNetV3Config:
        """The authors' network for ImageNet; pixels in [0, 1] are normalized by ImageNet's constants.

        Source: github.com/mit-han-lab/once-for-all, ofa_mbv3.py.
        """
        groups = [
            {"width": w, "stride": s, "activation": a, "squeeze": se, "depths": tuple(depths)}
            for w, s, a, se in _GROUPS
        ]
        return cls.model_validate(
            {
                **IMAGENET,
                "input_shape": (3, 224, 224),
                "classes": classes,
                "groups": groups,
                "kernels": tuple(kernels),
                "expands": tuple(expands),
                "resolutions": tuple(resolutions),
                "width_mult": width_mult,
                "stem_stride": 2,
                "head_width": 960,
                "features": 1280,
            }
        )


@FAMILIES.register("ofa_mobilenet_v3")
class OfaMobileNetV3(MobileSupernet):
    """MobileNetV3 with elastic resolution, depth, kernel and expansion."""

    label = "Once-for-all MobileNetV3"
    source = "Cai et al., Once-for-All, ICLR 2020"
    Config = OfaMobileNetV3Config
    task_name = "image"
    style = Style(stem="hardswish", first="relu", head="hardswish", first_shortcut=True, epsilon=1e-5)

    def __init__(self, config: OfaMobileNetV3Config) -> None:
        super().__init__(config, config.divisible(config.features))

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [cls.example((1, 8, 8))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> OfaMobileNetV3Config:
        """A small configuration for images (c, h, w) of this shape."""
        side = input_shape[1]
        settings: dict[str, Any] = {
            "input_shape": input_shape,
            "pixel_mean": (0.3,) * input_shape[0],
            "pixel_std": (0.4,) * input_shape[0],
            "groups": [
                {"width": 4, "stride": 1, "squeeze": True, "depths": (1, 2)},
                {"width": 5, "activation": "hardswish", "depths": (1, 2)},
            ],
            "kernels": (3, 5, 7),
            "expands": (1, 2),
            "resolutions": (side - 1, side),
            "divisor": 1,
            "stem_width": 4,
            "first_width": 4,
            "head_width": 6,
            "features": 5,
        }
        return OfaMobileNetV3Config.model_validate(settings)
