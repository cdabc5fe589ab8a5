"""Loss on the test split."""

from __future__ import annotations

from core.objectives.base import OBJECTIVES
from core.objectives.loss import Loss


@OBJECTIVES.register("test_loss")
class TestLoss(Loss):
    """Mean loss on the test samples, in nats; shown on the card, never chosen for."""

    __test__ = False  # not a test class
    label = "Test loss"
    split = "test"
    for_choosing = False
    place = 81
