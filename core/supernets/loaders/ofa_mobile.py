"""How once-for-all names and shapes the tensors of its MobileNetV3 and ProxylessNAS."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from core.config import Settings
from core.errors import InvalidInput
from core.supernets.loaders.base import Fixed
from core.supernets.loaders.ofa_layout import (
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
    from torch import Tensor

    from core.supernets.base import Supernet

_DEPTHS, _KERNELS, _RATIOS = (2, 3, 4), (3, 5, 7), (3, 4, 6)
_GROUPS = 5
"""Groups of elastic depth; ProxylessNAS has one more, of one block."""
_MULTIPLIERS = (1.0, 1.2, 1.3, *(each / 100 for each in (*range(5, 400, 5), *range(1, 400))))
_NO_CHOICE = "the authors' space has no choice there"


class MobileLayout(Layout):
    """What both classes share."""

    family: ClassVar[str]

    @abstractmethod
    def widths(self, multiplier: float) -> Sequence[dict[str, int]]:
        """Tensor -> its first axis, at a width multiplier, for every list of widths that the class has."""

    @abstractmethod
    def published(self, widths: int, **settings: Any) -> Settings:
        """The authors' configuration with this list of widths."""

    @abstractmethod
    def ends(self, at: str, stage: str) -> dict[str, str]:
        """Names of what stands before and behind the elastic blocks."""

    def read(self, shapes: Shapes, hints: Mapping[str, Sequence[float]]) -> Reading:
        depth = self._depth(shapes)
        blocks = range(1, 1 + sum(1 for name in shapes if name.endswith("inverted_bottleneck.conv.weight")))
        kernels = self._kernels(shapes, blocks)
        ratio = self._ratio(shapes, blocks)
        choices = [
            (which, multiplier)
            for multiplier in dict.fromkeys(_MULTIPLIERS)
            for which, widths in enumerate(self.widths(multiplier))
            if all(shapes[name][0] == width for name, width in _placed(widths, depth).items())
        ]
        if not choices:
            raise InvalidInput(f"The widths of this checkpoint are no multiple of {self.title}'s.")
        which, multiplier = choices[0]
        classes = shapes["classifier.linear.weight"][0]
        assumed = Assumed()
        config = self.published(
            which,
            classes=classes,
            width_mult=multiplier,
            depths=[int(n) for n in assumed.options("depths", depth, hints.get("d"), _DEPTHS)],
            expands=[int(n) for n in assumed.options("expansions", ratio, hints.get("e"), _RATIOS)],
            kernels=kernels or [int(k) for k in assumed.options("kernels", _side(shapes), None, _KERNELS)],
        )
        config |= {"kernel_transform": bool(kernels) and len(kernels) > 1}
        told = ", ".join(map(str, config["kernels"]))  # type: ignore[arg-type]
        return Reading(
            family=self.family,
            config=config,
            title=f"{self.title} (width {multiplier:g})",
            facts=(
                f"{self.title} with {multiplier:g} times the usual width: up to {depth} blocks in each of five groups, kernels "
                f"{told}, expansions up to {ratio:g}, {classes:,} classes.",
                *assumed.facts(),
                *pixel_facts(RESOLUTIONS),
            ),
            fixed=(
                Fixed("first_conv", _NO_CHOICE),
                Fixed("blocks.0", _NO_CHOICE),
                *(
                    Fixed(name, _NO_CHOICE)
                    for name in ("final_expand_layer", "feature_mix_layer", "classifier")
                    if any(each.startswith(f"{name}.") for each in shapes)
                ),
            ),
        )

    def _depth(self, shapes: Shapes) -> int:
        """Blocks of a group, from how many there are."""
        numbers = {int(found[1]) for name in shapes if (found := re.match(r"blocks\.(\d{1,3})\.", name))}
        elastic = len(numbers) - 1 - self.more_blocks
        if numbers != set(range(len(numbers))) or elastic < _GROUPS or elastic % _GROUPS:
            raise InvalidInput(
                f"This checkpoint has {len(numbers)} blocks; {self.title} has the first one and five groups of equally many, "
                "so this is one network cut out of it, or another one. A whole network can be brought as ONNX."
            )
        return elastic // _GROUPS

    def _kernels(self, shapes: Shapes, blocks: Sequence[int]) -> list[int]:
        """Kernel sizes, from the matrices between them; empty where there are no matrices."""
        found = {
            tuple(
                sorted(
                    int(match[1])
                    for name in shapes
                    if (
                        match := re.fullmatch(
                            rf"blocks\.{block}\.conv\.depth_conv\.conv\.\d+to(\d+)_matrix", name
                        )
                    )
                )
            )
            + shapes[f"blocks.{block}.conv.depth_conv.conv.weight"][-1:]
            for block in blocks
        }
        if len(found) != 1:
            raise _specialised("kernels")
        kernels = list(found.pop())
        return kernels if len(kernels) > 1 else []

    def _ratio(self, shapes: Shapes, blocks: Sequence[int]) -> int:
        def fits(ratio: float) -> bool:
            pairs = [shapes[f"blocks.{block}.conv.inverted_bottleneck.conv.weight"][:2] for block in blocks]
            return all(make_divisible(round(narrow * ratio)) == hidden for hidden, narrow in pairs)

        found = first_fit(fits, (*_RATIOS[::-1], *range(1, 17)))
        if found is None:
            raise _specialised("expansions")
        return int(found)

    more_blocks: ClassVar[int] = 0
    """Blocks behind the groups of elastic depth."""

    def names(self, net: Supernet) -> dict[str, str]:
        from core.supernets.mobile_stages import BottleneckStage

        found: dict[str, str] = {}
        block = 0
        for index, stage in enumerate(net.chain):
            at = f"stages.{index}"
            if not isinstance(stage, BottleneckStage):
                found |= self.ends(at, type(stage).__name__)
                continue
            block += 1
            theirs = f"blocks.{block}.conv"
            found |= _layer(at, "expand", "norm1", f"{theirs}.inverted_bottleneck")
            found |= _layer(at, "depthwise", "norm2", f"{theirs}.depth_conv")
            found |= _layer(at, "project", "norm3", f"{theirs}.point_linear")
            sizes = stage.depthwise.kernels
            if stage.depthwise.transforms:
                found |= {
                    f"{at}.depthwise.transforms.{small}": f"{theirs}.depth_conv.conv.{large}to{small}_matrix"
                    for small, large in pairwise(sizes)
                }
            if stage.squeezed:
                for ours, part in (("squeeze", "reduce"), ("excite", "expand")):
                    found |= {
                        f"{at}.{ours}.{n}": f"{theirs}.depth_conv.se.fc.{part}.{n}"
                        for n in ("weight", "bias")
                    }
        return found

    def ours(self, name: str, tensor: Tensor) -> Tensor:
        # Squeeze-and-excite and the features are 1x1 convolutions there and linear layers here.
        if re.search(r"\.(squeeze|excite|mix)\.weight$", name) and tensor.ndim == 4:
            return tensor.flatten(1)
        return tensor


