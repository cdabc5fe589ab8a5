"""Distillation from a frozen teacher."""

from __future__ import annotations

from pydantic import Field

from core.config import BaseConfig
from core.training.losses.base import LOSSES, TEACHER
from core.training.losses.distilling import AnswersImitating


class Config(BaseConfig):
    """Settings of distillation from the teacher."""

    temperature: float = Field(1.0, gt=0, le=100, description="Softens the answers that are imitated.")


@LOSSES.register("distill_teacher")
class DistillTeacher(AnswersImitating):
    """Imitate what the frozen teacher answers."""

    label = "Distillation from a teacher"
    source = "Hinton et al., Distilling the Knowledge in a Neural Network, 2015"
    Config = Config
    teacher = TEACHER
