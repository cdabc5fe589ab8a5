"""Distillation from a frozen teacher."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from core.config import BaseConfig
from core.training.losses.base import LOSSES, TEACHER, Loss, LossContext
from core.training.losses.distilling import soft_cross_entropy


class Config(BaseConfig):
    """Settings of distillation from the teacher."""

    temperature: float = Field(1.0, gt=0, le=100, description="Softens the answers that are imitated.")


@LOSSES.register("distill_teacher")
class DistillTeacher(Loss):
    """Imitate what the frozen teacher answers."""

    label = "Distillation from a teacher"
    source = "Hinton et al., Distilling the Knowledge in a Neural Network, 2015"
    Config = Config

    @property
    def needs(self) -> tuple[str, ...]:
        return (TEACHER,)

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        return soft_cross_entropy(outputs, context.outputs[TEACHER], self.config.temperature)
