"""AutoDistil: sub-spaces by size, each a supernet that learns attention from a given network, and no label."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.spaces import Arch, SearchSpace
from core.training.draws import Draw, Phase, Term
from core.training.strategies.base import STRATEGIES, Effort, Strategy

if TYPE_CHECKING:
    from core.supernets.base import Supernet
    from core.tasks.base import Batch
    from core.training.session import Session

SUB_SPACE = "sub_space"
"""Kind of the choice that says in which sub-space an architecture lies (`core.supernets.sub_spaces`)."""
_HEAD = "head"


class Config(BaseConfig):
    """Settings of AutoDistil."""

    parts: int = Field(
        3,
        ge=1,
        le=8,
        description="Sub-spaces by size that a supernet is divided into; none overlaps another in parameters.",
    )
    n_random: int = Field(
        2,
        ge=0,
        le=16,
        description="Random subnets per sub-space and step, beside its largest and its smallest.",
    )
    relation_heads: int = Field(
        4,
        ge=1,
        le=128,
        description="Heads that entries are divided into where relations are compared; fixed.",
    )
    order: bool = Field(
        True, description="First put units into an order, so that the sub-spaces start from the best of them."
    )
    criterion: Literal["l2_filters", "magnitude", "random_units"] = Field(
        "l2_filters",
        description="What says how much a unit matters; none that looks at labels. random_units is the control.",
    )
    head_share: float = Field(
        0.2,
        ge=0,
        le=0.9,
        description="Share of the epochs at the end in which the heads, and nothing else, learn from labels. Without them accuracies say nothing of the encoder.",
    )


@STRATEGIES.register("auto_distil")
class AutoDistil(Strategy):
    """Divides a given network's space by size; in each sub-space subnets learn its attention relations, without labels.

    The encoder is for any task: no label enters. It therefore has no head for one, and the accuracies measured are those
    with heads that learned from labels at the end, over an encoder that stays as it is; a head is shared by the subnets
    of a sub-space. Start it from a supernet that holds the given network: its largest subnet is the teacher.
    """

    label = "AutoDistil"
    source = (
        "Xu et al., AutoDistil, NeurIPS 2022 (sub-spaces found by parameters; all trained in the same steps; heads tuned "
        "for a sub-space at once, not for each pick)"
    )
    Config = Config
    needs_ends = True
    suggests: ClassVar[Settings] = {"optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.01}

    def supernet_for(self, net: Supernet) -> Supernet:
        from core.supernets.sub_spaces import divided

        if net.space.choices[0].kind == SUB_SPACE:
            return net
        _require_attention(net)
        return divided(net, self.config.parts)

    def phases(self, space: SearchSpace) -> list[Phase]:
        actions = ("freeze_teacher", "order_units") if self.config.order else ("freeze_teacher",)
        share = self.config.head_share
        relations = Phase("relations", 1 - share, actions=actions)
        return [relations, Phase(_HEAD, share)] if share else [relations]

    def start(self, session: Session) -> None:
        _require_attention(session.net)

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        losses = (Term("attention_relations", 1.0, {"heads": self.config.relation_heads}),)
        drawn = []
        for part in parts_of(space):
            archs = [largest_of(space, part), smallest_of(space, part)]
            inside = Phase(phase.name, unlocked=_inside(space, part))
            archs += [inside.sample(space, rng) for _ in range(self.config.n_random)]
            drawn += [Draw(arch, losses) for arch in archs]
        return drawn

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return float(len(parts_of(space)) * (2 + self.config.n_random))

    def effort(self, space: SearchSpace, phase: Phase) -> Effort:
        passes = self.passes(space, phase)
        # What lies before the head has no gradient; relations are compared with the teacher's.
        return Effort(0.0, looks=passes) if phase.name == _HEAD else Effort(passes, looks=1.0)

    def step(self, session: Session, batch: Batch) -> float:
        from core.training.blocks import train_head

        draws = self.draws(session.space, session.phase, session.rng("draws"))
        if session.phase.name == _HEAD:
            return train_head(session, batch, [draw.arch for draw in draws])
        return float(np.mean(session.train(draws, batch)))


def parts_of(space: SearchSpace) -> range:
    """Numbers of the sub-spaces, from 0; one where a space is not divided."""
    first = space.choices[0]
    return range(len(first.options)) if first.kind == SUB_SPACE else range(1)


def largest_of(space: SearchSpace, part: int) -> Arch:
    """The largest architecture of a sub-space."""
    return _extreme(space, part, 1)


def smallest_of(space: SearchSpace, part: int) -> Arch:
    """The smallest one."""
    return _extreme(space, part, 0)


def _extreme(space: SearchSpace, part: int, end: int) -> Arch:
    options = [(choice.extremes or (0, 0))[end] for choice in space.choices]
    if _inside(space, part):
        options[0] = part
    return space.canonical(options)


def _inside(space: SearchSpace, part: int) -> dict[str, tuple[int, ...]]:
    """What may be drawn of a sub-space."""
    first = space.choices[0]
    return {first.name: (part,)} if first.kind == SUB_SPACE else {}


def _require_attention(net: Supernet) -> None:
    if not any(stage.attends for stage in net.chain):
        raise InvalidInput(
            f"AutoDistil compares self-attention, and the family {net.label} has none. Choose another strategy."
        )
