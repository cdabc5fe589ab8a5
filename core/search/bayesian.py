"""Bayesian optimization: measure next what is expected to add most to the front, given what is known and how surely.

A Gaussian process, or a prior-fitted network, guesses every measured objective with a deviation; what is counted is
known exactly. Of a pool of candidates (children of the front, and strangers) the ones with the largest expected
hypervolume improvement are measured. A batch is chosen one by one: each is believed to have given its mean before the
next is chosen, on the front alone, for predictors learn again after the whole batch.

Where many rows were measured the Gaussian process learns a part of them (see `core.predictors.gaussian_process`), so
that choosing stays under a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm
from core.search.distinct import DistinctDraws
from core.search.guesses import Guesses
from core.search.improvement import Improvement
from core.seeding import stream
from core.spaces import Arch, Archs

# How far beyond the worst measured value the reference point stands, in parts of the range.
_MARGIN = 0.1
# Of the candidates, those that are children of the front.
_CHILDREN = 0.6
# Of the room under the reference point: less than this is no gain.
_NOTHING = 1e-5
_FAR = 1e6


class BayesianConfig(BaseConfig):
    """Settings of Bayesian optimization."""

    predictor: Literal["gp", "pfn"] = Field(
        "gp", description="What guesses: a Gaussian process, or the prior-fitted network"
    )
    first: int = Field(
        20, ge=4, le=10_000, description="Architectures measured at random before anything is guessed"
    )
    batch: int = Field(10, ge=1, le=1000, description="Architectures chosen before predictors learn again")
    candidates: int = Field(
        400, ge=10, le=100_000, description="Architectures that each batch is chosen from"
    )


@ALGORITHMS.register("bayesian")
class BayesianOptimization(SearchAlgorithm):
    """Measures what is expected to enlarge the hypervolume most, by a Gaussian process or a prior-fitted network."""

    label = "Bayesian optimization"
    source = "Emmerich, Giannakoglou, Naujoks, IEEE TEC 2006 (expected hypervolume improvement); Ginsbourger et al., 2010 (believer)"
    Config = BayesianConfig
    in_batches = True

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._rng = stream(self.seed, "search", "bayesian")
        self._draws = DistinctDraws(self.problem, self._rng)
        self._guesses = Guesses(self.problem, self.config.predictor, {}, self.seed)
        self._begun = False

    @property
    def batch_size(self) -> int:
        return int(self.config.batch)

    def ask(self, n: int) -> list[Arch]:
        found: list[Arch] = []
        while len(found) < n:
            fresh = self._next(n - len(found))
            if not fresh:
                break
            found += fresh
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        for measurement in measurements:
            self._draws.take(tuple(measurement.arch))
        self._guesses.tell(measurements)

    def _next(self, n: int) -> list[Arch]:
        """Some new architectures, at most n; empty where the space is finished."""
        if not self._begun:
            self._begun = True
            ends = self._draws.admit((self.space.ends or ())[:n])
            if ends:
                return ends
        missing = self.config.first - len(self._draws)
        if missing > 0:
            return self._draws.draw(min(n, missing))
        if self._draws.exhausted or not self._guesses.fit():
            return self._draws.draw(n)
        candidates = self._candidates()
        if not len(candidates):
            return self._draws.draw(n)
        chosen = self._chosen(candidates, min(n, self.config.batch))
        return self._draws.admit(tuple(candidates[at].tolist()) for at in chosen)

    def _candidates(self) -> Archs:
        """(k, d) architectures that were never asked for: children of the front, and strangers."""
        space, rng = self.space, self._rng
        parents = [tuple(row) for row in self._guesses.front()[0].tolist()]
        found: dict[Arch, None] = {}
        if parents:
            for _ in range(int(_CHILDREN * self.config.candidates)):
                child = parents[rng.integers(len(parents))]
                if rng.random() < 0.5:
                    child = space.crossover(child, parents[rng.integers(len(parents))], rng, points=1)
                found[space.mutate(child, rng, 1 / len(space))] = None
        strangers = space.sample_array(max(self.config.candidates - len(found), 1), rng).tolist()
        found.update(dict.fromkeys(map(tuple, strangers)))
        fresh = [arch for arch in found if arch not in self._draws]
        rows = np.array(fresh, np.uint8).reshape(len(fresh), len(space))
        return rows[self.problem.feasible(rows)]

    def _chosen(self, candidates: Archs, n: int) -> list[int]:
        """Positions of the n candidates that are expected to add most, one believed after the other."""
        mean, deviation = self._guesses.distributions(candidates)
        _, costs = self._guesses.measured()
        front = self._guesses.front()[1]
        reference = _reference(costs, mean)
        improvement = Improvement(front, mean, deviation, reference=reference, rng=self._rng)
        low = np.minimum(mean.min(axis=0), reference)
        room = np.maximum(reference - low, 1e-12)
        # Where nothing is expected to be gained any more, what is good by itself decides: not the last bits of nothing.
        good = -_NOTHING * np.clip((self._guesses.costs(candidates) - low) / room, 0, _FAR).mean(axis=1)
        sound = self._guesses.sound(candidates)
        left, chosen = np.arange(len(candidates)), list[int]()
        while len(left) and len(chosen) < n:
            # What is expected to break a bound gains nothing, and its costs are beyond all others.
            gain = improvement.of(left) / room.prod() * sound[left] + good[left]
            best = int(left[gain.argmax()])
            improvement.believe(best)
            chosen.append(best)
            left = left[left != best]
        return chosen


def _reference(costs: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """A little worse than everything measured; where nothing that counts was measured, than everything guessed."""
    seen = costs if len(costs) else mean
    low, high = seen.min(axis=0), seen.max(axis=0)
    return np.asarray(high + _MARGIN * np.maximum(high - low, 1e-9 * (1 + np.abs(high))))
