"""What Optuna's samplers share: a study in memory that is asked for architectures and told what they measured.

A choice is a parameter: an integer where its options have an order, a category where not, and none at all where the
architecture does not have it. Optuna may propose what it proposed before; such a trial is closed as failed, and an
architecture that nobody asked for takes its place: a neighbor of the proposal, or a random one. Optuna is imported at
the first question, so that whoever only lists algorithms does not wait for it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import BaseConfig
from core.quiet import quiet
from core.records import Measurement
from core.search.base import SearchAlgorithm
from core.search.distinct import DistinctDraws
from core.seeding import stream, torch_seed
from core.spaces import Arch

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import Trial

# How often a sampler may repeat itself before a neighbor of what it proposed is taken.
_PATIENCE = 1
# Draws for a neighbor before a random architecture is taken.
_NEIGHBORS = 24
_MOST_SEED = 2**31
_WORST = 1e30  # of a bound that nothing is known of: Optuna takes no infinity


class OptunaSampler(SearchAlgorithm):
    """A sampler of Optuna behind the search contract; subclasses say which one."""

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._rng = stream(self.seed, "search", type(self).name)
        self._draws = DistinctDraws(self.problem, self._rng)
        self._open: dict[Arch, Trial] = {}
        self._begun: Study | None = None

    @abstractmethod
    def _sampler(self, seed: int) -> BaseSampler:
        """The sampler, fresh."""

    def ask(self, n: int) -> list[Arch]:
        found: list[Arch] = []
        while len(found) < n and not self._draws.exhausted:
            arch = self._proposed()
            if arch is None:
                break
            found.append(arch)
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        from optuna.trial import TrialState

        broken = self.problem.violations(measurements).tolist()
        for measurement, excess in zip(measurements, broken, strict=True):
            arch = tuple(measurement.arch)
            trial = self._open.pop(arch, None)
            if trial is None:
                if not self._draws.take(arch):
                    continue  # told before
                trial = self._opened(arch)
            values = [float(measurement.values.get(o.name, np.nan)) for o in self.objectives]
            if self.problem.constraints:
                with quiet():
                    trial.set_constraint("bounds", min(excess, _WORST))
            # Optuna knows no missing values; a failed trial teaches its samplers nothing.
            if np.isfinite(values).all():
                self._study.tell(trial, values)
            else:
                self._study.tell(trial, state=TrialState.FAIL)

    @property
    def _study(self) -> Study:
        if self._begun is None:
            import optuna

            optuna.logging.set_verbosity(optuna.logging.ERROR)
            directions = ["maximize" if o.maximize else "minimize" for o in self.objectives]
            with quiet():
                sampler = self._sampler(torch_seed(self.seed, "search", type(self).name) % _MOST_SEED)
                self._begun = optuna.create_study(directions=directions, sampler=sampler)  # type: ignore[arg-type]
        return self._begun

    def _proposed(self) -> Arch | None:
        from optuna.trial import TrialState

        arch: Arch = ()
        for _ in range(_PATIENCE):
            trial = self._study.ask()
            arch = self._suggested(trial)
            if self._draws.admit([arch]):
                self._open[arch] = trial
                return arch
            self._study.tell(trial, state=TrialState.FAIL)
        for _ in range(_NEIGHBORS):
            near = self.space.mutate(arch, self._rng, 1 / len(self.space))
            if self._draws.admit([near]):
                return self._kept(near)
        drawn = self._draws.draw(1)
        return self._kept(drawn[0]) if drawn else None

    def _kept(self, arch: Arch) -> Arch:
        self._open[arch] = self._opened(arch)
        return arch

    def _opened(self, arch: Arch) -> Trial:
        """A trial of an architecture that Optuna did not propose."""
        params = {
            name: option
            for name, option, size in zip(self.space.names, arch, self.space.cardinalities, strict=True)
            if size > 1 and self.space.is_active(arch, name)
        }
        with quiet():
            self._study.enqueue_trial(params)
        trial = self._study.ask()
        self._suggested(trial)
        return trial

    def _suggested(self, trial: Trial) -> Arch:
        """What a trial picks, choice by choice; a choice that does not matter is never suggested."""
        arch = [0] * len(self.space)
        for index, choice in enumerate(self.space.choices):
            options = len(choice.options)
            if options == 1 or not self.space.is_active(arch, choice.name):
                continue
            if choice.ordinal:
                arch[index] = trial.suggest_int(choice.name, 0, options - 1)
            else:
                arch[index] = trial.suggest_categorical(choice.name, range(options))
        return tuple(arch)
