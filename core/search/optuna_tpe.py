"""Optuna's tree-structured Parzen estimator: propose what looks like the good ones and not like the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.search.base import ALGORITHMS
from core.search.optuna_sampler import OptunaSampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@ALGORITHMS.register("optuna_tpe")
class OptunaTPE(OptunaSampler):
    """Optuna's TPE: proposes where the density of good architectures is largest against that of the others."""

    label = "TPE (Optuna)"
    source = "Bergstra et al., 'Algorithms for Hyper-Parameter Optimization', NeurIPS 2011 (Optuna 5)"

    class Config(BaseConfig):
        startup: int = Field(
            20, ge=1, le=10_000, description="Random architectures before the first estimate"
        )
        candidates: int = Field(
            24, ge=1, le=1000, description="Draws from the good ones, best of which is proposed"
        )
        multivariate: bool = Field(
            True, description="One density over the choices that every architecture has, not one per choice"
        )
        batch: int = Field(
            10, ge=1, le=1000, description="Architectures between two looks at what was measured"
        )

    @property
    def batch_size(self) -> int:
        return int(self.config.batch)

    def _sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(
            seed=seed,
            n_startup_trials=self.config.startup,
            n_ei_candidates=self.config.candidates,
            multivariate=self.config.multivariate,
            constant_liar=False,
        )
