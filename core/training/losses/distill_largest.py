"""In-place distillation."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from core.config import BaseConfig
from core.training.losses.base import LARGEST, LOSSES, Loss, LossContext
from core.training.losses.distilling import soft_cross_entropy


class Config(BaseConfig):
    """Settings of in-place distillation."""

    temperature: float = Field(1.0, gt=0, le=100, description="Softens the answers that are imitated.")


@LOSSES.register("distill_largest")
class DistillLargest(Loss):
    """Imitate what the largest subnet answered in this step; labels do not enter."""

    label = "In-place distillation"
    source = "Yu et al., BigNAS, ECCV 2020"
    Config = Config

    @property
    def needs(self) -> tuple[str, ...]:
        return (LARGEST,)

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        return soft_cross_entropy(outputs, context.outputs[LARGEST], self.config.temperature)
