"""Diffusion over architectures: one-hot options as points, noised and denoised (a variance-exploding SDE), in NumPy.

An architecture is one number per option, 1 where it is picked and -1 where not; a choice that does not matter has -1
everywhere. A small network learns from noised architectures of a space which option each choice had; what it expects,
less where a point is, is the score (Tweedie's formula), so cross-entropy on options trains the same function as
denoising score matching. The sampler goes from noise to an architecture, predictor and corrector steps in turn, and
may be pushed on its way.

Source: Song et al., "Score-Based Generative Modeling through Stochastic Differential Equations", ICLR 2021; over
architectures: An et al., "DiffusionNAG", ICLR 2024.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.cache import Cache
from core.search.small_net import Floats, SmallNet
from core.seeding import stream
from core.spaces import Archs, SearchSpace
from core.spaces.cell_string import CellSpace, cell_space

SMALLEST, LARGEST = 0.1, 5.0
"""Noise of the SDE, as standard deviations of a coordinate that is -1 or 1."""
_SIGNAL_TO_NOISE = 0.16
_HIDDEN = 128
_BATCH = 128
_RATE, _MEMORY = 3e-3, 0.99

Push = Callable[[Floats, Floats], Floats]
"""(n, d) points and (n, 1) noise -> (n, d) what is added to the score."""


class OneHot:
    """A space's architectures as points.

    Args:
        space: whose choices with more than one option become coordinates.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.chosen = [i for i, n in enumerate(space.cardinalities) if n > 1]
        ends = np.cumsum([space.cardinalities[i] for i in self.chosen]).tolist()
        self.slices = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        self.width = ends[-1] if ends else 0

    def points(self, rows: Archs) -> Floats:
        """(n, d) architectures -> (n, width) points."""
        found = np.full((len(rows), self.width), -1, np.float32)
        active = self.space.active(rows)
        for index, part in zip(self.chosen, self.slices, strict=True):
            here = np.flatnonzero(active[:, index])
            found[here, part.start + rows[here, index]] = 1
        return found

    def nearest(self, points: Floats) -> Archs:
        """(n, width) points -> the canonical architectures of their largest options, (n, d)."""
        rows = np.zeros((len(points), len(self.space)), np.uint8)
        for index, part in zip(self.chosen, self.slices, strict=True):
            rows[:, index] = points[:, part].argmax(axis=1)
        return self.space.canonicalize(rows)

    def valid(self, points: Floats) -> NDArray[np.bool_]:
        """(n,) whether a point is an architecture: exactly the options above 0 that its nearest one picks.

        In the cell space, one that computes something, besides.
        """
        rows = self.nearest(points)
        formed = ((points > 0) == (self.points(rows) > 0)).all(axis=1)
        return formed & computing(self.space, rows)


def computing(space: SearchSpace, rows: Archs) -> NDArray[np.bool_]:
    """(n,) whether the architecture passes its input on: some cells of NAS-Bench-201 do not."""
    cells = cell_space()
    if space != cells:
        return np.ones(len(rows), bool)
    assert isinstance(cells, CellSpace)
    return np.array([cells.computes(row) for row in rows.tolist()], bool)


