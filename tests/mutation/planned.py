"""Faults of predictors' encodings, LINAS, planned searches and what the evaluator keeps."""

from __future__ import annotations

from tests.mutation.fault import Fault

_PLANNED, _IN_PLANNED = "core/search/planned.py", ("tests/search/test_planned.py",)
_KEPT, _IN_KEPT = "core/evaluation/kept_activations.py", ("tests/evaluation/test_kept_activations.py",)

FAULTS = [
    Fault(
        "a picked architecture makes its siblings no cheaper",
        _PLANNED,
        "paid[stages[best]] = True",
        "paid[stages[best]] = False",
        _IN_PLANNED,
    ),
    Fault(
        "what an earlier run measured counts as kept",
        _PLANNED,
        "for m in measurements if tuple(m.arch) in self._draws]",
        "for m in measurements]",
        _IN_PLANNED,
    ),
    Fault(
        "slices of siblings are kept with all they are a part of",
        _KEPT,
        "return leaf.clone() if leaf.untyped_storage().nbytes() > leaf.nbytes else leaf",
        "return leaf",
        _IN_KEPT,
    ),
    Fault(
        "LINAS learns nothing from what it measured",
        "core/search/linas.py",
        "        self._guesses.tell(measurements)",
        "        self._guesses.tell([])",
        ("tests/search/test_linas.py",),
    ),
    Fault(
        "choices that do not matter are encoded",
        "core/predictors/encodings.py",
        "found[np.arange(len(rows))[:, None], at] = matters",
        "found[np.arange(len(rows))[:, None], at] = 1",
        ("tests/predictors/test_ridge.py",),
    ),
    Fault(
        "ridge says only how sure it is of the mean",
        "core/predictors/ridge.py",
        "self._noise * (1 + 1 / self._samples",
        "self._noise * (1 / self._samples",
        ("tests/contracts/test_predictors.py",),
    ),
]
