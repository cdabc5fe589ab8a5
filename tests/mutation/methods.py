"""Faults of Optuna's samplers and files, of learned mutation, removal, diffusion, EEEA and evolved layers."""

from __future__ import annotations

from tests.mutation.fault import Fault

_LAYERS = ("tests/norm_search/test_layers.py",)

FAULTS = [
    Fault(
        "Optuna is told that every bound is kept",
        "core/search/optuna_sampler.py",
        'set_constraint("bounds", min(excess, _WORST))',
        'set_constraint("bounds", 0.0)',
        ("tests/search/test_optuna.py",),
    ),
    Fault(
        "architectures that took the place of repeated ones belong to no generation of Optuna's NSGA-II",
        "core/search/optuna_nsga2.py",
        "assert trial.relative_params is not None",
        "pass",
        ("tests/search/test_optuna.py",),
    ),
    Fault(
        "a worse child that is not kept punishes what was changed",
        "core/search/hhnas_am.py",
        "gain / (self._usual or 1.0) if kept else 0.0",
        "gain",
        ("tests/search/test_hhnas_am.py",),
    ),
    Fault(
        "every rollout is credited with the mean reward",
        "core/search/policy.py",
        "share * toward",
        "share.mean() * toward",
        ("tests/search/test_n2n.py",),
    ),
    Fault(
        "guidance pushes toward what is worse",
        "core/search/diffusion_nag.py",
        "found = -self._net.gradient",
        "found = self._net.gradient",
        ("tests/search/test_diffusion.py",),
    ),
    Fault(
        "a first generation twice as dear as its bound",
        "core/search/eeea.py",
        "if cost <= self.bound:",
        "if cost <= 2 * self.bound:",
        ("tests/search/test_eeea.py",),
    ),
    Fault(
        "parameters in Optuna's file are all the first option",
        "core/library/studies.py",
        "of.to_internal_repr(trial.params[name])",
        "0",
        ("tests/library/test_studies.py",),
    ),
    Fault(
        "a layer looks at the batch when it is used",
        "core/norm_search/layers.py",
        'if over == "batch" and not self.training:',
        "if False:",
        _LAYERS,
    ),
    Fault(
        "the winner is compared with the seed that it was lucky with",
        "core/workflows/evolve_norm.py",
        "seed = request.seed + 1 + index",
        "seed = request.seed + index",
        ("tests/workflows/test_evolve_norm.py",),
    ),
]
