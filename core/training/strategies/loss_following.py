"""Draws follow the measured losses: what lags behind is trained more often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.seeding import stream
from core.spaces import Arch, SearchSpace
from core.training.draws import LABELS, Draw, Phase
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from core.tasks.base import Batch
    from core.training.session import Session

_SAMPLE = 2048
"""Architectures whose costs decide where the groups end."""
_TRIES = 64
"""Draws in search of one in the chosen group, before the nearest is taken."""


class Config(BaseConfig):
    """Settings of loss-following draws."""

    groups: int = Field(5, ge=2, le=32, description="Groups of subnets of similar MACs.")
    draws: int = Field(2, ge=1, le=16, description="Subnets per step; their gradients add up.")
    memory: float = Field(
        0.9, ge=0, lt=1, description="Share of a group's average loss that stays when it is drawn."
    )
    sharpness: float = Field(
        1.0, ge=0, le=10, description="Power of the average loss that draws follow; 0 draws groups equally."
    )
    floor: float = Field(0.2, gt=0, le=1, description="Share of the draws that is equal for all groups.")


@STRATEGIES.register("loss_following")
class LossFollowing(Strategy):
    """Draws subnets of those sizes more often whose training loss is high; labels only."""

    label = "Loss-following draws"
    source = "Our own: a plain control beside samplers that follow gradients of validation losses or of paths"
    Config = Config
    shareable = True

    def start(self, session: Session) -> None:
        rng = stream(session.seed, "loss_following")
        costs = session.macs(session.space.sample_array(_SAMPLE, rng).tolist())
        inner = np.linspace(0, 1, self.config.groups + 1)[1:-1]
        # A space of few different costs has fewer groups.
        self.edges = np.unique(np.quantile(costs, inner, method="inverted_cdf"))
        self.losses = np.full(len(self.edges) + 1, np.nan)

    def groups_of(self, costs: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) group of each cost, from 0 for the cheapest."""
        return np.searchsorted(self.edges, costs, side="left").astype(np.int64)

    def probabilities(self) -> NDArray[np.float64]:
        """(groups,) chance of each group: an equal part for all, the rest by the power of their losses.

        A group that was never drawn counts as the worst known one.
        """
        known = self.losses[~np.isnan(self.losses)]
        worst = float(known.max()) if len(known) else 1.0
        weights = np.nan_to_num(self.losses, nan=worst) ** self.config.sharpness
        total = weights.sum()
        shares = weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
        found: NDArray[np.float64] = self.config.floor / len(weights) + (1 - self.config.floor) * shares
        return found / found.sum()

    def follow(self, group: int, loss: float) -> None:
        """Take a measured loss into the group's moving average."""
        old, memory = self.losses[group], self.config.memory
        self.losses[group] = loss if np.isnan(old) else memory * old + (1 - memory) * loss

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return float(self.config.draws)

    def step(self, session: Session, batch: Batch) -> float:
        rng = session.rng("draws")
        wanted = rng.choice(len(self.losses), size=self.config.draws, p=self.probabilities())
        chosen = [self._within(session, int(group), rng) for group in wanted]
        values = session.train([Draw(arch, LABELS) for arch in chosen], batch)
        for group, value in zip(self.groups_of(session.macs(chosen)).tolist(), values, strict=True):
            self.follow(group, value)
        return float(np.mean(values))

    def _within(self, session: Session, group: int, rng: np.random.Generator) -> Arch:
        """A random architecture of the group; the nearest of many draws where it is hardly ever hit."""
        best: tuple[int, Arch] | None = None
        for _ in range(_TRIES):
            arch = session.phase.sample(session.space, rng)
            away = abs(int(self.groups_of(session.macs([arch]))[0]) - group)
            if best is None or away < best[0]:
                best = (away, arch)
            if away == 0:
                break
        assert best is not None
        return best[1]

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.losses = state["losses"].copy()