class MobileNetV3Layout(MobileLayout):
    """Their class OFAMobileNetV3."""

    title: ClassVar[str] = "Once-for-all MobileNetV3"
    family: ClassVar[str] = "ofa_mobilenet_v3"
    marks: ClassVar[tuple[str, ...]] = ("first_conv.conv.weight", "final_expand_layer.conv.weight")

    def widths(self, multiplier: float) -> Sequence[dict[str, int]]:
        found = _multiplied(multiplier, 16, 16, (24, 40, 80, 112, 160))
        found |= {"final_expand_layer.conv.weight": make_divisible(960 * multiplier)}
        return [found | {"feature_mix_layer.conv.weight": make_divisible(1280 * multiplier)}]

    def published(self, widths: int, **settings: Any) -> Settings:
        from core.supernets.ofa_mobilenet_v3 import OfaMobileNetV3Config

        return OfaMobileNetV3Config.published(**settings).model_dump(mode="json")

    def ends(self, at: str, stage: str) -> dict[str, str]:
        if stage == "MobileHeadStage":
            found = _layer(at, "expand", "norm", "final_expand_layer") | _classifier(at)
            return found | {f"{at}.mix.weight": "feature_mix_layer.conv.weight"}
        return _begin(at, stage)


class ProxylessLayout(MobileLayout):
    """Their class OFAProxylessNASNets."""

    title: ClassVar[str] = "Once-for-all ProxylessNAS"
    family: ClassVar[str] = "ofa_proxyless"
    marks: ClassVar[tuple[str, ...]] = (
        "first_conv.conv.weight",
        "feature_mix_layer.bn.weight",
        "blocks.1.conv.inverted_bottleneck.conv.weight",
    )
    more_blocks: ClassVar[int] = 1

    def widths(self, multiplier: float) -> Sequence[dict[str, int]]:
        found = [
            _multiplied(multiplier, 32, 16, groups)
            for groups in ((24, 40, 80, 96, 192, 320), (24, 32, 64, 96, 160, 320))
        ]
        return [each | {"feature_mix_layer.conv.weight": make_divisible(1280 * multiplier)} for each in found]

    def published(self, widths: int, **settings: Any) -> Settings:
        from core.supernets.ofa_proxyless import OfaProxylessConfig

        config = OfaProxylessConfig.published(widths_of_mobilenet_v2=bool(widths), **settings)
        return config.model_dump(mode="json")

    def ends(self, at: str, stage: str) -> dict[str, str]:
        if stage == "MobileHeadStage":
            return _layer(at, "expand", "norm", "feature_mix_layer") | _classifier(at)
        return _begin(at, stage)


