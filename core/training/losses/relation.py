"""Imitating how another network of the step relates the samples of a batch to each other."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from core.training.losses.activations import angles, distances, products
from core.training.losses.base import LOSSES, Imitating, Imitation, LossContext

_MOST_FOR_ANGLES = 64
"""Every three samples have three angles; of more samples the first ones are taken."""


class Config(Imitation):
    """Settings of relation distillation."""

    relation: Literal["distance", "angle", "similarity"] = Field(
        "distance",
        description="Distances of every two samples, angles of every three, or similarities of every two.",
    )


@LOSSES.register("relation")
class Relation(Imitating):
    """Difference between two networks in how they relate samples, by the activations before the head.

    Relations have one size for all widths, so nothing is cut and nothing is projected. Nothing reaches the head: use
    it beside a loss of the answers.
    """

    label = "Relation distillation"
    source = (
        "Park et al., Relational Knowledge Distillation, CVPR 2019 (distance, angle); Tung and Mori, "
        "Similarity-Preserving Knowledge Distillation, ICCV 2019 (similarity)"
    )
    Config = Config
    looks_inside = True
    shareable = False

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        given, wanted = context.inside[-1], context.insides[self.teacher][-1].detach()
        if self.config.relation == "distance":
            return F.smooth_l1_loss(distances(given), distances(wanted))
        if self.config.relation == "angle":
            few = slice(_MOST_FOR_ANGLES)
            return F.smooth_l1_loss(angles(given[few]), angles(wanted[few]))
        return (_rows(given) - _rows(wanted)).square().mean()


def _rows(features: Tensor) -> Tensor:
    """(n, n) similarities, every sample's to all with norm 1."""
    return F.normalize(products(features), dim=1)
