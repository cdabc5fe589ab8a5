"""Cross-entropy against another network's softened answers, which several losses share."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from core.training.losses.base import Imitating, LossContext


def answers(outputs: Tensor) -> Tensor:
    """(rows, k) answers: one per sample, or one per position where a network answers at several of each."""
    return outputs.flatten(0, -2)


def soft_cross_entropy(outputs: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean cross-entropy of (n, ..., k) outputs against the softmax of teacher outputs of that shape.

    Both are divided by the temperature, and the result is multiplied by its square, so that gradients keep
    their size (Hinton et al.). The teacher is detached here: it must not learn to be easy to imitate.
    """
    wanted = (answers(teacher).detach() / temperature).softmax(1)
    return F.cross_entropy(answers(outputs) / temperature, wanted) * temperature**2


class AnswersImitating(Imitating):
    """Cross-entropy against the answers of another network, with the temperature of the settings."""

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        return soft_cross_entropy(outputs, context.outputs[self.teacher], self.config.temperature)
