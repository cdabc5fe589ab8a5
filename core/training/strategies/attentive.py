"""Attentive sampling: of several random subnets of one cost, the best or the worst is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.seeding import stream
from core.spaces import Arch
from core.training.draws import Draw
from core.training.strategies.base import STRATEGIES, Strategy
from core.training.strategies.bignas import DISTILLED, Regularized

if TYPE_CHECKING:
    from core.spaces import SearchSpace
    from core.tasks.base import Batch
    from core.training.draws import Phase
    from core.training.session import Session

_SAMPLE = 4096
"""Random architectures that say how costs are distributed, and which options make which cost."""
_ROUNDS, _PER_ROUND = 8, 8
"""Draws in search of candidates within a range of cost: rounds, and in each so many per candidate."""


class Config(Regularized):
    """Settings of attentive sampling."""

    n_attentive: int = Field(
        2, ge=1, le=16, description="Chosen subnets per step, beside the largest and the smallest."
    )
    candidates: int = Field(
        3, ge=1, le=64, description="Subnets of about the same cost that one is chosen from."
    )
    prefer: Literal["best", "worst"] = Field(
        "best", description="Which of them is trained: the one of least loss, or of most."
    )
    costs: Literal["as drawn", "equal"] = Field(
        "as drawn",
        description="How costs are drawn: as random subnets have them, or each range of costs equally often.",
    )
    ranges: int = Field(
        20, ge=2, le=200, description="Equal ranges of cost, from the cheapest to the dearest."
    )


@STRATEGIES.register("attentive")
class Attentive(Strategy):
    """Draws a cost, several subnets of about that cost, and trains the best (or worst) of them beside the largest and smallest.

    Costs are MACs in equal ranges. A candidate takes each choice's option as often as random subnets of that range do,
    and is drawn anew while it misses the range, up to 64 times. Candidates are compared by their loss on the step's own batch, which costs one pass
    without gradients each; the paper's other way, a predictor of accuracy, is not here.
    """

    label = "Attentive sampling"
    source = (
        "Wang et al., AttentiveNAS, CVPR 2021 (BestUp and WorstUp by the loss of the mini-batch, as in its released training; "
        "no predictor)"
    )
    Config = Config
    needs_ends = True

    def start(self, session: Session) -> None:
        space = session.space
        rows = space.sample_array(_SAMPLE, stream(session.seed, "attentive"))
        rows = rows[[space.computes(row) for row in rows.tolist()]]
        costs = session.macs(rows.tolist())
        self._low, self._high = int(costs.min()), int(costs.max())
        ranges, active = self.ranges_of(costs), space.active(rows)
        counts = np.bincount(ranges, minlength=self.config.ranges)
        self.known = np.flatnonzero(counts)
        chances = counts[self.known] if self.config.costs == "as drawn" else np.ones(len(self.known))
        self.chances: NDArray[np.float64] = chances / chances.sum()
        shares = np.zeros((self.config.ranges, len(space), max(space.cardinalities)))
        for index, count in enumerate(space.cardinalities):
            shape = (self.config.ranges, count)
            shares[:, index, :count] = _shares(ranges, rows[:, index], active[:, index], shape)
        # Rounded up, so that no draw lies beyond the last option.
        self._until = np.minimum(shares.cumsum(axis=2) + 1e-9, 1.0)

    def ranges_of(self, costs: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) range of each cost, from 0 for the cheapest."""
        share = (costs - self._low) / max(1, self._high - self._low)
        return np.clip((share * self.config.ranges).astype(np.int64), 0, self.config.ranges - 1)

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return 2.0 + self.config.n_attentive

    def step(self, session: Session, batch: Batch) -> float:
        space, rng = session.space, session.rng("draws")
        chosen = [self._attended(session, batch, rng) for _ in range(self.config.n_attentive)]
        draws = [
            self.config.largest(space),
            *(Draw(arch, DISTILLED) for arch in [*chosen, space.smallest]),
        ]
        return session.train(draws, batch)[0]

    def _attended(self, session: Session, batch: Batch, rng: np.random.Generator) -> Arch:
        target = int(rng.choice(self.known, p=self.chances))
        distinct = list(dict.fromkeys(self.candidates(session, target, rng)))
        if len(distinct) == 1:
            return distinct[0]
        losses = [_loss(session, arch, batch) for arch in distinct]
        return distinct[int(np.argmin(losses) if self.config.prefer == "best" else np.argmax(losses))]

    def candidates(self, session: Session, target: int, rng: np.random.Generator) -> list[Arch]:
        """Random architectures of a range of costs; others where the range is hardly ever hit, as its authors do."""
        space, wanted = session.space, self.config.candidates
        hits: list[Arch] = []
        misses: list[Arch] = []
        for _ in range(_ROUNDS):
            drawn = rng.random((_PER_ROUND * wanted, len(space), 1)) > self._until[target]
            rows = space.canonicalize(drawn.sum(axis=2))
            rows = rows[[space.computes(row) for row in rows.tolist()]]
            within = self.ranges_of(session.macs(rows.tolist())) == target if len(rows) else np.zeros(0, bool)
            hits += [tuple(row) for row in rows[within].tolist()]
            misses += [tuple(row) for row in rows[~within].tolist()]
            if len(hits) >= wanted:
                break
        missing = wanted - len(hits)
        return [*hits, *misses[:missing]][:wanted] or [session.phase.sample(space, rng)]


def _shares(
    ranges: NDArray[np.int64], options: NDArray[np.uint8], active: NDArray[np.bool_], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """(ranges, options) how often each option was taken in each range, where the choice mattered; equal where it never did."""
    counts = np.zeros(shape)
    np.add.at(counts, (ranges[active], options[active]), 1)
    counts[counts.sum(axis=1) == 0] = 1
    shares: NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _loss(session: Session, arch: Arch, batch: Batch) -> float:
    """Mean loss of a batch, without gradients."""
    import torch

    with torch.no_grad():
        return float(session.sample_losses(session.forward(arch, batch), batch).mean())
