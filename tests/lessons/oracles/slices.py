"""By counting the figure's cells with NumPy's own slicing."""

from __future__ import annotations

import numpy as np

from core.lessons.slices import Sliced


def truth(evidence: Sliced, controls: object) -> float:
    """Cut the slice out of the four-dimensional weight, and compare how many numbers there are."""
    inputs, outputs, kernel = evidence.asked
    side = evidence.kernels[-1]
    weight = np.array(evidence.weights).reshape(evidence.inputs[-1], side, evidence.outputs[-1], side)
    margin = (side - kernel) // 2
    cut = weight[:inputs, margin : margin + kernel, :outputs, margin : margin + kernel]
    return 100.0 * cut.size / weight.size


def answer(evidence: Sliced, controls: object) -> float:
    """Sizes are counted by the exporter's own test in tests/lessons/test_slices.py; here they are what was kept."""
    return evidence.bytes_asked
