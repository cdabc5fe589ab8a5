"""Small torch networks that learn together: each leaves another fold out, so every row has one that did not see it.

Their weights stand in one tensor with the network as the first axis. Nothing global is touched: weights and samples
come from generators of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.predictors.diff_kendall import diff_kendall
from core.predictors.folds import folds_of
from core.seeding import torch_seed

MEMBERS = 5
"""Networks of a committee, and folds."""
_MOST_PAIRED = 96
_SMALL = 1e-6


@dataclass(frozen=True)
class Course:
    """How a committee learns.

    Attributes:
        loss: "squared" or "diff_kendall".
        steepness: of the latter.
        steps: of Adam, all rows at a time.
        rate: highest learning rate; it falls to zero by a cosine.
        decay: of the weights.
    """

    loss: str
    steepness: float
    steps: int
    rate: float
    decay: float


def generator(seed: int, *names: str) -> torch.Generator:
    """A generator of its own for each use of chance."""
    return torch.Generator().manual_seed(torch_seed(seed, *names))


def normal(shape: Sequence[int], scale: float, source: torch.Generator) -> Tensor:
    """Weights that are wanted gradients of."""
    return (torch.randn(tuple(shape), generator=source) * scale).requires_grad_(True)


def learn(
    weights: Sequence[Tensor],
    answer: Callable[[Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    *,
    course: Course,
    seed: int,
    cost: Callable[[], Tensor] | None = None,
) -> None:
    """Train a committee in place.

    Args:
        weights: of all members.
        answer: (n, d) rows -> (members, n) scores.
        x: (n, d) rows.
        y: (n,) standardized values.
        course: how.
        seed: of the folds, and of the rows whose pairs are compared.
        cost: added to the loss, for example of uncertain weights.
    """
    seen = seen_by(len(y), seed)
    pairs = generator(seed, "committee", "pairs")
    optimizer = torch.optim.AdamW(list(weights), lr=course.rate, weight_decay=course.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, course.steps)
    rows = [torch.nonzero(member)[:, 0] for member in seen]
    fewest = min(len(each) for each in rows)
    for _ in range(course.steps):
        said = answer(x)
        if course.loss == "squared":
            loss = ((said - y).square() * seen).sum() / seen.sum(1).max()
        else:
            # Pairs grow with the square of the rows: of many, some at a time.
            some = [
                each[torch.randperm(len(each), generator=pairs)[: min(fewest, _MOST_PAIRED)]] for each in rows
            ]
            chosen = torch.stack(some)
            loss = diff_kendall(said.gather(1, chosen), y[chosen], course.steepness).sum()
        if cost is not None:
            loss = loss + cost()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def seen_by(n: int, seed: int) -> Tensor:
    """(members, n) which rows each member learns from; all of them where there are too few to leave any out."""
    if n < 2 * MEMBERS:
        return torch.ones(MEMBERS, n, dtype=torch.bool)
    folds = torch.from_numpy(folds_of(n, MEMBERS, seed))
    return folds != torch.arange(MEMBERS)[:, None]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """From scores, whose scale may mean nothing, to values and their deviation.

    Attributes:
        slope, offset: of the line from each member's scores to values.
        noise: variance that members leave over on rows they did not see, beyond what they disagree by.
    """

    slope: NDArray[np.float64]
    offset: NDArray[np.float64]
    noise: float

    @classmethod
    def of(cls, said: NDArray[np.float64], y: NDArray[np.float64], seed: int) -> Calibrated:
        """From (members, n) scores of the rows learned from; each line is drawn through rows the member saw."""
        seen = seen_by(len(y), seed).numpy()
        slope, offset = np.empty(MEMBERS), np.empty(MEMBERS)
        for member in range(MEMBERS):
            scores, values = said[member, seen[member]], y[seen[member]]
            spread = scores.var()
            # A score that falls where values rise is no guess of them.
            slope[member] = (
                max(np.mean((scores - scores.mean()) * values) / spread, 0.0) if spread > 1e-12 else 0.0
            )
            offset[member] = values.mean() - slope[member] * scores.mean()
        guesses = slope[:, None] * said + offset[:, None]
        out = ~seen
        missed = (guesses - y)[out] if out.any() else guesses - y
        return cls(slope, offset, float(np.mean(missed**2)) + _SMALL)

    def __call__(self, said: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(members, m) scores -> (m,) values and (m,) deviations of new measurements, standardized.

        What members miss unseen rows by holds their disagreement on average; where they disagree more than that, it
        is more.
        """
        guesses = self.slope[:, None] * said + self.offset[:, None]
        apart = guesses.var(axis=0)
        extra = np.maximum(apart - np.median(apart), 0.0)
        return guesses.mean(axis=0), np.sqrt(self.noise + extra)
