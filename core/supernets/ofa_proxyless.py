"""Once-for-all's ProxylessNAS space: the blocks of MobileNetV2, elastic in resolution, depth, kernel and expansion."""

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

_GROUPS = ((24, 2), (40, 2), (80, 2), (96, 1), (192, 2), (320, 1))  # width, stride
_GOOGLE = ((24, 2), (32, 2), (64, 2), (96, 1), (160, 2), (320, 1))  # MobileNetV2's widths


class OfaProxylessConfig(MobileConfig):
    """A small one by default; `published` describes the authors'."""

    groups: tuple[MobileGroupConfig, ...] = Field(
        (
            MobileGroupConfig(width=8, stride=1, activation="relu6", depths=(1, 2)),
            MobileGroupConfig(width=16, activation="relu6", depths=(1, 2)),
        ),
        min_length=1,
        max_length=8,
        description="Groups of blocks of equal width.",
    )

    @classmethod
    def published(
        cls,
        *,
        classes: int = 1000,
        width_mult: float = 1.3,
        depths: Sequence[int] = (2, 3, 4),
        kernels: Sequence[int] = (3, 5, 7),
        expands: Sequence[int] = (3, 4, 6),
        resolutions: Sequence[int] = RESOLUTIONS,
        widths_of_mobilenet_v2: bool = False,
    ) -> OfaProxylessConfig:
        """The authors' network for ImageNet, whose last group has one block; pixels in [0, 1].

        Source: github.com/mit-han-lab/once-for-all, ofa_proxyless.py.
        """
        widths = _GOOGLE if widths_of_mobilenet_v2 else _GROUPS
        each = [tuple(depths)] * (len(widths) - 1) + [(1,)]
        groups = [
            {"width": w, "stride": s, "activation": "relu6", "depths": d}
            for (w, s), d in zip(widths, each, strict=True)
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
                "stem_width": 32,
                "stem_stride": 2,
                "head_width": 1280,
            }
        )


@FAMILIES.register("ofa_proxyless")
class OfaProxyless(MobileSupernet):
    """ProxylessNAS's chain with elastic resolution, depth, kernel and expansion."""

    label = "Once-for-all ProxylessNAS"
    source = "Cai et al., Once-for-All, ICLR 2020; Cai et al., ProxylessNAS, ICLR 2019"
    Config = OfaProxylessConfig
    task_name = "image"
    style = Style(stem="relu6", first="relu6", head="relu6", first_shortcut=False, epsilon=1e-3)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [cls.example((2, 9, 9))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> OfaProxylessConfig:
        """A small configuration for images (c, h, w) of this shape."""
        settings: dict[str, Any] = {
            "input_shape": input_shape,
            "pixel_mean": (0.3,) * input_shape[0],
            "pixel_std": (0.4,) * input_shape[0],
            "groups": [
                {"width": 4, "stride": 2, "activation": "relu6", "depths": (1, 2)},
                {"width": 5, "stride": 1, "activation": "relu6", "depths": (1,)},
            ],
            "kernels": (3, 5),
            "expands": (1, 2, 3),
            "resolutions": (input_shape[1] - 2, input_shape[1]),
            "divisor": 1,
            "stem_width": 4,
            "first_width": 3,
            "head_width": 6,
        }
        return OfaProxylessConfig.model_validate(settings)
