"""Imitating the answers of other outputs of the step."""

from __future__ import annotations

from pydantic import Field

from core.training.losses.base import LOSSES, Imitation
from core.training.losses.distilling import AnswersImitating


class Config(Imitation):
    """Settings of soft labels."""

    temperature: float = Field(1.0, gt=0, le=100, description="Softens the answers that are imitated.")


@LOSSES.register("soft_labels")
class SoftLabels(AnswersImitating):
    """Cross-entropy against what another network answered, both softened; labels do not enter."""

    label = "Soft labels"
    source = "Hinton et al., Distilling the Knowledge in a Neural Network, 2015"
    Config = Config
