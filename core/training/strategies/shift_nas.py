"""Draws shift toward sizes whose weights are still pulled at most: what is trained least gets the next steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.seeding import stream
from core.spaces import Arch, SearchSpace
from core.training.bands import Bands
from core.training.draws import LABELS, Draw, Phase
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from core.tasks.base import Batch
    from core.training.session import Session

_LISTED = 200
_SHIFTING = "shifting"


class Config(BaseConfig):
    """Settings of ShiftNAS-like draws."""

    bins: int = Field(5, ge=2, le=32, description="Bins of subnets, of equal width in MACs.")
    draws: int = Field(2, ge=1, le=16, description="Subnets per step; their gradients add up.")
    equal_share: float = Field(
        0.15, gt=0, lt=1, description="Share of the epochs at first in which all bins are drawn equally."
    )
    every: int = Field(
        4, ge=1, le=1000, description="Steps from one measurement of a bin to that of the next one."
    )
    subnets: int = Field(2, ge=1, le=8, description="Subnets of a bin whose gradients are measured.")
    rate: float = Field(
        0.2, gt=0, le=10, description="How far one round of measurements moves the logarithm of the chances."
    )
    floor: float = Field(0.2, gt=0, le=1, description="Share of the draws that is equal for all bins.")


@STRATEGIES.register("shift_nas")
class ShiftNAS(Strategy):
    """Draws bins of MACs by learned chances, which grow where the gradient of the validation loss is largest.

    What is chosen by validation samples has seen them, so validation accuracy flatters these subnets a little.
    """

    label = "Draws that shift to lagging sizes"
    source = "Inspired by Zhang et al., ShiftNAS, ICCV 2023 (no official code; a table of architectures by cost in place of its generator, an exponentiated gradient in place of finite differences, and a floor)"
    Config = Config

    def phases(self, space: SearchSpace) -> list[Phase]:
        share = self.config.equal_share
        return [Phase("equal bins", share), Phase(_SHIFTING, 1 - share)]

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        measured = self.config.subnets / self.config.every if phase.name == _SHIFTING else 0.0
        return float(self.config.draws + measured)

    def start(self, session: Session) -> None:
        rng = stream(session.seed, self.name)
        self.bands = Bands.of(session.space, session.macs, bands=self.config.bins, listed=_LISTED, rng=rng)
        self.logits = np.zeros(len(self.bands))
        self.norms = np.full(len(self.bands), np.nan)
        self.taken = 0

    # --- chances ------------------------------------------------------------------------------------

    def probabilities(self) -> NDArray[np.float64]:
        """(bins,) chance of each bin: an equal part for all, the rest a softmax of what is learned."""
        weights = np.exp(self.logits - self.logits.max())
        k, floor = len(weights), self.config.floor
        found: NDArray[np.float64] = floor / k + (1 - floor) * weights / weights.sum()
        return found / found.sum()

    def drawn_bin(self, rng: np.random.Generator) -> int:
        """One bin by Gumbel's trick: the largest of log-chances with Gumbel noise is distributed as the chances are."""
        return int(np.argmax(np.log(self.probabilities()) + rng.gumbel(size=len(self.bands))))

    def shift(self, norms: Sequence[float]) -> None:
        """Move chances toward bins with large gradients: each is multiplied by the exponential of its share above the mean.

        The secondary source writes an argmin and says that mass moves to what is trained too little; it does so here.
        The chance of the bin with the largest gradient never falls.
        """
        measured = np.asarray(norms, np.float64)
        mean = float(measured.mean())
        if mean > 0 and math.isfinite(mean):
            self.logits = self.logits + self.config.rate * (measured / mean - 1)
            self.logits -= self.logits.max()

    # --- architectures of a cost --------------------------------------------------------------------

    def generate(self, macs: float, rng: np.random.Generator) -> Arch:
        """An architecture whose cost is within half a bin of the wanted one; the nearest where there is none."""
        costs, rows = np.concatenate(self.bands.macs), np.concatenate(self.bands.listed)
        away = np.abs(costs - macs)
        near = np.flatnonzero(away <= (self.bands.high[0] - self.bands.low[0]) / 2)
        at = int(rng.choice(near)) if len(near) else int(away.argmin())
        return tuple(int(option) for option in rows[at])

    def of_bin(self, index: int, rng: np.random.Generator) -> Arch:
        """An architecture of a bin, which asks for the cost in its middle."""
        return self.generate(float(self.bands.low[index] + self.bands.high[index]) / 2, rng)

    # --- one step -----------------------------------------------------------------------------------

    def step(self, session: Session, batch: Batch) -> float:
        rng = session.rng("draws")
        if session.phase.name == _SHIFTING:
            self._measure_in_turn(session, len(batch))
        archs = [self.of_bin(self.drawn_bin(rng), rng) for _ in range(self.config.draws)]
        return float(np.mean(session.train([Draw(arch, LABELS) for arch in archs], batch)))

    def _measure_in_turn(self, session: Session, samples: int) -> None:
        """Every few steps one more bin; when all are known, chances move and a new round begins."""
        self.taken += 1
        if self.taken % self.config.every:
            return
        index = int(np.flatnonzero(np.isnan(self.norms))[0])
        self.norms[index] = self.insufficiency(session, index, samples)
        if not np.isnan(self.norms).any():
            self.shift(self.norms.tolist())
            self.norms[:] = np.nan

    def insufficiency(self, session: Session, index: int, samples: int) -> float:
        """Norm of the gradient of the validation loss by all weights, the mean over a few subnets of a bin.

        Args:
            session: of the training.
            index: of the bin.
            samples: of the validation data; as many as of a step.
        """
        rng, found = session.rng("measured", str(index)), []
        for look in range(self.config.subnets):
            batch = session.validation_batch(samples, str(index), str(look))
            session.zero_grad()
            outputs = session.forward(self.of_bin(index, rng), batch)
            session.backward(session.sample_losses(outputs, batch).mean())
            found.append(math.hypot(*session.gradient_norms().values()))
        session.zero_grad()
        return float(np.mean(found))

    # --- resuming -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return {"logits": self.logits, "norms": self.norms, "taken": self.taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.logits, self.norms = state["logits"].copy(), state["norms"].copy()
        self.taken = int(state["taken"])
