"""Supernets split into parts: each part has weights of its own, and all of them together are one search space.

Split choices say which part an architecture belongs to (`core.supernets.parts`). Each stage holds one copy of a base
family's stage per part and hands an architecture to its part's copy. So there is one space and one front, the union of
the parts, and whoever evaluates, extracts or compares subnets need not know of parts.

Source: Zhao et al., "Few-shot neural architecture search", ICML 2021; Hu et al., "Generalizing few-shot NAS with
gradient matching", ICLR 2022 (splits of several options each, and splits of parts).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn

from core.config import Settings
from core.errors import CoreError, InvalidInput
from core.spaces import SearchSpace
from core.supernets.base import BranchContext, Stage, Supernet
from core.supernets.families import FAMILIES
from core.supernets.parts import IN_PARTS, MOST_PARTS, Parts, SplitConfig, Unlocked, parts_after
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import Statistics
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig


class FewShotConfig(ImageConfig):
    """A supernet of another family, in parts."""

    base: str = Field("elastic_cnn", description="Family whose stages the parts are copies of.")
    config: Settings = Field(
        default_factory=dict, description="Its settings; image shape and classes are the same for all."
    )
    splits: tuple[SplitConfig, ...] = Field(
        (), max_length=MOST_PARTS - 1, description="One after another; a part may be split again."
    )

    @model_validator(mode="after")
    def _possible(self) -> FewShotConfig:  # type: ignore[override]
        if self.base == IN_PARTS:
            raise ValueError("a split supernet is split further by more splits")
        if clash := sorted(set(ImageConfig.model_fields) & set(self.config)):
            raise ValueError(f"{clash[0]} is the same for all parts and is not one of the settings")
        if parts_after(self.splits) > MOST_PARTS:
            raise ValueError(f"there are at most {MOST_PARTS} parts")
        try:
            self.of_base()
        except CoreError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def of_base(self) -> InputConfig:
        """The configuration of one part.

        Raises:
            NotFound: there is no such family.
            InvalidInput: it is for another kind of data.
            ValidationError: its settings are wrong.
        """
        family = FAMILIES.get(self.base)
        if family.task_name != FewShot.task_name:
            raise InvalidInput(f"Supernets of the family {self.base} do not take images.")
        shared = {name: getattr(self, name) for name in ImageConfig.model_fields}
        found: InputConfig = family.Config.model_validate({**self.config, **shared})
        return found


@FAMILIES.register("few_shot")
class FewShot(Supernet):
    """A supernet in parts: options of its split choices decide whose weights a subnet has; one space, one front."""

    label = "Few-shot parts"
    source = "Zhao et al., Few-shot NAS, ICML 2021; Hu et al., Generalizing Few-Shot NAS with Gradient Matching, ICLR 2022"
    Config = FewShotConfig
    task_name = "image"
    made_from = "a supernet"
    config: FewShotConfig

    def __init__(self, config: FewShotConfig) -> None:
        family, settings = FAMILIES.get(config.base), config.of_base()
        bases: list[Supernet] = [family(settings)]
        space = bases[0].space
        parts = Parts(space, config.splits)
        bases += [family(settings) for _ in range(len(parts) - 1)]
        copies = zip(*(base.chain for base in bases), strict=True)
        super().__init__(config, space, [PartsStage(space, parts, each) for each in copies])
        self.parts = parts
        # Not modules of this one: their stages are, and one tensor has one name.
        self._bases = tuple(bases)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [cls.example((1, 8, 8))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> FewShotConfig:
        """A small configuration for images (c, h, w) of this shape: an elastic CNN in three parts."""
        base = FAMILIES.get("elastic_cnn").example(input_shape).model_copy(update={"kernel_transform": False})
        splits = (
            SplitConfig(choice="width2", groups=((0,), (1,))),
            SplitConfig(part=1, choice="depth1", groups=((1,), (0,))),
        )
        return configured("elastic_cnn", base, splits)

    def in_training(self, arch: Sequence[int], progress: float, rng: np.random.Generator) -> Sequence[int]:
        return self._bases[self.parts.of(arch)].in_training(arch, progress, rng)

    def sort_channels(self) -> None:
        # Only the part with the largest subnet has all channels of every width.
        if self.space.ends is not None:
            self._bases[self.parts.of(self.space.largest)].sort_channels()


class PartsStage(Stage):
    """One stage of the chain: a copy per part, of which an architecture runs its own.

    Args:
        space: of all parts.
        parts: who belongs where.
        copies: the stage as each part has it.
    """

    def __init__(self, space: SearchSpace, parts: Parts, copies: Sequence[Stage]) -> None:
        super().__init__(space)
        self.parts = parts
        self.copies = nn.ModuleList(copies)
        own = copies[0].depends_on
        self.depends_on = tuple(dict.fromkeys((*parts.choices, *own)))
        self.routed_by = tuple(name for name in parts.choices if name not in own)

    def _copy(self, arch: Sequence[int]) -> Stage:
        found: Stage = self.copies[self.parts.of(arch)]  # type: ignore[assignment]
        return found

    def key(self, arch: Sequence[int]) -> Hashable:
        key = self._copy(arch).key(arch)
        return None if key is None else (self.parts.of(arch), key)

    def forward(self, x: Any, arch: Sequence[int], statistics: Statistics | None = None) -> Any:
        return self._copy(arch)(x, arch, statistics)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        return self._copy(arch).extract(arch, statistics)

    def cost(self, arch: Sequence[int]) -> StageCost:
        found = self._copy(arch).cost(arch)
        # Parts cost the same and compute something else: who plans by costs must tell them apart (`Stage.routed_by`).
        return replace(found, counted={**found.counted, "part": self.parts.of(arch)})

    def branch(self, x: Any, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Any]:
        """As each part's copy does it for the siblings that belong there."""
        places: dict[int, list[int]] = {}
        for place, arch in enumerate(archs):
            places.setdefault(self.parts.of(arch), []).append(place)
        found: dict[int, Any] = {}
        for own in places.values():
            siblings = [archs[place] for place in own]
            outputs = self._copy(siblings[0]).branch(x, siblings, context)
            found |= dict(zip(own, outputs, strict=True))
        return [found[place] for place in range(len(archs))]


