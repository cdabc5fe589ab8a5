"""Cross-entropy against a teacher's softened answers, which several losses share."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def soft_cross_entropy(outputs: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean cross-entropy of (n, k) outputs against the softmax of (n, k) teacher outputs.

    Both are divided by the temperature, and the result is multiplied by its square, so that gradients keep
    their size (Hinton et al.). The teacher is detached here: it must not learn to be easy to imitate.
    """
    wanted = (teacher.detach() / temperature).softmax(1)
    return F.cross_entropy(outputs / temperature, wanted) * temperature**2
