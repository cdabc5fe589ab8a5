"""Few-shot supernets: one is trained first, then split where its options disagree about shared weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.device import beside
from core.errors import InvalidInput
from core.seeding import torch_drawing
from core.spaces import SearchSpace
from core.supernets.parts import SplitConfig
from core.training.actions import action
from core.training.draws import Draw, Phase
from core.training.strategies.base import STRATEGIES, Effort, Strategy

if TYPE_CHECKING:
    from torch import Tensor

    from core.supernets.base import Supernet
    from core.tasks.base import Batch
    from core.training.session import Session

_MOST_OPTIONS = 12


class Config(BaseConfig):
    """Settings of few-shot training."""

    levels: int = Field(
        2, ge=1, le=4, description="How often every part is split in two; 2 make four parts in the end."
    )
    repeats: int = Field(
        20,
        ge=2,
        le=200,
        description="Architectures by which the options of a choice are compared; each takes a pass per option, beside those of steps.",
    )
    samples: int = Field(64, ge=8, le=4096, description="Training samples of each comparison.")
    restart: Literal["final", "none"] = Field(
        "final",
        description="Whether the last parts start from fresh weights (final), as the authors do, or go on from those of the supernet they came from (none).",
    )


@STRATEGIES.register("few_shot")
class FewShot(Strategy):
    """Trains one supernet, then splits it into parts with weights of their own where gradients disagree most.

    In a split supernet each step trains one random subnet of every part, so a step costs as many passes as there are
    parts. Comparing gradients takes passes beside those of steps.
    """

    label = "Few-shot by gradient matching"
    source = "Hu et al., Generalizing Few-Shot NAS with Gradient Matching, ICLR 2022 (groups of any size; only choices that every architecture makes; the learning rate begins anew after a split)"
    Config = Config

    def phases(self, space: SearchSpace) -> list[Phase]:
        levels = min(self.config.levels, len(splittable(space)))
        if not levels:
            return [Phase("whole")]
        share = 1 / (levels + 2)
        named = [Phase("whole", share)]
        for level in range(1, levels + 1):
            last = 2 * share if level == levels else share
            named.append(Phase(f"{2**level} parts", last, actions=("split_by_gradients",)))
        return named

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return float(2 ** [p.name for p in self.phases(space)].index(phase.name))

    def samples_at_start(self, space: SearchSpace, phase: Phase) -> float:
        passes = self.passes(space, phase)
        if passes == 1:
            return 0.0
        # Of every part there was: each option of each choice that it is not split by yet, with a gradient.
        named, level = splittable(space), round(math.log2(passes)) - 1
        options = sum(len(space.choices[space.position[name]].options) for name in named)
        compared = options * (len(named) - level) / len(named)
        return float(passes / 2 * compared * self.config.repeats * self.config.samples)

    def effort(self, space: SearchSpace, phase: Phase) -> Effort:
        samples = self.config.samples
        begins = 3 * self.samples_at_start(space, phase) / samples
        return Effort(self.passes(space, phase), begins=begins, samples=samples)

    def start(self, session: Session) -> None:
        from core.supernets.few_shot import parts_of, require_splittable

        require_splittable(session.net)
        if len(parts_of(session.net)) > 1:
            raise InvalidInput(
                f"{self.label} starts from a whole supernet, and this one is in parts already. Choose another strategy."
            )

    def step(self, session: Session, batch: Batch) -> float:
        from core.supernets.few_shot import parts_of

        rng = session.rng("draws")
        archs = [Phase("part", unlocked=own).sample(session.space, rng) for own in parts_of(session.net)]
        return float(np.mean(session.train([Draw(arch) for arch in archs], batch)))


def splittable(space: SearchSpace) -> list[str]:
    """Choices that a supernet may be split by: every architecture makes them, and all ways to divide them can be compared."""
    return [c.name for c in space.choices if c.requires is None and 2 <= len(c.options) <= _MOST_OPTIONS]


@action("split_by_gradients")
def split_by_gradients(session: Session) -> None:
    """Split every part by the choice whose options disagree most; weights and momentum go on, or start anew."""
    from core.supernets.few_shot import came_from, parts_of, split

    strategy = session.strategy
    assert isinstance(strategy, FewShot)
    settings: Config = strategy.config
    found = [best_split(session, part, settings) for part in range(len(parts_of(session.net)))]
    made = split(session.net, found)
    if settings.restart == "final" and session.phase.name == strategy.phases(session.space)[-1].name:
        session.replace(_fresh(session, made))
    else:
        session.replace(made, came_from(made, session.net))


def best_split(session: Session, part: int, settings: Config) -> SplitConfig:
    """The split of a part with the most disagreement across, over all choices that were not split for it yet."""
    from core.supernets.few_shot import parts_of
    from core.training.gradient_matching import partition

    own = parts_of(session.net)[part]
    names = [name for name in splittable(session.space) if name not in own]
    ways = [(name, *partition(disagreement(session, part, name, settings))) for name in names]
    name, groups, _ = max(ways, key=lambda way: way[2])
    return SplitConfig(part=part, choice=name, groups=groups)


def disagreement(session: Session, part: int, name: str, settings: Config) -> NDArray[np.float64]:
    """(options, options) how far the options of a choice pull a part's shared weights apart.

    Each is compared on random training samples, as they are, in random architectures of the part.

    Args:
        session: of the training; weights and optimizers stay as they are.
        part: of its supernet.
        name: of the choice.
        settings: how much is looked at.
    """
    import torch

    from core.supernets.few_shot import parts_of, weights_of
    from core.training.gradient_matching import distances

    space, train = session.space, session.dataset.train
    at, own = space.position[name], parts_of(session.net)[part]
    weights = weights_of(session.net, part)

    def gradient(repeat: int, option: int) -> Tensor:
        rng = session.rng("split", str(part), name, str(repeat))
        rest = Phase("part", unlocked=own).sample(space, rng)
        rows = np.sort(rng.permutation(len(train))[: settings.samples])
        batch = beside(session.net, session.task.batch(session.dataset, train.rows(rows)))
        arch = space.canonical([*rest[:at], option, *rest[at + 1 :]])
        # Without the noise of a step: it would differ from option to option.
        outputs = batch.counted(session.net(batch.inputs, arch))
        session.ran(len(batch))
        loss = session.sample_losses(outputs, batch).mean()
        found = torch.autograd.grad(loss, weights, allow_unused=True)
        flat = [
            w.new_zeros(w.numel()) if g is None else g.flatten() for w, g in zip(weights, found, strict=True)
        ]
        return torch.cat(flat)

    count = sum(weight.numel() for weight in weights)
    return distances(gradient, space.cardinalities[at], repeats=settings.repeats, weights=count)


def _fresh(session: Session, made: Supernet) -> Supernet:
    """A supernet of the same structure with fresh weights, by the training's seed."""

    from core.supernets.files import described, rebuilt

    with torch_drawing(session.seed, "weights", made.name, session.epoch):
        return rebuilt(described(made))
