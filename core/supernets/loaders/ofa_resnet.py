"""How once-for-all names and shapes the tensors of its ResNet-50."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from core.config import Settings
from core.errors import InvalidInput
from core.supernets.loaders.ofa_layout import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    RESOLUTIONS,
    Assumed,
    Layout,
    Reading,
    Shapes,
    first_fit,
    pixel_facts,
)
from core.supernets.widths import make_divisible

if TYPE_CHECKING:
    from core.supernets.base import Supernet

_CHANNELS, _BASE_DEPTHS, _STEM = (256, 512, 1024, 2048), (2, 2, 4, 2), 64
_DEPTHS, _RATIOS, _WIDTHS = (0, 1, 2), (0.2, 0.25, 0.35), (0.65, 0.8, 1.0)
_GRID = [each / 100 for each in (100, *range(5, 200, 5), *range(1, 200))]


class ResNetLayout(Layout):
    """Their class OFAResNets."""

    title: ClassVar[str] = "Once-for-all ResNet-50"
    marks: ClassVar[tuple[str, ...]] = ("input_stem.0.conv.weight", "classifier.linear.weight")

    def read(self, shapes: Shapes, hints: Mapping[str, Sequence[float]]) -> Reading:
        groups = _groups(shapes)
        widths = [shapes[f"blocks.{group[0]}.conv3.conv.weight"][0] for group in groups]
        extra = len(groups[0]) - _BASE_DEPTHS[0]
        if [len(group) - extra for group in groups] != list(_BASE_DEPTHS) or extra < 0:
            told = ", ".join(str(len(group)) for group in groups)
            raise InvalidInput(
                f"Its groups have {told} blocks; {self.title} has 2, 2, 4 and 2, and equally many more in each."
            )
        stem = shapes["input_stem.2.conv.weight"][0]
        multiplier = _first(
            lambda w: [make_divisible(n * w) for n in (_STEM, *_CHANNELS)] == [stem, *widths],
            (*_WIDTHS[::-1], *_GRID),
            f"widths {stem}, {', '.join(map(str, widths))}",
        )
        inner = [shapes[f"blocks.{group[0]}.conv1.conv.weight"][0] for group in groups]
        ratio = _first(
            lambda e: [make_divisible(round(n * e)) for n in widths] == inner,
            (*_RATIOS[::-1], *_GRID),
            f"inner widths {', '.join(map(str, inner))}",
        )
        assumed = Assumed()
        classes = shapes["classifier.linear.weight"][0]
        config: Settings = {
            "input_shape": [3, RESOLUTIONS[-1], RESOLUTIONS[-1]],
            "classes": classes,
            "pixel_mean": list(IMAGENET_MEAN),
            "pixel_std": list(IMAGENET_STD),
            "resolutions": list(RESOLUTIONS),
            "stem_channels": _STEM,
            "stem_stride": 2,
            "stem_pool": 2,
            "channels": list(_CHANNELS),
            "base_depths": list(_BASE_DEPTHS),
            "extra_depths": [int(d) for d in assumed.options("depths", extra, hints.get("d"), _DEPTHS)],
            "expand_ratios": list(assumed.options("expansions", ratio, hints.get("e"), _RATIOS)),
            "width_multipliers": list(assumed.options("widths", multiplier, hints.get("w"), _WIDTHS)),
        }
        blocks = ", ".join(str(len(group)) for group in groups)
        return Reading(
            family="ofa_resnet50",
            config=config,
            title=self.title,
            facts=(
                f"{self.title}: four groups of up to {blocks} bottlenecks with up to {widths[-1]:,} channels, "
                f"{classes:,} classes.",
                *assumed.facts(),
                *pixel_facts(RESOLUTIONS),
            ),
        )

    def names(self, net: Supernet) -> dict[str, str]:
        from core.supernets.resnet_stages import BottleneckStage, HeadStage
        from core.supernets.resnet_stems import StemEndStage, StemMiddleStage, StemStage

        found: dict[str, str] = {}
        block = 0
        for index, stage in enumerate(net.chain):
            at = f"stages.{index}"
            if isinstance(stage, StemStage):
                found |= _conv(f"{at}.", "input_stem.0")
            elif isinstance(stage, StemMiddleStage):
                found |= {f"{at}.conv.weight": "input_stem.1.conv.weight"}
                found |= {f"{at}.norm.{n}": f"input_stem.1.conv.bn.{n}" for n in ("weight", "bias")}
            elif isinstance(stage, StemEndStage):
                found |= _conv(f"{at}.", "input_stem.2")
            elif isinstance(stage, BottleneckStage):
                for number in "123":
                    found |= _conv(f"{at}.", f"blocks.{block}.conv{number}", number)
                if stage.first:
                    found |= _conv(f"{at}.shortcut", f"blocks.{block}.downsample")
                block += 1
            elif isinstance(stage, HeadStage):
                found |= {f"{at}.linear.{n}": f"classifier.linear.{n}" for n in ("weight", "bias")}
        return found


def _conv(ours: str, theirs: str, number: str = "") -> dict[str, str]:
    """A convolution with its norm."""
    conv, norm = (f"{ours}conv{number}", f"{ours}norm{number}")
    if ours.endswith("shortcut"):
        conv, norm = ours, f"{ours}_norm"
    names = {f"{conv}.weight": f"{theirs}.conv.weight"}
    return names | {f"{norm}.{n}": f"{theirs}.bn.{n}" for n in ("weight", "bias")}


def _groups(shapes: Shapes) -> list[list[int]]:
    """Numbers of the blocks of each group; a group begins where the shortcut has weights."""
    numbers = sorted({int(found[1]) for name in shapes if (found := re.match(r"blocks\.(\d{1,3})\.", name))})
    starts = {n for n in numbers if f"blocks.{n}.downsample.conv.weight" in shapes}
    if numbers != list(range(len(numbers))) or not numbers or 0 not in starts:
        raise InvalidInput(
            "The blocks of this checkpoint are not numbered through, or the first has no shortcut."
        )
    groups: list[list[int]] = []
    for number in numbers:
        if number in starts:
            groups.append([])
        groups[-1].append(number)
    return groups


def _first(fits: Callable[[float], bool], candidates: Sequence[float], what: str) -> float:
    found = first_fit(fits, candidates)
    if found is None:
        raise InvalidInput(f"This checkpoint has {what}, which are no multiple of ResNet-50's.")
    return found
