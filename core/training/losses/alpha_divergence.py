"""Imitating answers by a divergence that punishes both over- and underestimated doubt."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from core.training.losses.base import LOSSES, Imitating, Imitation, LossContext
from core.training.losses.distilling import answers


class Config(Imitation):
    """Settings of the adaptive alpha-divergence."""

    low: float = Field(
        -1.0, ge=-10, lt=0, description="Negative alpha: punishes doubt where the teacher has none."
    )
    high: float = Field(
        1.0,
        gt=0,
        le=10,
        description="Positive alpha: punishes certainty where the teacher has doubts (1: KL).",
    )
    clip: float = Field(
        5.0,
        gt=0,
        le=1e6,
        description="Most that the ratio of two probabilities counts, to the power of alpha.",
    )


@LOSSES.register("alpha_divergence")
class AlphaDivergence(Imitating):
    """The larger of two alpha-divergences of every sample, with clipped ratios; zero where both answers agree.

    Its value is that divergence; its gradient that of the divergence with ratios clipped.
    """

    label = "Adaptive alpha-divergence"
    source = "Wang et al., AlphaNet, ICML 2021"
    Config = Config

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        given = answers(outputs).log_softmax(1)
        wanted = answers(context.outputs[self.teacher]).detach().log_softmax(1)
        low, by_low = self._divergence(given, wanted, self.config.low)
        high, by_high = self._divergence(given, wanted, self.config.high)
        surrogate = by_low.where(low > high, by_high).mean()
        return low.maximum(high).mean() + surrogate - surrogate.detach()

    def _divergence(self, given: Tensor, wanted: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
        """(n,) divergences of log-probabilities, without gradient, and (n,) numbers that have its gradient.

        The divergence of q from p is (sum q (p / q)^alpha - 1) / (alpha (alpha - 1)), and KL(p || q) at alpha 1; its
        gradient is that of - sum q (p / q)^alpha / alpha log q with all but log q held.
        """
        q, ratio = given.detach().exp(), (wanted - given.detach())
        if abs(alpha - 1) < 1e-3:
            # q times the ratio is p: bounded, so nothing is clipped, as in the official code.
            power = ratio.exp()
            value = (q * power * ratio).sum(1)
        else:
            power = (alpha * ratio).exp().clamp_max(self.config.clip)
            value = ((q * power).sum(1) - 1) / (alpha * (alpha - 1))
        return value, -(q * power / alpha * given).sum(1)
