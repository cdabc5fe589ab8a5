"""Any convolutional network as a supernet: its channels can be fewer, and blocks beside a shortcut can be left out.

What the network computes is kept as a list of operations (`core.networks.operations`); the largest subnet is the
network that was given. How one is made from a file is in `core.supernets.converting`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field, model_validator
from torch import Tensor

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.networks.operations.channels import Flow, Ties, Use, trace
from core.networks.operations.grouping import Grouping, grouping
from core.networks.operations.segments import passes
from core.networks.operations.steps import MOST_STEPS, Step, require_steps
from core.networks.operations.widths import units_kept
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending
from core.supernets.base import Stage, Supernet
from core.supernets.converted_stage import NormalizeStage, Plan, SegmentStage
from core.supernets.families import FAMILIES
from core.supernets.norms_back import fill, with_norms
from core.supernets.small_residual import small_residual
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig


class Segment(BaseConfig):
    """A part of the network between two places where a single value passes."""

    label: str = Field("", pattern=r"^[A-Za-z0-9_.:/ -]{0,60}$", description="What a person calls it.")
    steps: tuple[Settings, ...] = Field(min_length=1, max_length=MOST_STEPS, description="Its operations.")


class WidthConfig(BaseConfig):
    """One choice of how many channels some groups keep."""

    groups: tuple[int, ...] = Field(min_length=1, description="Groups of channels, by number.")
    ratios: tuple[float, ...] = Field(min_length=2, max_length=16, description="Shares that can be kept.")

    @model_validator(mode="after")
    def _ascending(self) -> WidthConfig:
        if list(self.ratios) != sorted(set(self.ratios)) or self.ratios[0] <= 0 or self.ratios[-1] != 1:
            raise ValueError("shares of channels must ascend to 1")
        return self


class DepthConfig(BaseConfig):
    """One choice of how many of some blocks, one behind the other, are there."""

    first: int = Field(ge=0, description="Segment of the first of them.")
    options: tuple[int, ...] = Field(min_length=2, max_length=16, description="Numbers of blocks.")

    @model_validator(mode="after")
    def _ascending(self) -> DepthConfig:
        require_ascending({"numbers of blocks": [option + 1 for option in self.options]})
        return self


_EXAMPLE = small_residual((1, 8, 8), 10)


class ConvertedConfig(ImageConfig):
    """A network's operations, and what of them can change."""

    segments: tuple[Segment, ...] = Field(
        tuple(Segment.model_validate(s) for s in _EXAMPLE["segments"]),
        min_length=1,
        max_length=256,
        description="The network, cut where a single value passes.",
    )
    widths: tuple[WidthConfig, ...] = Field(
        tuple(WidthConfig.model_validate(w) for w in _EXAMPLE["widths"]),
        max_length=128,
        description="Choices of channels.",
    )
    depths: tuple[DepthConfig, ...] = Field(
        tuple(DepthConfig.model_validate(d) for d in _EXAMPLE["depths"]),
        max_length=64,
        description="Choices of depth.",
    )

    @model_validator(mode="after")
    def _fits(self) -> ConvertedConfig:
        try:
            structure(self)
        except InvalidInput as error:
            raise ValueError(str(error)) from error
        return self


@dataclass(frozen=True)
class Structure:
    """A converted network looked through.

    Attributes:
        flows: its values.
        starts: of each segment, how many steps come before it.
        uses: axes of tensors that count channels, and the channels of values behind them.
        grouping: of the uses.
    """

    flows: list[Flow]
    starts: list[int]
    uses: list[Use]
    grouping: Grouping


