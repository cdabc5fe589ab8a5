"""Spaces that a person writes: a chain of stages, whose blocks are one of several options each.

Each block has a bank of options with weights of their own; the widths of a stage are nested slices of them. What is
written (`core.supernets.chain_config`) is judged before anything is built; see `core.supernets.written` for the
file it may come from.

Sources: Guo et al., "Single path one-shot neural architecture search", ECCV 2020 (a bank of options per block); the
options name their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.spaces import Choice, SearchSpace
from core.spaces.choice import within_depth
from core.supernets.base import Stage, Supernet
from core.supernets.chain_config import (
    ChainConfig,
    ChainStemConfig,
    OptionConfig,
    StageConfig,
    labels,
    plain_number,
    the_number,
)
from core.supernets.chain_stages import HeadStage, Layer, LayerStage, Picked, StemStage, halved
from core.supernets.counting import Count
from core.supernets.families import FAMILIES
from core.supernets.options.base import Option, Place
from core.supernets.options.registry import OPTIONS
from core.tasks.base import InputConfig


@FAMILIES.register("chain")
class Chain(Supernet):
    """A chain of stages written by a person: widths, depths, and several kinds of blocks to choose from."""

    label = "Chain of options"
    source = "Guo et al., Single path one-shot NAS, ECCV 2020 (a bank of options per block)"
    Config = ChainConfig
    task_name = "image"
    written = "in YAML, see core.supernets.written"

    def __init__(self, config: ChainConfig) -> None:
        size = halved((config.input_shape[1], config.input_shape[2]), config.stem.stride)
        width = Picked((config.stem.channels,))
        choices: list[Choice] = []
        layers: list[tuple[Layer, list[Option]]] = []
        for group, stage in enumerate(config.stages, start=1):
            after = _picked(choices, Choice(f"width{group}", stage.widths, "width", unit="channels"))
            depth = _picked(choices, Choice(f"depth{group}", stage.depths, "depth", unit="blocks"))
            for index, options in enumerate(stage.banks, start=1):
                first = index == 1
                before, stride = (width, stage.stride) if first else (after, 1)
                keeps = stride == 1 and (not first or before.values == after.values == (after.most,))
                place = Place(before.most, after.most, stride, size, keeps)
                bank: list[Option] = [OPTIONS.create(o.block, o.settings, place=place) for o in options]
                layer = Layer(
                    group, index, before, after, depth, Picked((0,)), tuple(labels(options, short=True))
                )
                choice = _choice(options, bank, layer, within_depth(f"depth{group}", stage.depths, index))
                if choice is not None:
                    choices.append(choice)
                    layer = replace(layer, option=Picked(tuple(range(len(options))), choice.name))
                layers.append((layer, bank))
                size = halved(size, stride)
            width = after
        space = SearchSpace(choices)
        stem = StemStage(
            space, config, config.stem.widths, kernel=config.stem.kernel, stride=config.stem.stride
        )
        stages: list[Stage] = [stem, *(LayerStage(space, layer, bank) for layer, bank in layers)]
        stages.append(HeadStage(space, width, size, config.classes, config.head.hidden))
        super().__init__(config, space, stages)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        # 14 halves to 7: an odd map.
        return [cls.example((1, 8, 8)), cls.other_example((3, 14, 14))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> ChainConfig:
        """A small configuration for images (c, h, w) of this shape, with options that attend, shift and pool."""
        return cls._config(
            input_shape,
            ChainStemConfig(channels=3),
            {"widths": [3, 5], "options": ["residual", "shift", "pool", "identity"]},
            {
                "widths": [4, 6],
                "depths": [1, 2],
                "stride": 2,
                "options": [
                    {"block": "lowformer", "expand": 1, "head_size": 2, "mlp": 1},
                    {"block": "fused_conv", "expand": 2},
                    {"block": "pool", "pool": "max"},
                ],
            },
        )

    @classmethod
    def other_example(cls, input_shape: tuple[int, int, int]) -> ChainConfig:
        """A small configuration with the other options, a deep stem and a wider head."""
        return cls._config(
            input_shape,
            ChainStemConfig(kind="deep", channels=4, stride=2),
            {
                "widths": 10,
                "depths": [1, 2],
                "blocks": [
                    [
                        {"block": "inverted_residual", "expand": 1},
                        {"block": "inverted_residual", "expand": 2},
                    ],
                    ["identity", {"block": "osa", "layers": 2}],
                ],
            },
            {
                "widths": [4, 6],
                "depths": [1, 2],
                "stride": 2,
                "options": [
                    "resnet_rs",
                    {"block": "resnet_rs", "bottleneck": 2},
                    {"block": "osa", "layers": 1},
                    {"block": "plain_conv", "kernel": 1, "name": "pointwise"},
                ],
            },
            hidden=5,
        )

    @classmethod
    def _config(
        cls, input_shape: tuple[int, int, int], stem: ChainStemConfig, *stages: object, hidden: int = 0
    ) -> ChainConfig:
        return ChainConfig.model_validate(
            {
                "input_shape": input_shape,
                "pixel_mean": (0.3,) * input_shape[0],
                "pixel_std": (0.4,) * input_shape[0],
                "stem": stem.model_dump(),
                "stages": [StageConfig.model_validate(stage).model_dump() for stage in stages],
                "head": {"hidden": hidden},
            }
        )


def _picked(choices: list[Choice], choice: Choice) -> Picked:
    """The choice is added to the others, if there is something to choose."""
    values = tuple(int(value) for value in choice.options)
    if len(values) == 1:
        return Picked(values)
    choices.append(choice)
    return Picked(values, choice.name)


def _choice(
    options: Sequence[OptionConfig],
    bank: Sequence[Option],
    layer: Layer,
    requires: tuple[str, tuple[int, ...]] | None,
) -> Choice | None:
    """Which of its options a block is; None where there is one."""
    if len(options) == 1:
        return None
    ends = _ends(bank, layer)
    place = f"{layer.group}_{layer.index}"
    if number := the_number(options):
        values = tuple(plain_number(getattr(o.validated(), number)) for o in options)
        kind = bank[0].kinds.get(number, "ratio")
        unit = {"kernel": "pixels", "depth": "layers"}.get(kind, "")
        name = f"{number}{place}"
        return Choice(name, values, kind, ordinal=False, unit=unit, requires=requires, ends=ends)
    return Choice(
        f"block{place}", tuple(labels(options)), "operation", ordinal=False, requires=requires, ends=ends
    )


def _ends(bank: Sequence[Option], layer: Layer) -> tuple[int, int]:
    """The cheapest and the dearest option at the largest widths, by MACs, then by parameters."""
    costs = []
    for option in bank:
        count = Count()
        option.count(count, count.given(layer.width_in.most, option.place.size), layer.width.most)
        costs.append((count.macs, count.params))
    return costs.index(min(costs)), costs.index(max(costs))