_GROUP = "group "


def _multiplied(multiplier: float, stem: int, first: int, groups: Sequence[int]) -> dict[str, int]:
    """Widths of the stem, of the first block and of the groups; a group's first block is not numbered yet."""
    return {
        "first_conv.conv.weight": make_divisible(stem * multiplier),
        "blocks.0.conv.point_linear.conv.weight": make_divisible(first * multiplier),
        **{f"{_GROUP}{g}": make_divisible(width * multiplier) for g, width in enumerate(groups)},
    }


def _placed(widths: Mapping[str, int], depth: int) -> dict[str, int]:
    """The same, with the number of each group's first block."""

    def named(name: str) -> str:
        if not name.startswith(_GROUP):
            return name
        return f"blocks.{1 + depth * int(name.removeprefix(_GROUP))}.conv.point_linear.conv.weight"

    return {named(name): width for name, width in widths.items()}


def _side(shapes: Shapes) -> int:
    return shapes["blocks.1.conv.depth_conv.conv.weight"][-1]


def _specialised(what: str) -> InvalidInput:
    return InvalidInput(
        f"The blocks of this checkpoint have different {what}: it is one network cut out of a supernet, not the supernet. A "
        "whole network can be brought as ONNX."
    )


def _layer(at: str, conv: str, norm: str, theirs: str) -> dict[str, str]:
    """A convolution with its norm."""
    names = {f"{at}.{conv}.weight": f"{theirs}.conv.weight"}
    return names | {f"{at}.{norm}.{n}": f"{theirs}.bn.{n}" for n in ("weight", "bias")}


def _begin(at: str, stage: str) -> dict[str, str]:
    if stage == "MobileStemStage":
        return _layer(at, "conv", "norm", "first_conv")
    if stage == "SeparableStage":
        found = _layer(at, "depthwise", "norm1", "blocks.0.conv.depth_conv")
        return found | _layer(at, "project", "norm2", "blocks.0.conv.point_linear")
    return {}


def _classifier(at: str) -> dict[str, str]:
    return {f"{at}.classifier.{n}": f"classifier.linear.{n}" for n in ("weight", "bias")}
