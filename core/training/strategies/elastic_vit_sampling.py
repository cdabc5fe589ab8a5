"""Conflict-aware sampling: the subnets of a step are of similar cost, and good ones are trained more often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.seeding import stream
from core.spaces import Arch, SearchSpace
from core.training.bands import Bands
from core.training.draws import LABELS, Draw, Phase, Term
from core.training.losses.base import PREVIOUS
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.base import Batch
    from core.training.session import Session

_CANDIDATES = 5
"""Random architectures of which the one that gains most by width and least by depth is drawn."""
_STAIRS = 6
"""Steps in which remembered architectures are drawn more often."""
_REFRESHED = 4
"""Scores are measured anew so many times an epoch."""
_FROM_OTHERS = (Term("kl", 1.0, {"teacher": PREVIOUS}),)


class Config(BaseConfig):
    """Settings of ElasticViT sampling."""

    banks: int = Field(5, ge=2, le=16, description="Bands of similar MACs, each with a memory bank.")
    n_random: int = Field(
        3, ge=1, le=16, description="Random subnets per step, all of one band, beside the band's smallest."
    )
    bank_size: int = Field(20, ge=2, le=200, description="Good architectures that a bank remembers.")
    listed: int = Field(200, ge=10, le=2000, description="Architectures of each band that can be drawn.")
    first_share: float = Field(
        0.2, ge=0, le=1, description="Chance at first that a draw is a remembered architecture."
    )
    last_share: float = Field(0.95, ge=0, le=1, description="The same at the end.")
    teacher: Literal["labels", "largest"] = Field(
        "labels",
        description="What random subnets learn from: the labels, or the largest subnet, trained first and frozen.",
    )
    teacher_share: float = Field(
        0.25,
        gt=0,
        lt=1,
        description="Share of the epochs that train the largest subnet, if it is the teacher.",
    )


@STRATEGIES.register("elastic_vit_sampling")
class ElasticViTSampling(Strategy):
    """All subnets of a step are of similar MACs, from a band that walks slowly; good ones are remembered and drawn again."""

    label = "ElasticViT sampling"
    source = "Tang et al., ElasticViT, ICCV 2023 (labels or the frozen largest subnet in place of its two external teachers; KL in place of alpha-divergence; bands share out the whole range)"
    Config = Config

    def check(self, space: SearchSpace) -> None:
        super().check(space)
        if self.config.teacher == "largest" and space.ends is None:
            raise InvalidInput(
                f"{self.label} with the largest subnet as teacher needs a space that has one; this space has none. "
                "Choose another strategy."
            )

    def phases(self, space: SearchSpace) -> list[Phase]:
        if self.config.teacher == "labels":
            return [Phase("banks")]
        share = self.config.teacher_share
        return [Phase("teacher", share), Phase("banks", 1 - share, actions=("freeze_teacher",))]

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return 1.0 if phase.name == "teacher" else self.config.n_random + 1.0

    def start(self, session: Session) -> None:
        rng = stream(session.seed, self.name)
        self.space = session.space
        self.bands = Bands.of(
            session.space, session.macs, bands=self.config.banks, listed=self.config.listed, rng=rng
        )
        self.minima = [self.bands.cheapest(band) for band in range(len(self.bands))]
        self.bank = 0
        self.banks: list[dict[Arch, float]] = [{} for _ in range(len(self.bands))]

    # --- which band, which architecture -------------------------------------------------------------

    def walk(self, rng: np.random.Generator) -> int:
        """The band after the current one: one down, the same, one up; at an end it stays twice as often."""
        step = int(rng.integers(-1, 2))
        return int(np.clip(self.bank + step, 0, len(self.bands) - 1))

    def exploited(self, progress: float) -> float:
        """Chance that a draw is a remembered architecture, when such a share of the training is done."""
        stair = min(int(progress * _STAIRS), _STAIRS - 1) / (_STAIRS - 1)
        first, last = self.config.first_share, self.config.last_share
        return float(first + (last - first) * stair)

    def draw(self, session: Session, rng: np.random.Generator) -> tuple[Arch, bool]:
        """An architecture of the current band, and whether it was remembered."""
        bank = self.banks[self.bank]
        known = len(bank) > self.config.bank_size // 2
        if rng.random() < self.exploited(session.progress) and known:
            scores = np.array(list(bank.values()))
            weights = np.exp(scores - scores.max())
            return list(bank)[int(rng.choice(len(bank), p=weights / weights.sum()))], True
        drawn = [self.bands.draw(self.bank, rng) for _ in range(_CANDIDATES if known else 1)]
        return drawn[int(np.argmin(self.depth_before_width(session, drawn)))], False

    def depth_before_width(self, session: Session, archs: Sequence[Arch]) -> list[int]:
        """Of each architecture, MACs with the anchor's widths minus MACs with the anchor's depths.

        The less, the more of it is width beyond the anchor and the less is depth. The anchor is the best
        architecture that the cheapest band remembers, and for that band the smallest one.
        """
        small = self.banks[0]
        anchor = max(small, key=lambda arch: small[arch]) if self.bank and small else self.minima[0]
        wide = session.macs([self._with(arch, anchor, "width") for arch in archs])
        deep = session.macs([self._with(arch, anchor, "depth") for arch in archs])
        return [int(v) for v in wide - deep]

    def _with(self, arch: Arch, anchor: Arch, kind: str) -> Arch:
        """The architecture with the anchor's options of one kind, and of what it had no need to choose itself."""
        space, found = self.space, list(arch)
        for at, choice in enumerate(space.choices):
            if choice.kind == kind or not space.is_active(arch, choice.name):
                found[at] = anchor[at]
        return space.canonical(found)

    # --- what is remembered -------------------------------------------------------------------------

    def remember(self, arch: Arch, score: float) -> None:
        """Take an architecture into the current band's bank; in a full one it replaces the worst, if it is better."""
        bank = self.banks[self.bank]
        if arch in bank:
            return
        if len(bank) >= self.config.bank_size:
            worst = min(bank, key=lambda known: bank[known])
            if bank[worst] >= score:
                return
            del bank[worst]
        bank[arch] = score

    def _refresh(self, session: Session, batch: Batch) -> None:
        """Measure scores anew: all at the start of an epoch, the current band's three more times."""
        import torch

        steps = session.task.steps(session.dataset, len(batch))
        if session.step not in {steps * quarter // _REFRESHED for quarter in range(_REFRESHED)}:
            return
        with torch.no_grad():
            for index, bank in enumerate(self.banks):
                if session.step == 0 or index == self.bank:
                    for arch in bank:
                        bank[arch] = self._score(session, session.forward(arch, batch), batch)

    @staticmethod
    def _score(session: Session, outputs: Tensor, batch: Batch) -> float:
        return -float(session.sample_losses(outputs.detach(), batch).mean())

    # --- one step -----------------------------------------------------------------------------------

    def step(self, session: Session, batch: Batch) -> float:
        import torch

        if session.phase.name == "teacher":
            return session.train([Draw(session.space.largest)], batch)[0]
        rng = session.rng("draws")
        self._refresh(session, batch)
        self.bank = self.walk(rng)
        terms = LABELS if self.config.teacher == "labels" else (Term("distill_teacher"),)
        values, answers = [], []
        session.zero_grad()
        for _ in range(self.config.n_random):
            arch, known = self.draw(session, rng)
            outputs = session.forward(arch, batch)
            values.append(session.backward(session.loss(terms, outputs, batch, {})))
            session.saw(arch, values[-1])
            answers.append(outputs.detach().softmax(1))
            if not known:
                self.remember(arch, self._score(session, outputs, batch))
        self._teach_smallest(session, batch, torch.stack(answers).mean(0))
        session.update()
        return float(np.mean(values))

    def _teach_smallest(self, session: Session, batch: Batch, mean: Tensor) -> None:
        """The band's smallest learns from the mean of what the others answered."""
        arch = self.minima[self.bank]
        # The logarithm of probabilities is a set of outputs whose softmax they are.
        named = {PREVIOUS: mean.clamp_min(1e-12).log()}
        outputs = session.forward(arch, batch)
        session.saw(arch, session.backward(session.loss(_FROM_OTHERS, outputs, batch, named)))

    # --- resuming -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        size = self.config.bank_size
        archs = np.zeros((len(self.banks), size, len(self.space)), np.uint8)
        scores = np.full((len(self.banks), size), np.nan)
        for index, bank in enumerate(self.banks):
            for place, (arch, score) in enumerate(bank.items()):
                archs[index, place], scores[index, place] = arch, score
        return {"bank": self.bank, "archs": archs, "scores": scores}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.bank = int(state["bank"])
        self.banks = [
            {tuple(a): s for a, s in zip(archs.tolist(), scores.tolist(), strict=True) if not np.isnan(s)}
            for archs, scores in zip(state["archs"], state["scores"], strict=True)
        ]
