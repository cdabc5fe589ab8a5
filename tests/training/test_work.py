"""Progress of a training is a share of its work, phase by phase."""

from __future__ import annotations

import numpy as np
import pytest

from core.store import MemoryLedger
from core.training.loop import train
from tests.training.small import digits, fresh_net, settings


def fractions(**changes: object) -> list[float]:
    """Fraction after each epoch."""
    steps = train(fresh_net(), digits(), settings(**changes), MemoryLedger())
    return [0.0, *(p.fraction for p in steps if p.metrics)]


@pytest.mark.slow
def test_a_step_of_four_subnets_is_more_work_than_one_of_one() -> None:
    found = np.diff(fractions(strategy="progressive_shrinking", epochs=12))
    assert found.sum() == pytest.approx(1.0)
    # The full network alone at first; four subnets and a teacher at the end.
    assert found[-1] > 1.5 * found[0]


def test_epochs_of_one_phase_are_equal() -> None:
    np.testing.assert_allclose(np.diff(fractions(strategy="sandwich", epochs=4)), 0.25)


def test_measuring_after_an_epoch_is_work_too() -> None:
    """With few steps an epoch, most of it may be measuring: its steps alone must not say that it is done."""
    steps = list(train(fresh_net(), digits(), settings(epochs=2), MemoryLedger()))
    from core.training.work import EpochWork, Plan

    assert steps[-1].fraction == 1.0
    plan = Plan([EpochWork(1.0, 2, 6.0)] * 2)
    assert [plan.share(0, 1), plan.share(0, 2), plan.share(1)] == [1 / 16, 2 / 16, 0.5]
