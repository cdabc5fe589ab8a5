"""A latency model over stages: fitted to some timed subnets, it predicts every subnet of the space.

Either the milliseconds are a sum (of what each stage with its key takes, an overhead per stage and time per unit of work;
nothing takes less than no time), or their logarithm is. Which of the two, and how strongly weights are held back, ten
folds decide; the same folds say how well unseen subnets are predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.evaluation.latency.design import Columns, columns_of
from core.objectives.timing import rank_correlation
from core.seeding import stream

FOLDS = 10
Form = Literal["log", "linear"]
_TRIED: tuple[tuple[Form, float], ...] = (
    *(("log", strength) for strength in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
    *(("linear", strength) for strength in (0.0003, 0.003, 0.03)),
)


class CrossValidation(BaseModel):
    """How well subnets are predicted that the predictor was not fitted to.

    Attributes:
        n: subnets, each predicted once.
        rank_correlation: Spearman's, of predicted and timed.
        median_error, p95_error: of the predictions, as a share of what was timed.
        deviation: robust standard deviation of log(timed / predicted).
        tail: how far the errors' tail goes beyond a normal one's: the 99th percentile over 2.58 deviations, at least 1.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)
    n: int = Field(ge=1)
    rank_correlation: float = Field(ge=-1, le=1)
    median_error: float = Field(ge=0)
    p95_error: float = Field(ge=0)
    deviation: float = Field(ge=0)
    tail: float = Field(1.0, ge=1)

    @classmethod
    def of(cls, timed: NDArray[np.float64], predicted: NDArray[np.float64]) -> Self:
        """From n timed subnets and their predictions by models fitted to others."""
        error, logs = np.abs(predicted / timed - 1), np.log(timed / predicted)
        # The square root of 2/3 of the folds' data is close to the whole; a median is not moved by a spike.
        deviation = max(float(np.median(np.abs(logs))) / 0.6745, 1e-6)
        tail = float(np.quantile(np.abs(logs), 0.99)) / (2.576 * deviation)
        return cls(
            n=len(timed),
            rank_correlation=rank_correlation(predicted, timed),
            median_error=float(np.median(error)),
            p95_error=float(np.quantile(error, 0.95)),
            deviation=deviation,
            tail=max(tail, 1.0),
        )


