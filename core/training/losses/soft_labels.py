"""Imitating the answers of other outputs of the step."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.config import BaseConfig
from core.training.losses.base import LOSSES
from core.training.losses.distilling import Imitating


class Config(BaseConfig):
    """Settings of soft labels."""

    teacher: Literal["largest", "teacher", "previous"] = Field(
        "largest",
        description="Whose answers are imitated: the largest subnet's, the frozen teacher's, the draw's before.",
    )
    temperature: float = Field(1.0, gt=0, le=100, description="Softens the answers that are imitated.")


@LOSSES.register("soft_labels")
class SoftLabels(Imitating):
    """Cross-entropy against what another network answered, both softened; labels do not enter."""

    label = "Soft labels"
    source = "Hinton et al., Distilling the Knowledge in a Neural Network, 2015"
    Config = Config
