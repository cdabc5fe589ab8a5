"""Adversarial training: subnets learn from images that were made to fool them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.spaces import Arch, SearchSpace
from core.training.draws import LABELS, Phase
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.base import Batch
    from core.training.session import Session


class Config(BaseConfig):
    """Settings of adversarial training."""

    eps: float = Field(0.1, gt=0, le=1, description="Largest change of a pixel, as a share of its range.")
    steps: int = Field(
        3, ge=1, le=50, description="Steps of the attack, each a pass forward and back (RobNets: 7)."
    )
    step_size: float | None = Field(
        None, gt=0, le=1, description="Size of a step of the attack; 2.5 eps / steps if left out."
    )
    subnets: Literal["random", "sandwich"] = Field(
        "random",
        description="Subnets per step: a random one, or the largest, the smallest and a random one, each attacked by itself.",
    )


@STRATEGIES.register("adversarial")
class Adversarial(Strategy):
    """A random subnet per step learns from its own adversarial images: PGD within a ball around each training image.

    The images are made against the subnet with the BatchNorm statistics of the clean batch, so that one image's attack
    does not depend on the others; then the subnet learns from them as from any batch.
    """

    label = "Adversarial training"
    source = "Guo et al., When NAS meets robustness (RobNets), CVPR 2020 (fewer attack steps); PGD of Madry et al., ICLR 2018"
    Config = Config

    def check(self, space: SearchSpace) -> None:
        super().check(space)
        if self.config.subnets == "sandwich" and space.ends is None:
            raise InvalidInput(
                f"{self.label} of the sandwich trains the smallest and the largest architecture, and this space has "
                "none. Choose random subnets, or another strategy."
            )

    def start(self, session: Session) -> None:
        if session.task.name != "image":
            raise InvalidInput(
                f"{self.label} changes pixels, and this supernet takes {session.task.samples} of another kind. "
                "Choose another strategy."
            )

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return (self.config.steps + 1) * (1 if self.config.subnets == "random" else 3)

    def archs(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Arch]:
        """The subnets of one step."""
        drawn = phase.sample(space, rng)
        return [drawn] if self.config.subnets == "random" else [space.largest, space.smallest, drawn]

    def step(self, session: Session, batch: Batch) -> float:
        session.zero_grad()
        values = []
        for arch in self.archs(session.space, session.phase, session.rng("draws")):
            attacked = self.attacked(session, arch, batch)
            taken = session.passes
            outputs = session.forward(arch, attacked)
            # Each step of the attack went forward and back over the same batch.
            session.passes += self.config.steps * (session.passes - taken)
            values.append(session.backward(session.loss(LABELS, outputs, attacked, {})))
            session.saw(arch, values[-1])
        session.update()
        return values[0]

    def attacked(self, session: Session, arch: Sequence[int], batch: Batch) -> Batch:
        """The batch with every image moved within its ball so that this subnet's loss on it is not lower than before."""
        import torch

        from core.attacks.steps import project, step
        from core.supernets.statistics import Statistics

        eps, steps = self.config.eps, self.config.steps
        size = 2.5 * eps / steps if self.config.step_size is None else self.config.step_size
        clean, statistics = batch.inputs, Statistics(recording=True)

        def net(images: Tensor) -> Any:
            return session.net(images, arch, statistics)

        def losses(images: Tensor) -> Tensor:
            with torch.no_grad():
                return session.task.losses(net(images), batch.targets)

        before = losses(clean)
        statistics.recording = False
        rng = session.rng("attack", *map(str, arch))
        start = torch.from_numpy(rng.uniform(-eps, eps, tuple(clean.shape)).astype(np.float32))
        found = project(clean + start.to(clean.device), clean, eps)
        for _ in range(steps):
            found = step(net, found, clean, batch.targets, size=size, eps=eps)
        worse = losses(found) >= before
        return replace(batch, inputs=torch.where(worse[:, None, None, None], found, clean))
