"""In-place distillation."""

from __future__ import annotations

from pydantic import Field

from core.config import BaseConfig
from core.training.losses.base import LARGEST, LOSSES
from core.training.losses.distilling import AnswersImitating


class Config(BaseConfig):
    """Settings of in-place distillation."""

    temperature: float = Field(1.0, gt=0, le=100, description="Softens the answers that are imitated.")


@LOSSES.register("distill_largest")
class DistillLargest(AnswersImitating):
    """Imitate what the largest subnet answered in this step; labels do not enter."""

    label = "In-place distillation"
    source = "Yu et al., BigNAS, ECCV 2020"
    Config = Config
    teacher = LARGEST
