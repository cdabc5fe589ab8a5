"""Luck taken off: on tables with known truth, and against doing nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from core.chance.optimism import expected
from core.chance.renewed import renewed_share
from core.chance.resampling import fronts_of, resampled_fronts
from core.chance.shrinkage import shrink


@dataclass(frozen=True)
class World:
    """Subnets with known probabilities: options, an own part, samples of different difficulty.

    Attributes:
        options, costs: of the subnets.
        chances: (n, n_kinds) how likely each subnet gets a sample of each kind right.
    """

    options: np.ndarray
    costs: np.ndarray
    chances: np.ndarray

    @classmethod
    def made(cls, seed: int) -> World:
        rng = np.random.default_rng(seed)
        options = (
            np.stack(np.meshgrid(*[np.arange(3)] * 6, indexing="ij"), -1).reshape(-1, 6).astype(np.uint8)
        )
        skill = (options * rng.uniform(0.05, 0.35, 6)).sum(1) + rng.normal(0, 0.12, len(options))
        # Kinds of samples: each subnet has its own strengths among the hard ones.
        hard = rng.normal(1.2, 1.6, 60)
        taste = rng.normal(0, 0.6, (len(options), 60))
        chances = 1 / (1 + np.exp(-(skill[:, None] + hard + taste)))
        costs = (2.0**options).sum(1) + rng.uniform(0, 1, len(options))
        return cls(options, costs, chances)

    def drawn(self, n_samples: int, seed: int) -> np.ndarray:
        """(n, n_samples) ones and zeros on new samples, the same for all subnets."""
        rng = np.random.default_rng(seed)
        kinds = rng.integers(0, self.chances.shape[1], n_samples)
        # A sample's luck is shared by half: subnets of one supernet err together.
        shared = rng.random(n_samples)
        own = rng.random((len(self.costs), n_samples))
        luck = np.where(rng.random(n_samples) < 0.5, shared, own)
        return (luck < self.chances[:, kinds]).astype(np.uint8)

    def front(self, right: np.ndarray) -> np.ndarray:
        """(n,) whether each is on the front."""
        order = np.argsort(self.costs)
        _, place = fronts_of(right[order].sum(1, dtype=np.float32)[None], self.costs[order])
        return np.isin(np.arange(len(order)), order[place])


WORLDS = [World.made(seed) for seed in range(16)]
N = 300


def test_expected_accuracies_are_nearer_to_the_truth_and_not_too_good() -> None:
    plain, mine = [], []
    for seed, world in enumerate(WORLDS):
        right = world.drawn(N, seed)
        truth = world.chances.mean(1)
        rows = np.flatnonzero(world.front(right))
        found = expected(right, shrink(right, world.options), rows)
        np.testing.assert_allclose(found.value + found.optimism, right[rows].mean(1))
        plain.append(right[rows].mean(1) - truth[rows])
        mine.append(found.value - truth[rows])
    off, still = np.concatenate(plain), np.concatenate(mine)
    assert off.mean() > 0.01, "picking the best promises too much here"
    assert abs(still.mean()) < 0.5 * off.mean()
    assert np.sqrt((still**2).mean()) < 0.85 * np.sqrt((off**2).mean())


def test_nine_of_ten_members_lie_where_they_are_expected() -> None:
    held = []
    for seed, world in enumerate(WORLDS):
        for again in range(3):
            right, unseen = world.drawn(N, 100 * seed + again), world.drawn(2 * N, 1000 + 100 * seed + again)
            rows = np.flatnonzero(world.front(right))
            found = expected(right, shrink(right, world.options), rows, n_new=2 * N)
            there = unseen[rows].mean(1)
            held.append(((found.low <= there) & (there <= found.high)).mean())
    assert 0.86 <= np.mean(held) <= 0.965


@pytest.mark.slow
def test_membership_on_new_samples_is_calibrated() -> None:
    """Among subnets that are said to be there with some probability, that share is: within 0.05."""
    said, came, kept, counted, resampled = [], [], 0.0, 0.0, 0.0
    for seed, world in enumerate(WORLDS):
        right = world.drawn(N, seed)
        share = renewed_share(right, world.costs, shrink(right, world.options), draws=150)
        members = world.front(right)
        new = np.mean([world.front(world.drawn(N, 5000 + 50 * seed + k)) for k in range(20)], axis=0)
        said.append(share)
        came.append(new)
        kept, counted = kept + share[members].sum(), counted + new[members].sum()
        resampled += resampled_fronts(right, world.costs, resamples=200).share[members].sum()
    share, new = np.concatenate(said), np.concatenate(came)
    for low, high in ((0.0, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, 1.01)):
        these = (share >= low) & (share < high)
        assert these.sum() > 10
        assert share[these].mean() == pytest.approx(new[these].mean(), abs=0.05), (low, high)
    assert kept == pytest.approx(counted, rel=0.15)
    assert resampled > 1.2 * counted, "resampling alone keeps members too often"


def test_what_is_only_noise_is_taken_off_and_what_is_real_is_kept() -> None:
    rng = np.random.default_rng(0)
    options = rng.integers(0, 3, (900, 4)).astype(np.uint8)
    alike = (rng.random((900, 400)) < 0.8).astype(np.uint8)
    noise = shrink(alike, options)
    assert noise.real.max() < 0.3
    assert noise.correct.std() < 0.45 * alike.sum(1).std()
    different = (rng.random((900, 400)) < rng.uniform(0.5, 0.95, (900, 1))).astype(np.uint8)
    real = shrink(different, options)
    assert real.real.min() > 0.6
    np.testing.assert_allclose(real.correct, different.sum(1), atol=25)


def test_few_subnets_and_other_shapes() -> None:
    right = (np.random.default_rng(0).random((5, 40)) < 0.7).astype(np.uint8)
    options = np.zeros((5, 3), np.uint8)
    known = shrink(right, options)
    assert np.isfinite(known.correct).all()
    assert renewed_share(right, np.full(5, np.nan), known, draws=10).tolist() == [0] * 5
    with pytest.raises(ValueError, match="same subnets"):
        shrink(right, options[:4])
