"""Optuna's own NSGA-II, to race with ours and with its TPE under the same rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.search.base import ALGORITHMS
from core.search.optuna_sampler import OptunaSampler
from core.spaces import Arch

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial


@ALGORITHMS.register("optuna_nsga2")
class OptunaNSGA2(OptunaSampler):
    """Optuna's NSGA-II: a random first generation, uniform crossover, and no look at the order of the network."""

    label = "NSGA-II (Optuna)"
    source = (
        "Deb et al., 'A fast and elitist multiobjective genetic algorithm: NSGA-II', IEEE TEC 2002 (Optuna 5)"
    )

    class Config(BaseConfig):
        population: int = Field(50, ge=2, le=10_000, description="Architectures per generation")
        crossover_rate: float = Field(0.9, ge=0, le=1, description="Chance that a child has two parents")
        swapping_rate: float = Field(
            0.5, ge=0, le=1, description="Chance of each choice to come from the second parent"
        )
        mutation_rate: float | None = Field(
            None, gt=0, le=1, description="Chance of each choice to change; empty: one choice on average"
        )

    @property
    def batch_size(self) -> int:
        return int(self.config.population)

    def _sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(
            seed=seed,
            population_size=self.config.population,
            crossover_prob=self.config.crossover_rate,
            swapping_prob=self.config.swapping_rate,
            mutation_prob=self.config.mutation_rate,
        )

    def _opened(self, arch: Arch) -> Trial:
        trial = super()._opened(arch)
        # Reading them is what puts the trial into a generation; one without is never a parent.
        assert trial.relative_params is not None
        return trial
