"""Accuracy on the test split."""

from __future__ import annotations

from core.objectives.accuracy import Accuracy
from core.objectives.base import OBJECTIVES


@OBJECTIVES.register("test_accuracy")
class TestAccuracy(Accuracy):
    """Share of test samples classified correctly; shown on the card, never chosen for."""

    __test__ = False  # not a test class
    label = "Test accuracy"
    split = "test"
    for_choosing = False
    place = 80
