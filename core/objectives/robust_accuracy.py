"""Accuracy under attack."""

from __future__ import annotations

from core.objectives.attacked import SAMPLES, attacked
from core.objectives.base import OBJECTIVES
from core.objectives.extracted import FromNetworks, Subject
from core.records import SHARE


@OBJECTIVES.register("robust_accuracy")
class RobustAccuracy(FromNetworks):
    """Share of 200 validation images that stay right under PGD: 10 steps, at most 0.1 of a pixel's range (8/255 in color).

    Every subnet is attacked by its own gradient, so it takes its time: about 30 passes over these images per subnet. An
    attack that fails proves nothing; a longer one may succeed. Differences below 7 points are chance on so few images.
    """

    label = "Robust accuracy"
    maximize = True
    shown = SHARE
    place = 60
    reference = 0.0
    best = "most robust"
    instrument = "PGD, 200 images"
    samples = SAMPLES
    takes = "image"

    def of_network(self, subject: Subject) -> float:
        from core.networks.answers import outputs

        right = outputs(subject.net, attacked(subject)).argmax(1) == subject.targets.cpu()
        return int(right.sum()) / len(right)
