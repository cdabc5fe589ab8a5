"""All architectures in a dictionary by their options, the picked one looked up, and everyone that is better counted."""

from __future__ import annotations

from itertools import product
from typing import Any

from core.lessons.relaxed_search import Relaxed


def truth(evidence: Relaxed, controls: dict[str, Any]) -> int:
    every = dict(zip(product((0, 1, 2), repeat=4), evidence.alone, strict=True))
    layers = evidence.weights[int(controls["epoch"]) - 1]
    own = every[tuple(layer.index(max(layer)) for layer in layers)]  # type: ignore[index]
    better = [accuracy for accuracy in sorted(every.values(), reverse=True) if accuracy > own]
    return len(better) + 1


def answer(evidence: Relaxed, controls: dict[str, Any]) -> float:
    pairs = list(zip(evidence.mixed, evidence.cut, strict=True))
    mixed, cut = pairs[int(controls["epoch"]) - 1]
    return round(mixed * 1e6 - cut * 1e6) / 1e4
