"""Kullback-Leibler divergence from other outputs of the step."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from core.training.losses.base import LOSSES, Imitating, Imitation, LossContext
from core.training.losses.distilling import answers


class Config(Imitation):
    """Settings of the divergence."""

    temperature: float = Field(1.0, gt=0, le=100, description="Softens both answers.")


@LOSSES.register("kl")
class KL(Imitating):
    """Divergence of the subnet's answers from the teacher's; zero where both agree."""

    label = "KL divergence"
    source = "Hinton et al., Distilling the Knowledge in a Neural Network, 2015"
    Config = Config

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        temperature = self.config.temperature
        wanted = (answers(context.outputs[self.teacher]).detach() / temperature).log_softmax(1)
        given = (answers(outputs) / temperature).log_softmax(1)
        return F.kl_div(given, wanted, reduction="batchmean", log_target=True) * temperature**2
