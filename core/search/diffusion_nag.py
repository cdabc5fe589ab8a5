"""Guided generation: architectures drawn from noise, pushed on their way by what a predictor learned so far.

A score network of the space is trained once, at the first guided draw (one to three seconds on one core, kept
for the process). A predictor learns from the measured architectures, noised like the points it will be asked about, and its
gradient with respect to the noisy point joins the score. Every draw has a mix of the objectives of its own, so that
what comes out spreads along the front. The predictor then picks the most promising ones, which are measured.

Differs from the paper: networks are far smaller, the guidance is scaled to the length of a typical score instead of to
the predictor's outputs, and there is no pre-trained network across data sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.pareto import ranks
from core.records import Measurement
from core.search.base import ALGORITHMS, cost_array
from core.search.diffusion import ScoreNetwork, noise_levels, score_network, seen
from core.search.distinct import DistinctDraws
from core.search.generations import ByGenerations
from core.search.small_net import Floats, SmallNet
from core.seeding import stream
from core.spaces import Arch

_HIDDEN, _BATCH, _RATE = 64, 128, 3e-3
# Noise at which finished draws are compared.
_CLEAN = 0.1
# Mutations tried for each neighbor that is wanted.
_TRIES = 4


class Guide:
    """Predicts costs of noised architectures, each objective with mean 0 and deviation 1.

    Args:
        network: whose points it sees.
        objectives: how many.
        rng: source of chance.
    """

    def __init__(self, network: ScoreNetwork, objectives: int, rng: np.random.Generator) -> None:
        self._code, self._rng = network.code, rng
        self._net = SmallNet((network.code.width + 3, _HIDDEN, _HIDDEN, objectives), rng)

    def train(self, archs: Sequence[Arch], costs: NDArray[np.float64], steps: int) -> None:
        """Go on learning from (n,) architectures and their (n, m) finite costs."""
        spread = costs.std(axis=0)
        wanted = ((costs - costs.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(np.float32)
        clean = self._code.points(np.array(archs, np.uint8))
        for step in range(steps):
            rows = self._rng.integers(len(clean), size=_BATCH)
            noise = noise_levels(_BATCH, self._rng)
            noised = clean[rows] + noise * self._rng.standard_normal((_BATCH, clean.shape[1]), np.float32)
            layers = self._net.forward(seen(noised, noise))
            self._net.step(layers, (layers[-1] - wanted[rows]) / _BATCH, _RATE * (1 - step / steps))

    def predict(self, points: Floats) -> Floats:
        """(n, m) costs of architectures without noise."""
        return self._net(seen(points, np.full((len(points), 1), _CLEAN, np.float32)))

    def push(self, points: Floats, noise: Floats, mixes: Floats) -> Floats:
        """(n, width) toward lower costs, mixed as (n, m) says; as long as a score typically is."""
        found = -self._net.gradient(seen(points, noise), mixes)[:, : points.shape[1]]
        length = np.linalg.norm(found, axis=1, keepdims=True) + 1e-12
        return found / length * np.float32(np.sqrt(points.shape[1])) / noise


@ALGORITHMS.register("diffusion_nag")
class DiffusionNAG(ByGenerations):
    """Draws architectures by diffusion from noise, guided by a predictor of the objectives."""

    label = "Guided diffusion (DiffusionNAG)"
    source = "An et al., 'DiffusionNAG: Predictor-guided Neural Architecture Generation with Diffusion Models', ICLR 2024"
    in_batches = True

    class Config(BaseConfig):
        startup: int = Field(
            50, ge=2, le=10_000, description="Random architectures before the first guided ones"
        )
        batch: int = Field(50, ge=1, le=10_000, description="Architectures measured between two trainings")
        drawn: int = Field(
            128, ge=1, le=10_000, description="Architectures generated, the best of which are measured"
        )
        guidance: float = Field(1.0, ge=0, le=100, description="Strength of the push; 0 draws without one")
        scales: int = Field(20, ge=2, le=2000, description="Noise levels from pure noise to an architecture")
        score_steps: int = Field(1000, ge=1, le=100_000, description="Training steps of the score network")
        guide_steps: int = Field(
            150, ge=1, le=100_000, description="Training steps of the predictor each time"
        )

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._rng = stream(self.seed, "search", "diffusion_nag")
        self._draws = DistinctDraws(self.problem, self._rng)
        # Finite costs, and how far the bounds are broken.
        self._known: dict[Arch, tuple[NDArray[np.float64], float]] = {}
        self._guide: Guide | None = None

    @property
    def batch_size(self) -> int:
        return int(self.config.batch)

    def tell(self, measurements: Sequence[Measurement]) -> None:
        costs, broken = cost_array(measurements, self.objectives), self.problem.violations(measurements)
        told = {tuple(m.arch) for m in measurements}
        for measurement, row, excess in zip(measurements, costs, broken.tolist(), strict=True):
            self._draws.take(tuple(measurement.arch))
            if np.isfinite([*row, excess]).all():
                self._known[tuple(measurement.arch)] = row, excess
        self._unqueue(told)

    def _next_generation(self) -> list[Arch]:
        if len(self._known) < self.config.startup or self.space.size == 1:
            missing = self.config.startup - len(self._known)
            return self._draws.draw(max(min(missing, self.config.startup), 1))
        if self._draws.exhausted:
            return []
        found = self._guided()
        found += self._neighbors(self.config.batch - len(found))
        return found + self._draws.draw(self.config.batch - len(found))

    def _neighbors(self, n: int) -> list[Arch]:
        """Up to n new architectures beside the best ones, where the draws were known or no architectures."""
        places = ranks(self._learned(), maximize=[False] * len(self.objectives))
        archs = list(self._known)
        best = [archs[row] for row in np.argsort(places, kind="stable")[: self.config.batch]]
        found: list[Arch] = []
        for _ in range(_TRIES * max(n, 0)):
            arch = best[int(self._rng.integers(len(best)))]
            near = self.space.mutate(arch, self._rng, 1 / len(self.space))
            if len(found) < n and self._take(near):
                found.append(near)
        return found

    def _learned(self) -> NDArray[np.float64]:
        """(n, m) costs of what is known; what breaks a bound is worse in each than all that break none."""
        costs = np.array([row for row, _ in self._known.values()])
        excess = np.array([left for _, left in self._known.values()])[:, None]
        low, high = costs.min(axis=0), costs.max(axis=0)
        return np.where(excess > 0, high + np.where(high > low, high - low, 1) * np.minimum(excess, 1), costs)

    def _take(self, arch: Arch) -> bool:
        return bool(self._draws.admit([arch]))

    def _guided(self) -> list[Arch]:
        """The most promising new ones of a draw, most promising first."""
        network, config = score_network(self.space, self.config.score_steps), self.config
        if self._guide is None:
            self._guide = Guide(network, len(self.objectives), self._rng)
        guide = self._guide
        guide.train(list(self._known), self._learned(), config.guide_steps)
        mixes = self._rng.dirichlet(np.ones(len(self.objectives)), config.drawn).astype(np.float32)

        def push(points: Floats, noise: Floats) -> Floats:
            return config.guidance * guide.push(points, noise, mixes)

        pushed = push if config.guidance else None
        points = network.sample(config.drawn, self._rng, scales=config.scales, push=pushed)
        rows = network.code.nearest(points[network.code.valid(points)])
        promise = ranks(guide.predict(network.code.points(rows)), maximize=[False] * len(self.objectives))
        archs = map(tuple, rows[np.argsort(promise, kind="stable")].tolist())
        found: list[Arch] = []
        for arch in archs:
            if len(found) < config.batch and self._take(arch):
                found.append(arch)
        return found
