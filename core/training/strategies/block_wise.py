"""Block-wise distillation: each block of the supernet learns to make what the same block of a teacher makes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.spaces import Arch, SearchSpace
from core.training.draws import Draw, Phase, Term
from core.training.strategies.base import STRATEGIES, Effort, Strategy

if TYPE_CHECKING:
    from core.tasks.base import Batch
    from core.training.session import Session

_LARGEST, _HEAD = "largest network", "head"
_IMITATE = (Term("feature", 1.0, {"teacher": "teacher"}),)
_TRIES = 20
"""Draws in search of a subnet that has weights in the block, before the largest is taken."""


class Config(BaseConfig):
    """Settings of block-wise distillation."""

    blocks: int = Field(3, ge=1, le=8, description="Blocks that are trained one after another.")
    teacher_share: float = Field(
        0.4, gt=0, le=0.7, description="Share of the epochs that train the largest network, the teacher."
    )
    head_share: float = Field(
        0.2, gt=0, le=0.25, description="Share of the epochs at the end that learn from labels."
    )
    labels: Literal["head", "all"] = Field(
        "head",
        title="Labels teach",
        description="What learns from the labels at the end: the head alone, or every weight.",
    )
    draws: int = Field(2, ge=1, le=16, description="Subnets per step; their gradients add up.")


@STRATEGIES.register("block_wise")
class BlockWise(Strategy):
    """Trains the largest network; then, block by block, subnets learn its features, and at the end the head labels.

    Where a subnet is narrower, it gets the first of the teacher's channels and imitates the first ones: no projection is
    learned. No gradient leaves a block, and all other blocks stay as they are. The head learns from labels at the end.

    What a subnet's accuracy then says is how well its blocks fit together that were never run together: it orders
    subnets, and lies below what other methods reach, most of all for narrow ones.
    """

    label = "Block-wise distillation"
    source = (
        "Inspired by Li et al., DNA, CVPR 2020 (here the teacher is the supernet's own largest network, and blocks have "
        "elastic widths)"
    )
    Config = Config
    needs_ends = True
    needs_one_size = True

    def phases(self, space: SearchSpace) -> list[Phase]:
        n, first, last = self.config.blocks, self.config.teacher_share, self.config.head_share
        blocks = [
            Phase(f"block {i + 1}", (1 - first - last) / n, actions=("freeze_teacher",) * (i == 0))
            for i in range(n)
        ]
        return [Phase(_LARGEST, first), *blocks, Phase(_HEAD, last)]

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        """A pass through one block counts as its part of one."""
        if phase.name == _LARGEST:
            return 1.0
        return self.config.draws / (1 if phase.name == _HEAD else self.config.blocks)

    def effort(self, space: SearchSpace, phase: Phase) -> Effort:
        passes = self.passes(space, phase)
        if phase.name == _LARGEST or (phase.name == _HEAD and self.config.labels == "all"):
            return Effort(passes)
        if phase.name == _HEAD:  # what lies before the head has no gradient
            return Effort(0.0, looks=passes)
        # The teacher runs as far as the end of the block.
        return Effort(passes, looks=int(phase.name.split()[1]) / self.config.blocks)

    def start(self, session: Session) -> None:
        from core.training.blocks import blocks_of, flows, narrowed, shapes_of

        space = session.space
        self.blocks = blocks_of(session.net, self.config.blocks, space.largest)
        self._shapes: dict[Hashable, list[tuple[int, ...]]] = {}
        # Whether blocks fit together is known before anything is trained.
        wide, narrow = (
            flows(session, arch, self.blocks[-1].stop) for arch in (space.largest, space.smallest)
        )
        for block in self.blocks:
            narrowed(wide[block.stop - 1], shapes_of(narrow[block.stop - 1]))

    def step(self, session: Session, batch: Batch) -> float:
        from core.training.blocks import train_head

        if session.phase.name == _LARGEST:
            return session.train([Draw(session.space.largest)], batch)[0]
        if session.phase.name == _HEAD:
            rng = session.rng("draws")
            drawn = [session.phase.sample(session.space, rng) for _ in range(self.config.draws)]
            if self.config.labels == "all":
                return float(np.mean(session.train([Draw(arch) for arch in drawn], batch)))
            return train_head(session, batch, drawn)
        return self._imitate(session, batch, self.blocks[int(session.phase.name.split()[1]) - 1])

    def _imitate(self, session: Session, batch: Batch, block: range) -> float:
        """One step of one block."""
        import torch

        from core.networks.trees import leaves

        assert session.teacher is not None
        with torch.no_grad():
            made = session.teacher.activations(batch.inputs, session.space.largest, stages=range(block.stop))
        enters = made[block.start - 1] if block.start else batch.inputs
        wanted = batch.counted(leaves(made[-1])[0])
        session.zero_grad()
        rng, total = session.rng("draws"), 0.0
        for _ in range(self.config.draws):
            for attempt in range(_TRIES):
                last = attempt == _TRIES - 1
                arch = session.space.largest if last else session.phase.sample(session.space, rng)
                given = leaves(self._block(session, arch, enters, block))[0]
                if given.requires_grad:
                    break
            given = batch.counted(given)
            loss = session.loss(
                _IMITATE, given, batch, {"teacher": wanted}, inside=[given], insides={"teacher": [wanted]}
            )
            value = session.backward(loss)
            session.saw(arch, value)
            session.passes += 1 / len(self.blocks)
            total += value
        session.update()
        return total / self.config.draws

    def _block(self, session: Session, arch: Arch, enters: Any, block: range) -> Any:
        """What a subnet's block makes of the teacher's features, as many of their channels as it takes."""
        from core.training.blocks import narrowed, through

        if block.start:
            enters = narrowed(enters, self._entering(session, arch, block.start))
        return through(session, arch, enters, block)

    def _entering(self, session: Session, arch: Arch, before: int) -> list[tuple[int, ...]]:
        """Shapes, without rows, of what flows after so many stages of the subnet itself."""
        from core.training.blocks import flows, shapes_of

        key = tuple(stage.key(arch) for stage in session.net.chain[:before])
        if key not in self._shapes:
            self._shapes[key] = shapes_of(flows(session, arch, before)[-1])
        return self._shapes[key]
