"""Learning from the labels."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from core.config import BaseConfig
from core.training.losses.base import LOSSES, Loss, LossContext


class Config(BaseConfig):
    """Settings of learning from labels."""

    smoothing: float | None = Field(
        None, ge=0, lt=1, description="Label smoothing; empty: that of the whole training."
    )


@LOSSES.register("labels")
class Labels(Loss):
    """The task's own loss against the labels; for classes, cross-entropy with label smoothing.

    Where samples are mixed, their labels are mixed in the same shares.
    """

    label = "Labels"
    source = (
        "Szegedy et al., Rethinking the Inception Architecture, CVPR 2016 (label smoothing); Zhang et al., mixup, "
        "ICLR 2018"
    )
    Config = Config

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        smoothing = context.smoothing if self.config.smoothing is None else self.config.smoothing
        return context.task.mixed_losses(outputs, targets, context.mixed, smoothing=smoothing).mean()
