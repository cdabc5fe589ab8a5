"""What a draw minimizes."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from core.training.strategies import Target


def soft_cross_entropy(logits: Tensor, teacher: Tensor) -> Tensor:
    """Mean cross-entropy of (n, k) logits against the softmax of (n, k) teacher logits.

    The teacher is detached here: it must not learn to be easy to imitate.
    """
    return F.cross_entropy(logits, teacher.detach().softmax(1))


def draw_loss(
    logits: Tensor,
    labels: Tensor,
    target: Target,
    smoothing: float,
    largest: Tensor | None,
    teacher: Tensor | None,
) -> Tensor:
    """Loss of one draw.

    Args:
        logits: (n, k) output of the drawn subnet.
        labels: (n,) classes.
        target: what teaches this draw.
        smoothing: label smoothing.
        largest: output of the step's first draw, for `Target.LARGEST`.
        teacher: output of the frozen teacher, for `Target.TEACHER`.
    """
    if target is Target.LARGEST:
        assert largest is not None
        return soft_cross_entropy(logits, largest)
    hard = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    if target is Target.TEACHER:
        assert teacher is not None
        return hard + soft_cross_entropy(logits, teacher)
    return hard