class LatencyModel(BaseModel):
    """What was fitted to timed subnets; its weights are for the columns of one supernet.

    Attributes:
        form: what is a sum: the milliseconds, or their logarithm.
        strength: how strongly weights are held back.
        intercept: of the sum.
        weights: of the columns for keys, then for work.
        columns: fingerprint of the columns.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)
    form: Form
    strength: float = Field(gt=0)
    intercept: float
    weights: tuple[float, ...] = Field(max_length=1_000_000)
    columns: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.form == "linear" and min((self.intercept, *self.weights)) < 0:
            raise ValueError("a stage cannot take less than no time")
        return self

    def predict(self, costs: CostTable, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(n, d) architectures -> (n,) milliseconds, all positive.

        Raises:
            InvalidInput: the model was fitted to subnets of another supernet.
        """
        columns = columns_of(costs)
        if columns.fingerprint != self.columns:
            raise InvalidInput("This predictor of latency belongs to another supernet.")
        parts = [self._sum(columns, rows[at : at + _CHUNK]) for at in range(0, len(rows), _CHUNK)] or [
            np.zeros(0)
        ]
        found = np.concatenate(parts)
        return np.exp(found) if self.form == "log" else np.maximum(found, 1e-9)

    def _sum(self, columns: Columns, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        weights = np.array(self.weights)
        keys = columns.known(rows)
        n = keys.shape[1]
        return np.asarray(
            self.intercept + keys.astype(np.float32) @ weights[:n] + columns.work(rows) @ weights[n:]
        )


_CHUNK = 16_384


def fit_latency(
    costs: CostTable,
    rows: NDArray[np.uint8],
    ms: NDArray[np.float64] | Sequence[float],
    *,
    validated: NDArray[np.bool_] | None = None,
    like: LatencyModel | None = None,
    seed: int = 0,
) -> tuple[LatencyModel, CrossValidation]:
    """Fit a model, its form and strength by ten folds.

    Args:
        costs: of the supernet.
        rows: (n, d) timed architectures.
        ms: (n,) their latencies.
        validated: (n,) subnets that the cross-validation is about, all of them if left out: those of a random sample,
            where others were picked for being fast.
        like: take form and strength from this model instead of choosing them.
        seed: of the folds.

    Returns:
        The model of all of them, and how well unseen ones were predicted.

    Raises:
        InvalidInput: there are fewer than eight.
    """
    times = np.asarray(ms, dtype=np.float64)
    if len(times) < 8:
        raise InvalidInput("A predictor of latency needs at least eight timed subnets.")
    columns = columns_of(costs)
    keys, work = columns.known(rows).astype(np.float64), columns.work(rows)
    fold = stream(seed, "latency", "folds").permutation(np.arange(len(times)) % FOLDS)
    counted = np.ones(len(times), bool) if validated is None else validated
    best: tuple[float, Form, float, NDArray[np.float64]] | None = None
    for form, strength in _TRIED if like is None else ((like.form, like.strength),):
        predicted = np.empty(len(times))
        for number in range(FOLDS):
            held = fold == number
            fitted = _fit(form, keys[~held], work[~held], times[~held], strength)
            predicted[held] = _predicted(form, fitted, keys[held], work[held])
        loss = float(np.median(np.abs(predicted / times - 1)[counted]))
        if best is None or loss < best[0]:
            best = loss, form, strength, predicted
    assert best is not None
    _, form, strength, predicted = best
    intercept, *weights = _fit(form, keys, work, times, strength).tolist()
    model = LatencyModel(
        form=form, strength=strength, intercept=intercept, weights=tuple(weights), columns=columns.fingerprint
    )
    return model, CrossValidation.of(times[counted], predicted[counted])


def _predicted(
    form: Form, fitted: NDArray[np.float64], keys: NDArray[np.float64], work: NDArray[np.float64]
) -> NDArray[np.float64]:
    n = keys.shape[1]
    found = fitted[0] + keys @ fitted[1 : n + 1] + work @ fitted[n + 1 :]
    return np.exp(np.clip(found, -50, 50)) if form == "log" else np.maximum(found, 1e-9)


def _fit(
    form: Form,
    keys: NDArray[np.float64],
    work: NDArray[np.float64],
    times: NDArray[np.float64],
    strength: float,
) -> NDArray[np.float64]:
    """Intercept and weights of the columns as they are."""
    scale = work.std(axis=0)
    # A column that does not vary says nothing, and is left at zero.
    varies = np.concatenate([keys.std(axis=0) > 0, scale > 0])
    design = np.concatenate([keys, work / np.where(scale > 0, scale, 1.0)], axis=1)[:, varies]
    solve = _ridge if form == "log" else _non_negative
    found = np.zeros(1 + len(varies))
    found[0], found[1:][varies] = solve(design, times, strength)
    found[1 + keys.shape[1] :] /= np.where(scale > 0, scale, 1.0)
    return found


def _ridge(
    design: NDArray[np.float64], times: NDArray[np.float64], strength: float
) -> tuple[float, NDArray[np.float64]]:
    """Least squares of the logarithm; the intercept is free."""
    middle, logs = design.mean(axis=0), np.log(times)
    centered = design - middle
    gram = centered.T @ centered
    gram[np.diag_indices_from(gram)] += strength
    weights = np.linalg.solve(gram, centered.T @ (logs - logs.mean()))
    return float(logs.mean() - middle @ weights), weights


def _non_negative(
    design: NDArray[np.float64], times: NDArray[np.float64], strength: float
) -> tuple[float, NDArray[np.float64]]:
    """Least squares of the relative error, every weight zero or more."""
    from scipy.optimize import nnls

    unit = float(np.median(times))
    relative = np.concatenate([np.ones((len(times), 1)), design], axis=1) * (unit / times)[:, None]
    held = np.sqrt(strength * len(times)) * np.eye(relative.shape[1])[1:] / np.sqrt(len(times))
    weights, _ = nnls(
        np.concatenate([relative, held]), np.concatenate([np.ones(len(times)), np.zeros(len(held))])
    )
    return float(weights[0] * unit), weights[1:] * unit
