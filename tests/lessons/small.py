"""Lessons that train, on so few images that a test can do it many times."""

from __future__ import annotations

from typing import Any

import pytest

from core.lessons.base import LESSONS, SUPERNET, Evidence
from core.library.library import Library
from core.library.presets import PRESETS
from core.store import MemoryLedger
from tests.training.small import RecordingLedger

FEW = {"limit_train": 96, "calibration": 64, "limit_validation": 100, "limit_test": 50}


def few_images(patch: pytest.MonkeyPatch) -> None:
    """The lessons' supernet learns from some of its images."""
    data = PRESETS[SUPERNET]["data"] | {"config": FEW}
    patch.setitem(PRESETS, SUPERNET, PRESETS[SUPERNET] | {"data": data})


def computed(name: str, ledger: MemoryLedger, *, seed: int = 0, **settings: Any) -> Evidence:
    """The evidence of a lesson, computed to its end."""
    lesson: Any = LESSONS.create(name, settings)
    steps = lesson.compute(seed, ledger, Library())
    fractions = [0.0]
    while True:
        try:
            fractions.append(next(steps).fraction)
        except StopIteration as end:
            assert fractions == sorted(fractions)
            assert fractions[-1] <= 1 + 1e-9
            found: Evidence = end.value
            return found


def resumed(name: str, cuts: tuple[int, ...], **settings: Any) -> list[int]:
    """Cut after some of the checkpoints and go on: the same bits; returns how many checkpoints were still to be written."""
    whole = RecordingLedger()
    expected = computed(name, whole, **settings).encode()
    left = []
    for cut in cuts:
        ledger = RecordingLedger()
        MemoryLedger.checkpoint(ledger, whole.checkpoints[cut], fraction=0.5)
        assert computed(name, ledger, **settings).encode() == expected
        left.append(len(ledger.checkpoints))
    return left
