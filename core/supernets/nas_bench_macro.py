"""The search space of NAS-Bench-Macro: eight layers in a chain, each the identity or one of two MobileNetV2 blocks.

The first layer of each of three groups halves the resolution and doubles the channels; there the identity is a 1x1
convolution with BatchNorm. Parameters and MACs are those that the benchmark publishes.

Source: Su et al., "Prioritized architecture sampling with Monto-Carlo tree search", CVPR 2021.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from core.config import Settings
from core.spaces import Choice, SearchSpace
from core.supernets.base import Stage, Supernet
from core.supernets.chain_stages import HeadStage, Layer, LayerStage, Picked, StemStage, halved
from core.supernets.families import FAMILIES
from core.supernets.options.base import Option, Place
from core.supernets.options.registry import OPTIONS
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig

LAYERS = (2, 3, 3)
"""Layers of each group."""
OPERATIONS = ("identity", "mb3_k3", "mb6_k5")
"""In the order of the benchmark's digits: expansion 3 with kernel 3, expansion 6 with kernel 5."""
_BLOCKS: tuple[tuple[str, Settings], ...] = (
    ("identity", {}),
    ("inverted_residual", {"expand": 3, "kernel": 3}),
    ("inverted_residual", {"expand": 6, "kernel": 5}),
)


class NASBenchMacroConfig(ImageConfig):
    """The skeleton around the layers."""

    channels: int = Field(32, ge=1, le=256, description="Channels of the stem; doubled three times.")
    hidden: int = Field(1280, ge=1, le=4096, description="Channels of the last convolution.")


def _space() -> SearchSpace:
    ends = (0, len(OPERATIONS) - 1)
    return SearchSpace(
        [Choice(f"layer{n}", OPERATIONS, "operation", ordinal=False, ends=ends) for n in range(1, 9)]
    )


@FAMILIES.register("nas_bench_macro")
class NASBenchMacro(Supernet):
    """Eight layers of three operations each in a chain: 6,561 subnets."""

    label = "NAS-Bench-Macro chain"
    source = "Su et al., Prioritized architecture sampling, CVPR 2021"
    Config = NASBenchMacroConfig
    task_name = "image"

    def __init__(self, config: NASBenchMacroConfig) -> None:
        space = _space()
        width, size = config.channels, (config.input_shape[1], config.input_shape[2])
        stages: list[Stage] = [StemStage(space, config, [width])]
        for group, layers in enumerate(LAYERS, start=1):
            for index in range(1, layers + 1):
                before, stride = width, 2 if index == 1 else 1
                width = 2 * width if index == 1 else width
                place = Place(before, width, stride, size, keeps=index > 1)
                size = halved(size, stride)
                layer = Layer(
                    group=group,
                    index=index,
                    width_in=Picked((before,)),
                    width=Picked((width,)),
                    depth=Picked((layers,)),
                    option=Picked((0, 1, 2), f"layer{len(stages)}"),
                    labels=("skip", "mb3 k3", "mb6 k5"),
                )
                bank: list[Option] = [OPTIONS.create(name, given, place=place) for name, given in _BLOCKS]
                stages.append(LayerStage(space, layer, bank))
        stages.append(HeadStage(space, Picked((width,)), size, config.classes, config.hidden))
        super().__init__(config, space, stages)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        # 12 halves to 6, 3 and 2: an odd map on the way.
        return [cls.example((1, 12, 12))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> NASBenchMacroConfig:
        """A small configuration for images (c, h, w) of this shape."""
        mean, std = (0.3,) * input_shape[0], (0.4,) * input_shape[0]
        return NASBenchMacroConfig(
            input_shape=input_shape, channels=3, hidden=6, pixel_mean=mean, pixel_std=std
        )

    def arch_string(self, arch: Sequence[int]) -> str:
        """The benchmark's own name of an architecture: a digit per layer, 0 for the identity."""
        return "".join(str(option) for option in arch)
