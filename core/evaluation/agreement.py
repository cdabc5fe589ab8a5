"""Whether a device answers as the processor does: the same subnets on the same samples, on both.

Sums are taken in another order there, so logits differ in their last bits, and where the two largest of a sample are
nearly equal its answer may differ. Such near-ties are counted: an answer that differs without being one is a fault, of
the device, of its driver, or of a place in the code that rounds more than it says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.device import TOLERANCE, Device, device_of
from core.evaluation.walking import outputs
from core.networks.trees import leaves, rows_of
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData


@dataclass(frozen=True)
class Agreement:
    """What two devices say of the same subnets.

    Attributes:
        subnets, answers: how many were compared; an answer is one of a subnet to a sample, or to a position of one.
        largest: largest logit, by size.
        difference: largest difference of two logits.
        tolerance: largest difference that is no fault.
        near_ties: answers whose two largest logits differ by less than twice the tolerance on the processor: each of
            the two may move by it.
        differ: answers that are another class.
        unexplained: those of them that are no near-ties.
        here, there: seconds of the second walk on the processor and on the device.
    """

    subnets: int
    answers: int
    largest: float
    difference: float
    tolerance: float
    near_ties: int
    differ: int
    unexplained: int
    here: float
    there: float

    @property
    def holds(self) -> bool:
        """Whether the device computes what the processor does."""
        return self.difference <= self.tolerance and not self.unexplained


def compare(
    supernet: Supernet, rows: NDArray[np.uint8], data: EvaluationData, split: str, device: Device
) -> Agreement:
    """Evaluate subnets on the processor in float32 and on a device, and compare what they answer.

    Args:
        supernet: whose subnets.
        rows: (n, d) canonical architectures, all different.
        data: samples with the split.
        split: whose samples are compared.
        device: with its precision.

    Raises:
        CoreError: the device has no room for one subnet.
    """
    expected, here = _answered(supernet, rows, data, split, device_of("cpu"))
    found, there = _answered(supernet, rows, data, split, device)
    largest = max(float(e.abs().max()) for e in expected)
    tolerance = TOLERANCE[device.precision] * largest
    differ = near = unexplained = answers = 0
    for one, other in zip(expected, found, strict=True):
        first, second = one.topk(2).values.unbind(-1)
        tie, changed = first - second < 2 * tolerance, one.argmax(-1) != other.argmax(-1)
        answers += changed.numel()
        near, differ = near + int(tie.sum()), differ + int(changed.sum())
        unexplained += int((changed & ~tie).sum())
    return Agreement(
        subnets=len(rows),
        answers=answers,
        largest=largest,
        difference=max(float((a - b).abs().max()) for a, b in zip(expected, found, strict=True)),
        tolerance=tolerance,
        near_ties=near,
        differ=differ,
        unexplained=unexplained,
        here=here,
        there=there,
    )


@torch.inference_mode()
def _answered(
    supernet: Supernet, rows: NDArray[np.uint8], data: EvaluationData, split: str, device: Device
) -> tuple[Sequence[Tensor], float]:
    """Logits of every subnet in the order of the rows, and the seconds of a walk once the device is warm."""
    found: dict[int, list[Tensor]] = {}
    seconds = 0.0
    for _ in range(2):  # the first walk moves the weights, and chooses and compiles what computes them
        device.synchronize()
        began = time.perf_counter()
        for at, output in outputs(supernet, rows, data, device):
            found[at] = leaves(device.back(rows_of(output, data.spans[split])))
        device.synchronize()
        seconds = time.perf_counter() - began
    return [leaf for at in range(len(rows)) for leaf in found[at]], seconds
