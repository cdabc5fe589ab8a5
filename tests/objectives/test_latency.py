"""The latency protocol: what is decided from the clock's readings, with a clock we hold."""

from __future__ import annotations

import numpy as np
import pytest

from core.objectives import latency_ms as latency
from core.objectives import timing


class FakeSession:
    """Takes `cost` nanoseconds of a fake clock per run, plus noise that only ever slows it down."""

    def __init__(self, clock: list[int], cost: int, noise: np.random.Generator, scale: float) -> None:
        self.clock, self.cost, self.noise, self.scale = clock, cost, noise, scale

    def get_inputs(self):
        return [type("Input", (), {"name": "x"})()]

    def run(self, names, feed) -> None:
        self.clock[0] += self.cost + int(self.noise.exponential(self.scale))


@pytest.fixture
def fake(monkeypatch):
    """Measure networks of given costs (ns) under exponential noise (ns)."""
    import onnxruntime

    def measure(costs: list[int], scale: float) -> latency.Latencies:
        clock, rng = [0], np.random.default_rng(0)
        sessions = {str(i).encode(): FakeSession(clock, c, rng, scale) for i, c in enumerate(costs)}
        monkeypatch.setattr(onnxruntime, "InferenceSession", lambda m, *a, **k: sessions[m])
        monkeypatch.setattr(timing.time, "perf_counter_ns", lambda: clock[0])
        return latency.measure_latency(list(sessions), [np.zeros((1, 1, 8, 8), np.float32)])

    return measure


def test_minimum_sees_through_one_sided_noise(fake) -> None:
    costs = [100_000 * (i + 1) for i in range(20)]
    found = fake(costs, 100_000.0)
    assert not found.noisy
    np.testing.assert_allclose(found.ms, np.array(costs) / 1e6, rtol=0.35)
    assert (np.argsort(found.ms) == np.arange(20)).all()
    assert (found.spread > 0).all()


def test_says_noisy_where_ranks_do_not_repeat(fake) -> None:
    assert fake([1000] * 20, 1e6).noisy
    assert fake([1000] * 2, 1e6).noisy
    assert not fake([1_000_000] * 2, 100.0).noisy
