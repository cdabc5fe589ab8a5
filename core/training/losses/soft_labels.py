"""Imitating the answers of other outputs of the step."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from core.config import BaseConfig
from core.training.losses.base import LOSSES, Loss, LossContext
from core.training.losses.distilling import soft_cross_entropy


class Config(BaseConfig):
    """Settings of soft labels."""

    teacher: Literal["largest", "teacher", "previous"] = Field(
        "largest",
        description="Whose answers are imitated: the largest subnet's, the frozen teacher's, the draw's before.",
    )
    temperature: float = Field(1.0, gt=0, le=100, description="Softens the answers that are imitated.")


@LOSSES.register("soft_labels")
class SoftLabels(Loss):
    """Cross-entropy against what another network answered, both softened; labels do not enter."""

    label = "Soft labels"
    source = "Hinton et al., Distilling the Knowledge in a Neural Network, 2015"
    Config = Config

    @property
    def teacher(self) -> str:
        """Name of the outputs that are imitated."""
        return str(self.config.teacher)

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.teacher,)

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        return soft_cross_entropy(outputs, context.outputs[self.teacher], self.config.temperature)
