"""Imitating the activations of another network of the step."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from core.training.losses.activations import shared_part
from core.training.losses.base import LOSSES, Imitating, Imitation, LossContext


class Config(Imitation):
    """Settings of feature distillation."""

    stages: Literal["last", "all"] = Field(
        "last", description="The activations before the head, or those after every stage before it."
    )
    relative: bool = Field(
        True,
        description="Divide by the mean square of what is imitated, so that every stage weighs the same.",
    )


@LOSSES.register("feature")
class Feature(Imitating):
    """Mean squared distance of activations from another network's; where widths differ, of the channels both have.

    Nothing of it reaches the head: use it beside a loss of the answers.
    """

    label = "Feature distillation"
    source = (
        "Romero et al., FitNets, ICLR 2015 (here the first channels of the wider network, which subnets share, instead "
        "of a learned projection)"
    )
    Config = Config
    looks_inside = True
    shareable = False

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        stages = slice(None) if self.config.stages == "all" else slice(-1, None)
        given, wanted = context.inside[stages], context.insides[self.teacher][stages]
        apart = [self._distance(*shared_part(a, b.detach())) for a, b in zip(given, wanted, strict=True)]
        return sum(apart[1:], apart[0]) / len(apart)

    def _distance(self, given: Tensor, wanted: Tensor) -> Tensor:
        distance = (given - wanted).square().mean()
        return distance / wanted.square().mean().clamp_min(1e-12) if self.config.relative else distance
