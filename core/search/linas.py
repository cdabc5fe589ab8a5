"""LINAS: measure a few, learn from them, let an evolution run on what was learned, measure what it ends with.

Differs from the paper's code in what its card names: objectives keep their order; nothing is proposed that was measured
or asked for before; choices that do not matter teach nothing; counted objectives are looked up instead of learned. The
first architectures are drawn as a trie unless told otherwise, and the evolution starts from the measured front.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from core.config import BaseConfig, Settings
from core.pareto import ranks
from core.predictors import PREDICTORS
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm
from core.search.distinct import DistinctDraws
from core.search.first_sample import trie_sample
from core.search.guesses import Guesses
from core.search.inner_evolution import Evolved, crowding, evolve
from core.seeding import stream
from core.spaces import Arch, Archs


class LINASConfig(BaseConfig):
    """What every search on predictors can be told."""

    batch: int = Field(
        20, ge=1, le=10_000, description="Architectures measured before predictors learn again"
    )
    first: int = Field(
        52, ge=4, le=10_000, description="Architectures measured before predictors learn at all"
    )
    first_sample: Literal["trie", "uniform"] = Field(
        "trie", description="Draw the first as few beginnings with several endings each, or each on its own"
    )
    predictor: str = Field(
        "ridge",
        description="What learns the measured objectives",
        json_schema_extra={"registry": "predictor"},
    )
    predictor_config: Settings = Field(
        default_factory=dict, description="Settings of the predictor", json_schema_extra={"form": False}
    )
    inner_evaluations: int = Field(
        2000, ge=100, le=1_000_000, description="Guessed architectures of each evolution on predictors"
    )
    inner_population: int = Field(
        100, ge=4, le=10_000, description="Architectures per generation of that evolution"
    )

    @field_validator("predictor")
    @classmethod
    def _exists(cls, name: str) -> str:
        PREDICTORS.info(name)
        return name

    @model_validator(mode="after")
    def _settings_fit(self) -> LINASConfig:
        PREDICTORS.config(self.predictor, self.predictor_config)
        return self


@ALGORITHMS.register("linas")
class LINAS(SearchAlgorithm):
    """Learns predictors between batches of measurements, and lets an evolution on them propose the next batch."""

    label = "LINAS"
    source = "Cummings et al., 'A Hardware-Aware System for Accelerating Deep Neural Network Optimization', 2022 (DyNAS-T)"
    measured = "Against NSGA-II it came to 95 % of the exact hypervolume 2.1 times sooner on digits-cnn (10 seeds), 3.3 times on fashion-cnn (3 seeds) and 3.3 times on NAS-Bench-Macro (10 seeds, modeled seconds)."
    Config = LINASConfig
    in_batches = True

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._rng = stream(self.seed, "search", self.name)
        self._draws = DistinctDraws(self.problem, self._rng)
        self._guesses = Guesses(self.problem, self.config.predictor, self.config.predictor_config, self.seed)
        self._first: list[Arch] | None = None

    @property
    def batch_size(self) -> int:
        if self._first is None:
            return int(self.config.first)
        return len(self._first) or self._next_size

    @property
    def _next_size(self) -> int:
        return int(self.config.batch)

    def ask(self, n: int) -> list[Arch]:
        if n <= 0:
            return []
        if self._first is None:
            self._first = self._first_sample()
        found, self._first = self._first[:n], self._first[n:]
        return found if len(found) == n else found + self._proposed(n - len(found))

    def tell(self, measurements: Sequence[Measurement]) -> None:
        for measurement in measurements:
            self._draws.take(tuple(measurement.arch))
        told = {tuple(m.arch) for m in measurements}
        if self._first:
            self._first = [arch for arch in self._first if arch not in told]
        self._guesses.tell(measurements)

    def _first_sample(self) -> list[Arch]:
        # What was told before the first question (an earlier run) is a first sample, too.
        n = self.config.first - len(self._guesses)
        if n <= 0:
            return []
        if self.config.first_sample == "uniform":
            return self._draws.draw(n)
        return trie_sample(self.space, self._draws, n, self._rng)

    def _proposed(self, n: int) -> list[Arch]:
        """n architectures that were never asked for; fewer only if there are no more."""
        if self._draws.exhausted:
            return []
        if not self._guesses.fit():
            return self._draws.draw(n)
        evolved = self._evolved()
        found = self._taken(best_first(evolved), evolved.rows, n)
        return found + self._draws.draw(n - len(found))

    def _evolved(self) -> Evolved:
        """An evolution on the predictors, from the measured front and as many at random."""
        config = self.config
        front, _ = self._guesses.front()
        if len(front) > config.inner_population // 2:
            front = self._rng.permutation(front)[: config.inner_population // 2]
        drawn = self.space.sample_array(config.inner_population - len(front), self._rng)
        return evolve(
            self.space,
            self._guesses.costs,
            start=np.concatenate([front, drawn]),
            population=config.inner_population,
            generations=-(-config.inner_evaluations // config.inner_population),
            rng=self._rng,
            allowed=self.problem.feasible if self.problem.bounds_known else None,
        )

    def _taken(self, order: NDArray[np.int64], rows: Archs, n: int) -> list[Arch]:
        """The first n of these rows that may be asked for."""
        new = [a for a in map(tuple, rows[order].tolist()) if a not in self._draws]
        return self._draws.admit(new[:n])


def best_first(evolved: Evolved) -> NDArray[np.int64]:
    """The last population, best first, then everything else that was seen, by rank and room around it."""
    rest = np.setdiff1d(np.arange(len(evolved.rows)), evolved.last)
    rank = ranks(evolved.costs[rest], maximize=[False] * evolved.costs.shape[1])
    return np.concatenate([evolved.last, rest[np.lexsort((-crowding(evolved.costs[rest], rank), rank))]])