class ScoreNetwork:
    """Which option each choice had, given a noised architecture.

    Args:
        space: whose architectures it learns.
        steps: of training.
        rows: (n, d) architectures to learn from; drawn from the space if left out.
    """

    def __init__(self, space: SearchSpace, steps: int, rows: Archs | None = None) -> None:
        self.code = OneHot(space)
        rng = stream(0, "search", "diffusion", space.fingerprint)
        self._net = SmallNet((self.code.width + 3, _HIDDEN, _HIDDEN, self.code.width), rng)
        if self.code.width:
            self._train(steps, rng, rows)

    def expected(self, points: Floats, noise: Floats) -> Floats:
        """(n, width) the architecture a noised one is expected to have been."""
        return 2 * self._shares(self._net(self._seen(points, noise))) - 1

    def score(self, points: Floats, noise: Floats) -> Floats:
        """(n, width) gradient of the log-density of noised architectures."""
        return (self.expected(points, noise) - points) / noise**2

    def sample(self, n: int, rng: np.random.Generator, *, scales: int, push: Push | None = None) -> Floats:
        """(n, width) points from noise to (nearly) architectures.

        Args:
            n: how many.
            rng: source of chance; the same draws whether pushed or not.
            scales: noise levels, each with one predictor and one corrector step.
            push: added to the score.
        """

        def score(points: Floats, noise: Floats) -> Floats:
            found = self.score(points, noise)
            return found if push is None else found + push(points, noise)

        levels = np.geomspace(LARGEST, SMALLEST, scales).astype(np.float32)
        shape = (n, self.code.width)
        points = LARGEST * rng.standard_normal(shape, np.float32)
        for level, following in zip(levels, [*levels[1:], np.float32(0)], strict=True):
            here = np.full((n, 1), level, np.float32)
            found, drawn = score(points, here), rng.standard_normal(shape, np.float32)
            long = np.linalg.norm(found, axis=1, keepdims=True) + 1e-9
            size = 2 * (_SIGNAL_TO_NOISE * np.linalg.norm(drawn, axis=1, keepdims=True) / long) ** 2
            points = points + size * found + np.sqrt(2 * size) * drawn
            gone = level**2 - following**2
            points = points + gone * score(points, here)
            if following:  # the last step adds no noise: what it expects is the sample
                points += np.sqrt(gone) * rng.standard_normal(shape, np.float32)
        return points

    def _train(self, steps: int, rng: np.random.Generator, rows: Archs | None) -> None:
        slow = self._net.weights()
        for step in range(steps):
            drawn = self._drawn(rng) if rows is None else rows[rng.integers(len(rows), size=_BATCH)]
            clean = self.code.points(drawn)
            noise = noise_levels(len(clean), rng)
            noised = clean + noise * rng.standard_normal(clean.shape, np.float32)
            layers = self._net.forward(self._seen(noised, noise))
            wanted = (clean + 1) / 2
            back = ((self._shares(layers[-1]) - wanted) / len(clean)).astype(np.float32)
            self._net.step(layers, back, _RATE * (1 - step / steps))
            for kept, weight in zip(slow, self._net.weights(), strict=True):
                kept += (1 - _MEMORY) * (weight - kept)
        self._net.load(slow)

    def _drawn(self, rng: np.random.Generator) -> Archs:
        rows = self.code.space.sample_array(_BATCH, rng)
        return rows[computing(self.code.space, rows)]

    def _shares(self, logits: Floats) -> Floats:
        """Of each choice's options; what is missing to 1 is the share of the choice not mattering."""
        shares = np.empty_like(logits)
        for part in self.code.slices:
            top = np.maximum(logits[:, part].max(axis=1, keepdims=True), 0)
            raised = np.exp(logits[:, part] - top)
            shares[:, part] = raised / (raised.sum(axis=1, keepdims=True) + np.exp(-top))
        return shares

    def _seen(self, points: Floats, noise: Floats) -> Floats:
        return seen(points, noise)


def seen(points: Floats, noise: Floats) -> Floats:
    """(n, width + 3) what a network sees of a noised point: all of one size, and how noisy it is."""
    level = np.log(noise)
    return np.concatenate([points / np.sqrt(1 + noise**2), level, level**2, 1 / (1 + noise)], axis=1)


def noise_levels(n: int, rng: np.random.Generator) -> Floats:
    """(n, 1) noise, evenly spread on a logarithmic scale."""
    return np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), (n, 1))).astype(np.float32)


_trained: Cache[ScoreNetwork] = Cache(8)


def score_network(space: SearchSpace, steps: int) -> ScoreNetwork:
    """The network of a space, trained once per process; it depends on the space and the steps alone."""
    return _trained.get((space.fingerprint, steps), lambda: ScoreNetwork(space, steps))
