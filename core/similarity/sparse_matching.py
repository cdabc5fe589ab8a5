"""Few to one: can a unit of B be written as a sparse combination of units of A?

After the sparse mapping layer of Li et al., ICLR 2016, with the lasso path instead of SGD on an L1
penalty: the same objective, solved exactly, and every penalty at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.quiet import quiet
from core.seeding import stream
from core.similarity.base import Undefined, as_activations, different_rows
from core.similarity.matching import live_units

PENALTIES = np.geomspace(1.0, 1e-3, 16)
"""As shares of the penalty that leaves nothing."""
_KNEE = 0.95
_LEAST_ROWS = 20


@dataclass(frozen=True, eq=False)
class FewToOne:
    """Sparse predictions of B's live units from A's live units, along the penalties.

    Attributes:
        penalties: (s,) shares of the penalty that leaves nothing, falling.
        r2: (s, targets) share of variance explained on held-out samples, at least 0.
        nonzeros: (s, targets) units of A used.
        weights: (s, sources, targets) of standardized units.
        sources, targets: unit numbers.
        knee: index of the strongest penalty that keeps 95 % of the best mean R2.
        n_fit, n_held_out: samples.
    """

    penalties: NDArray[np.float64]
    r2: NDArray[np.float64]
    nonzeros: NDArray[np.int64]
    weights: NDArray[np.float64]
    sources: NDArray[np.intp]
    targets: NDArray[np.intp]
    knee: int
    n_fit: int
    n_held_out: int


def few_to_one(x: ArrayLike, y: ArrayLike, *, most_targets: int = 64, seed: int = 0) -> FewToOne:
    """Explain units of B by few units of A.

    Args:
        x: (n, p) activations of A.
        y: (n, q) activations of B, the same samples.
        most_targets: more live units of B than this are sampled.
        seed: decides the held-out half and the sampled targets.

    Raises:
        Undefined: different rows, fewer than 20, or a layer without live units.
    """
    a, b = as_activations(x), as_activations(y)
    if len(a) != len(b):
        raise Undefined(different_rows(len(a), len(b)))
    if len(a) < _LEAST_ROWS:
        raise Undefined(f"A sparse mapping needs at least {_LEAST_ROWS} samples; there are {len(a)}.")
    order = stream(seed, "few to one", "rows").permutation(len(a))
    fit, held_out = order[: len(a) // 2], order[len(a) // 2 :]
    sources, targets = np.flatnonzero(live_units(a[fit])), np.flatnonzero(live_units(b[fit]))
    if not len(sources) or not len(targets):
        raise Undefined("Every unit of one of these layers is constant on these samples.")
    if len(targets) > most_targets:
        targets = np.sort(stream(seed, "few to one", "targets").choice(targets, most_targets, replace=False))
    left, right = (_standardize(z[:, units], fit) for z, units in ((a, sources), (b, targets)))
    weights = _paths(left[fit], right[fit])
    r2 = np.stack([_explained(left[held_out] @ w, right[held_out]) for w in weights])
    mean = r2.mean(1)
    knee = int(np.argmax(mean >= _KNEE * mean.max()))
    return FewToOne(
        penalties=PENALTIES,
        r2=r2,
        nonzeros=(np.abs(weights) > 1e-9).sum(1),
        weights=weights,
        sources=sources,
        targets=targets,
        knee=knee,
        n_fit=len(fit),
        n_held_out=len(held_out),
    )


def _standardize(x: NDArray[np.float64], fit: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.asarray((x - x[fit].mean(0)) / x[fit].std(0))


def _paths(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(penalties, sources, targets) lasso coefficients; each target has its own largest penalty."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lasso_path

    gram = x.T @ x
    found = np.empty((len(PENALTIES), x.shape[1], y.shape[1]))
    # The weakest penalties of collinear units may stop a little early; R2 on held-out samples judges them.
    with quiet(ConvergenceWarning):
        for j in range(y.shape[1]):
            products = x.T @ y[:, j]
            strongest = float(np.abs(products).max()) / len(x)
            _, path, _ = lasso_path(
                x,
                y[:, j],
                alphas=PENALTIES * max(strongest, 1e-12),
                precompute=gram,
                Xy=products,
                max_iter=2000,
            )
            found[:, :, j] = path.T
    return found


def _explained(predicted: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    residual = np.square(y - predicted).sum(0)
    total = np.maximum(np.square(y - y.mean(0)).sum(0), 1e-12)
    return np.asarray(np.maximum(0.0, 1.0 - residual / total))