def looked_through(shape: Sequence[int], segments: Sequence[Sequence[Step]]) -> Structure:
    """Trace a network whose input and output keep their channels.

    Args:
        shape: of one input.
        segments: steps of each.

    Raises:
        InvalidInput: its operations are none, or do not fit each other.
    """
    ties, starts = Ties(), [0]
    entering = Flow(tuple(shape), ties.new(shape[0]))
    ties.pin(entering.ids, "it is the input")
    flows, uses = [entering], list[Use]()
    for steps in segments:
        require_steps(steps)
        found, used = trace(steps, flows[-1], ties)
        flows += found[1:]
        uses += [Use(use.step + starts[-1], use.tensor, use.axis, use.ids, use.role) for use in used]
        starts.append(starts[-1] + len(steps))
    ties.pin(flows[-1].ids, "these are the classes")
    uses += [Use(value, "value", 0, flow.ids, "") for value, flow in enumerate(flows)]
    return Structure(flows, starts, uses, grouping(uses, ties))


def structure(config: ConvertedConfig) -> Structure:
    """The structure of a configuration.

    Raises:
        InvalidInput: its parts do not fit each other.
    """
    found = looked_through(config.input_shape, [segment.steps for segment in config.segments])
    if found.flows[-1].shape != (config.classes,):
        raise InvalidInput("the network does not end with one number per class")
    chosen = [group for width in config.widths for group in width.groups]
    if len(set(chosen)) != len(chosen) or not set(chosen) <= set(range(len(found.grouping.sizes))):
        raise InvalidInput("a choice of channels names a group that there is not, or that another one names")
    taken: set[int] = set()
    for depth in config.depths:
        blocks = range(depth.first, depth.first + depth.options[-1])
        if blocks.stop > len(config.segments) or taken & set(blocks):
            raise InvalidInput("a choice of depth names blocks that there are not, or that another one names")
        taken |= set(blocks)
        flows = [found.flows[found.starts[b] : found.starts[b + 1] + 1] for b in blocks]
        if not all(passes(config.segments[b].steps, flow) for b, flow in zip(blocks, flows, strict=True)):
            raise InvalidInput("a choice of depth names a block that the network cannot do without")
    if not chosen and not config.depths:
        raise InvalidInput("nothing of the network can change")
    return found


