"""Measures from streamed moments: equal to the whole, in any batches, and without growing."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.similarity import MEASURES, Undefined, between
from core.similarity.moments import FromMoments, Moments

Array = NDArray[np.float64]

STREAMED = [name for name in MEASURES.names() if isinstance(MEASURES.create(name), FromMoments)]
every_streamed = pytest.mark.parametrize("name", STREAMED)


def layers(n: int = 700, p: int = 11, q: int = 17) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p)) @ rng.standard_normal((p, p)) + 50 * rng.standard_normal(p)
    return x, np.maximum(x @ rng.standard_normal((p, q)) + 5 * rng.standard_normal((n, q)), 0)


def streamed(x: Array, y: Array, sizes: list[int]) -> Moments:
    moments = Moments(x.shape[1], y.shape[1])
    start = 0
    while start < len(x):
        stop = start + sizes[start % len(sizes)]
        moments.update(x[start:stop], y[start:stop])
        start = stop
    return moments


def from_moments(name: str, moments: Moments) -> float:
    measure = MEASURES.create(name)
    assert isinstance(measure, FromMoments)
    return measure.from_moments(moments)


def test_which_measures_can_be_streamed() -> None:
    assert set(STREAMED) == {
        "angular",
        "cca_mean",
        "cka_biased",
        "hard_match",
        "linear_regression",
        "procrustes",
        "pwcca",
        "soft_match",
        "svcca",
    }


@every_streamed
@pytest.mark.parametrize("sizes", [[700], [1], [3, 64, 1, 17], [256]])
def test_streaming_equals_the_whole(name: str, sizes: list[int]) -> None:
    x, y = layers()
    whole = between(x, y, MEASURES.create(name)).value
    assert from_moments(name, streamed(x, y, sizes)) == pytest.approx(whole, abs=1e-10)
    back = between(y, x, MEASURES.create(name)).value
    assert from_moments(name, streamed(y, x, sizes)) == pytest.approx(back, abs=1e-10)


@every_streamed
def test_streams_read_apart_merge(name: str) -> None:
    x, y = layers()
    parts = [streamed(x[a:b], y[a:b], [50]) for a, b in [(0, 3), (3, 500), (500, 700)]]
    merged = Moments(11, 17)
    for part in (*parts, Moments(11, 17)):
        merged.merge(part)
    assert merged.n == 700
    assert from_moments(name, merged) == pytest.approx(between(x, y, MEASURES.create(name)).value, abs=1e-10)


def test_moments_are_numpy_s() -> None:
    x, y = layers()
    moments = streamed(x, y, [7, 100])
    both = np.concatenate([x, y], axis=1)
    expected = np.cov(both.T, bias=True)
    np.testing.assert_allclose(moments.mean, both.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.cov[0], expected[:11, :11], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(moments.cov[1], expected[11:, 11:], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(moments.xcov, expected[:11, 11:], rtol=1e-10, atol=1e-10)


def test_a_large_mean_costs_no_digits() -> None:
    """The textbook formula E[x^2] - E[x]^2 would lose all of them here."""
    x, y = layers()
    far = streamed(x + 1e8, y, [13])
    np.testing.assert_allclose(far.cov[0], streamed(x, y, [13]).cov[0], rtol=1e-5)
    squares = np.mean((x[:, 0] + 1e8) ** 2) - np.mean(x[:, 0] + 1e8) ** 2
    assert abs(squares / np.var(x[:, 0]) - 1) > 0.01


def test_memory_does_not_grow_with_samples() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((100, 11)), rng.standard_normal((100, 17))
    peaks = []
    for batches in (10, 400):
        tracemalloc.start()
        moments = Moments(11, 17)
        for _ in range(batches):
            moments.update(x, y)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert moments.n == 100 * batches
    assert peaks[1] < 1.2 * peaks[0]


@every_streamed
def test_dead_units_and_short_streams(name: str) -> None:
    x, y = layers()
    dead = np.tile([0.1, 0.0, 1e6], (len(x), 1))
    whole = between(x, y, MEASURES.create(name)).value
    padded = streamed(np.concatenate([x, dead], axis=1), y, [29])
    assert from_moments(name, padded) == pytest.approx(whole, abs=1e-10)
    for moments in (
        streamed(dead, y, [29]),
        streamed(x, dead, [29]),
        streamed(x[:2], y[:2], [1]),
        Moments(3, 3),
    ):
        with pytest.raises(Undefined, match=r"\.$"):
            from_moments(name, moments)


def test_batches_are_not_written_to_and_must_fit() -> None:
    x, y = layers(20)
    x.setflags(write=False)
    y.setflags(write=False)
    moments = Moments(11, 17)
    moments.update(x, y)
    moments.update(x[:0], y[:0])
    assert moments.n == 20
    for a, b in [(x, y[:5]), (y, x), (x[0], y[0])]:
        with pytest.raises(InvalidInput, match="units"):
            moments.update(a, b)
    with pytest.raises(InvalidInput, match="finite"):
        moments.update(x * np.nan, y)
    with pytest.raises(InvalidInput, match="numbers of units"):
        moments.merge(Moments(2, 17))
    assert moments.n == 20