def configured(base: str, config: InputConfig, splits: Sequence[SplitConfig]) -> FewShotConfig:
    """The configuration of a supernet of a family, in parts.

    Args:
        base, config: family and configuration of the whole one.
        splits: one after another.
    """
    said = config.model_dump(mode="json")
    shared = {name: said.pop(name) for name in ImageConfig.model_fields}
    return FewShotConfig.model_validate({**shared, "base": base, "config": said, "splits": tuple(splits)})


def split(net: Supernet, splits: Sequence[SplitConfig]) -> FewShot:
    """A supernet with further splits; every part starts from the weights of the part it came from.

    Every subnet computes what it did, to the last bit.

    Args:
        net: whole, or in parts already; it stays as it is.
        splits: further ones, one after another.

    Raises:
        InvalidInput: it is not for images, or a split does not fit its space or its parts.
    """
    require_splittable(net)
    if isinstance(net, FewShot):
        base = net.config.model_dump() | {"splits": (*net.config.splits, *splits)}
        config = FewShotConfig.model_validate(base)
    else:
        config = configured(net.name, net.config, splits)
    with torch.random.fork_rng(devices=[]):
        made = FewShot(config)
    state = net.state_dict()
    found = {name: state[_name_before(name, net, made)] for name in made.state_dict()}
    made.load_state_dict(found)
    return made.to(next(net.parameters()).device)


def require_splittable(net: Supernet) -> None:
    """Refuse a supernet that cannot be split.

    Raises:
        InvalidInput: it is not for images.
    """
    if net.task_name != FewShot.task_name:
        raise InvalidInput("Only supernets for images can be split into parts.")


def came_from(made: FewShot, net: Supernet) -> dict[str, str]:
    """Name of every weight -> name of the weight it was before `net` was split and became `made`."""
    return {name: _name_before(name, net, made) for name, _ in made.named_parameters()}


def _name_before(name: str, net: Supernet, made: FewShot) -> str:
    stages, stage, copies, part, *rest = name.split(".")
    if not isinstance(net, FewShot):
        return ".".join([stages, stage, *rest])
    origin = made.parts.origins(len(net.parts))[int(part)]
    return ".".join([stages, stage, copies, str(origin), *rest])


def parts_of(net: Supernet) -> list[Unlocked]:
    """Of each part, the options that it has of the choices that were split; one part without any where none was."""
    return net.parts.options if isinstance(net, FewShot) else [{}]


def weights_of(net: Supernet, part: int) -> list[nn.Parameter]:
    """The weights of one part, each once."""
    stages = [s.copies[part] if isinstance(s, PartsStage) else s for s in net.chain]
    return list(dict.fromkeys(p for stage in stages for p in stage.parameters()))
