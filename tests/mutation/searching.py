"""Faults in searches: bounds, budgets, what earlier runs told, and what tells one algorithm from another."""

from __future__ import annotations

from tests.mutation.fault import Fault

_WORKFLOW, _IN_WORKFLOW = "core/workflows/search_front.py", ("tests/search/test_search_workflow.py",)
_CONTRACT = ("tests/contracts/test_algorithms.py",)
_EVOLUTION, _LOCAL = "core/search/evolution.py", "core/search/local_search.py"
_AGING = "core/search/regularized_evolution.py"
_MANY = ("tests/search/test_many_objectives.py",)

FAULTS = [
    Fault(
        "children may break a known bound",
        "core/search/distinct.py",
        "if self._problem.bounds_known and fresh:",
        "if False:",
        _CONTRACT,
    ),
    Fault(
        "a value outside its bounds is as good as one within",
        _EVOLUTION,
        "sound, size = np.flatnonzero(broken == 0), self._size",
        "sound, size = np.flatnonzero(broken >= 0), self._size",
        _CONTRACT,
    ),
    Fault(
        "the front forgets the bounds",
        "core/library/front_so_far.py",
        "points = np.concatenate([self._points, costs[within] * signs])",
        "points = np.concatenate([self._points, costs * signs])",
        _IN_WORKFLOW,
    ),
    Fault(
        "a file's front forgets the bounds",
        "core/library/evaluations.py",
        "stands &= satisfies(columns, constraints)",
        "stands &= True",
        (*_IN_WORKFLOW, "tests/cli/test_commands.py"),
    ),
    Fault(
        "a resumed search pays for its repetition",
        _WORKFLOW,
        "        if repeated:\n",
        "        if False:\n",
        _IN_WORKFLOW,
    ),
    Fault(
        "what was told counts as evaluated",
        _WORKFLOW,
        "front.add(told, evaluated=False)",
        "front.add(told)",
        _IN_WORKFLOW,
    ),
    Fault(
        "a resumed search is not told again",
        _WORKFLOW,
        "    algorithm.tell(told)\n",
        "    algorithm.tell(told if TOLD not in _by_step(ledger) or not stored else [])\n",
        _IN_WORKFLOW,
    ),
    Fault(
        "an earlier search of another supernet counts",
        "core/library/warm_start.py",
        "if other.sha256 != entry.sha256:",
        "if False:",
        ("tests/search/test_with_a_supernet.py",),
    ),
    Fault(
        "the worst dies instead of the oldest",
        _AGING,
        "self._alive = self._alive[-self.config.population :]",
        "self._alive = sorted(self._alive, key=lambda each: each[1][0])[: self.config.population]",
        ("tests/search/test_regularized_evolution.py",),
    ),
    Fault(
        "tournaments weigh all objectives alike",
        _AGING,
        "worst = (scaled[sample] * weights).max(axis=1)",
        "worst = scaled[sample].max(axis=1)",
        ("tests/search/test_regularized_evolution.py",),
    ),
    Fault(
        "local search looks around what is beaten, too",
        _LOCAL,
        "        rows = _unbeaten(self._costs, self._broken)\n",
        "        rows = np.arange(len(self._members))\n",
        ("tests/search/test_local_search.py",),
    ),
    Fault(
        "a child of MOEA/D replaces everybody",
        "core/search/moead.py",
        "near = self._near[k] if k is not None and n else np.arange(self._size)",
        "near = np.arange(self._size)",
        _MANY,
    ),
    Fault(
        "AGE-MOEA takes every front for straight",
        "core/search/age_moea.py",
        "return 1.0 if np.isnan(p) or p <= _STRAIGHT else min(p, _SHARPEST)",
        "return 1.0",
        _MANY,
    ),
    Fault(
        "NSGA-III judges objectives in their units",
        "core/search/nsga3.py",
        "pool = Population.new(F=(costs - low) / span, row=np.arange(len(costs)))",
        "pool = Population.new(F=costs, row=np.arange(len(costs)))",
        _MANY,
    ),
]