@FAMILIES.register("converted")
class Converted(Supernet):
    """A network from an ONNX or torch.export file, or a class of one's own, with elastic width and depth."""

    label = "Converted network"
    source = "Yu et al., 'Slimmable neural networks', ICLR 2019, for given networks; groups after Fang et al., DepGraph, 2023"
    Config = ConvertedConfig
    task_name = "image"
    made_from = "a network"
    config: ConvertedConfig

    def __init__(self, config: ConvertedConfig) -> None:
        found = structure(config)
        space, plans = planned(config, found)
        stages: list[Stage] = []
        if any(config.pixel_mean) or any(value != 1 for value in config.pixel_std):
            shape = config.input_shape
            stages.append(NormalizeStage(space, shape, config.pixel_mean, config.pixel_std))
        stages += [SegmentStage(space, plan) for plan in plans]
        super().__init__(config, space, stages)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [cls.example((1, 8, 8)), cls.example((3, 14, 14))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> ConvertedConfig:
        """A small network for images (c, h, w) of this shape, with every kind of block."""
        said = small_residual(input_shape, 10)
        normalized = {"pixel_mean": (0.3,) * input_shape[0], "pixel_std": (0.4,) * input_shape[0]}
        return ConvertedConfig.model_validate({**said, **normalized, "input_shape": input_shape})

    def sort_channels(self) -> None:
        """The units of each group by importance: what the layers behind them read of each (L1), the most first."""
        orders = self.by_importance()
        for stage in self.segments:
            stage.reorder(orders)

    @property
    def segments(self) -> list[SegmentStage]:
        """The stages that hold operations."""
        return [stage for stage in self.chain if isinstance(stage, SegmentStage)]

    def prepared(self, inputs: Tensor) -> Supernet:
        """With a BatchNorm behind every convolution that has none, so that narrow subnets can be recalibrated.

        The largest subnet, recalibrated on the same inputs, computes what it did.
        """
        segments, places = [], []
        for segment, stage in zip(self.config.segments, self.segments, strict=True):
            steps, place = with_norms(segment.steps, [math.prod(size) for _, size in stage.plan.values])
            segments.append(Segment(label=segment.label, steps=tuple(steps)))
            places.append(place)
        if not any(added for _, added in places):
            return self
        made = Converted(self.config.model_copy(update={"segments": tuple(segments)}))
        fill(made, self, places, inputs)
        return made.requires_grad_(False)

    @torch.no_grad()
    def by_importance(self) -> dict[int, Tensor]:
        """Group -> its units, the most important first."""
        orders, stages = {}, self.segments
        for group in sorted({group for stage in stages for group in stage.plan.groups}):
            read = [found for stage in stages if (found := stage.importance(group)) is not None]
            if read:
                orders[group] = torch.stack(read).sum(0).argsort(descending=True, stable=True)
        return orders


def planned(config: ConvertedConfig, found: Structure) -> tuple[SearchSpace, list[Plan]]:
    """The search space of a configuration, and what its stages are made of."""
    whole, values = found.grouping, len(found.flows)
    layouts = dict(zip(range(len(found.uses)), whole.layouts, strict=True))
    axes = [
        ((use.step, use.tensor, use.axis), layouts[at])
        for at, use in enumerate(found.uses[: -values or None])
    ]
    flowing = [
        (layouts[len(found.uses) - values + v], tuple(flow.shape[1:])) for v, flow in enumerate(found.flows)
    ]
    kept: dict[int, tuple[str, tuple[int, ...]]] = {
        group: ("", (size,)) for group, size in enumerate(whole.sizes)
    }
    for number, width in enumerate(config.widths, 1):
        for group in width.groups:
            counts = tuple(units_kept(whole.sizes[group], ratio) for ratio in width.ratios)
            kept[group] = (f"width_{number}", counts)
    plans = []
    for at, segment in enumerate(config.segments):
        start, end = found.starts[at], found.starts[at + 1]
        size, leaves = flowing[start][1], flowing[end][1]
        own = {(s - start, t, a): layout for (s, t, a), layout in axes if start < s <= end}
        plan = Plan(
            label=segment.label or f"segment {at + 1}",
            group="stem" if not at else f"{leaves[0]} x {leaves[1]}" if leaves else "head",
            size=size,
            steps=segment.steps,
            axes=own,
            values=tuple(flowing[start : end + 1]),
            kept=kept,
            depth=_depth(config, at),
        )
        plans.append(plan)
    return _space(config, plans), plans


def _depth(config: ConvertedConfig, segment: int) -> tuple[str, tuple[int, ...]] | None:
    """Under which options of which depth a segment is there; None if always."""
    for number, depth in enumerate(config.depths, 1):
        place = segment - depth.first
        if 0 <= place < depth.options[-1]:
            there = tuple(i for i, blocks in enumerate(depth.options) if blocks > place)
            return None if len(there) == len(depth.options) else (f"depth_{number}", there)
    return None


def _space(config: ConvertedConfig, plans: Sequence[Plan]) -> SearchSpace:
    """Choices in the order in which the network meets them; a width matters only where one of its blocks is there."""
    first: dict[str, int] = {}
    users: dict[str, list[int]] = {}
    for at, plan in enumerate(plans):
        if plan.depth is not None:
            first.setdefault(plan.depth[0], at)
        for name in dict.fromkeys(plan.kept[group][0] for group in plan.groups):
            first.setdefault(name, at)
            users.setdefault(name, []).append(at)
    choices = {}
    for number, depth in enumerate(config.depths, 1):
        name = f"depth_{number}"
        choices[name] = Choice(name, depth.options, "depth", unit="blocks")
    for number, width in enumerate(config.widths, 1):
        name = f"width_{number}"
        needs = [plans[at].depth for at in users[name]]
        names = {None if need is None else need[0] for need in needs}
        requires = None
        if None not in names and len(names) == 1 and needs[0] is not None:
            requires = (needs[0][0], tuple(sorted({i for need in needs if need for i in need[1]})))
        choices[name] = Choice(name, width.ratios, "width", unit="of its channels", requires=requires)
    # A depth before the widths that it decides about.
    order = sorted(choices, key=lambda name: (first[name], name.startswith("width")))
    return SearchSpace([choices[name] for name in order])
