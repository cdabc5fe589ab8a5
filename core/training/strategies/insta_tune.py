"""InstaTune: a network that was trained before becomes a supernet while it is fine-tuned."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.networks.criteria import CRITERIA
from core.spaces import SearchSpace
from core.training.draws import Draw, Phase, Term
from core.training.strategies.base import STRATEGIES, Strategy


class Config(BaseConfig):
    """Settings of InstaTune."""

    order: bool = Field(
        True,
        description="First put hidden units, heads and entries of the width into an order, where the family lets them change places.",
    )
    criterion: str = Field(
        "taylor",
        description="What says how much a unit matters; random_units is the control that an order by importance must beat.",
        json_schema_extra={"registry": "criterion"},
    )
    n_random: int = Field(1, ge=0, le=16, description="Random subnets per step, beside the full network.")
    smallest: bool = Field(
        True,
        description="Also the smallest subnet in each step, as the sandwich rule does; without it, the full network and random ones alone.",
    )
    teacher: Literal["unchanged", "full"] = Field(
        "unchanged",
        description="Whom subnets imitate: the network as it was given, or the full network as it is now (where the given one does not know the task yet).",
    )
    labels: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the labels in what a subnet learns from; the rest is imitation.",
    )
    temperature: float = Field(1.0, gt=0, le=100, description="Softens the answers that are imitated.")

    @field_validator("criterion")
    @classmethod
    def _exists(cls, name: str) -> str:
        return CRITERIA.info(name).name


@STRATEGIES.register("insta_tune")
class InstaTune(Strategy):
    """Fine-tunes a given network on the task and, in each step, a small and a random subnet that learn from it as it was.

    Start it from a supernet that holds the given network (its largest subnet): before the first step it computes what the
    given one does. Units are ordered by importance first, because subnets are prefixes.
    """

    label = "InstaTune"
    source = (
        "Sarah et al., InstaTune, 2023 (weights of labels and imitation are ours; subnets imitate the unchanged network, "
        "and the smallest is drawn in each step; units sorted first as in DynaBERT, Hou et al., 2020)"
    )
    Config = Config
    needs_ends = True
    suggests: ClassVar[Settings] = {"optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.01}
    shareable = True

    def check_new_classifier(self) -> None:
        if self.config.teacher == "unchanged" and self.config.labels < 1:
            raise InvalidInput(
                "The data have other classes than the network, so its classifier is drawn anew, and what it answers before "
                "it is trained is nothing to imitate. Set teacher to full."
            )

    def phases(self, space: SearchSpace) -> list[Phase]:
        actions = ("freeze_teacher", "order_units") if self.config.order else ("freeze_teacher",)
        return [Phase("tuning", actions=actions)]

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        losses = self._losses()
        others = [space.smallest] if self.config.smallest else []
        others += [phase.sample(space, rng) for _ in range(self.config.n_random)]
        return [Draw(space.largest), *(Draw(arch, losses) for arch in others)]

    def _losses(self) -> tuple[Term, ...]:
        labels, config = self.config.labels, self.config
        imitated: dict[str, Any] = {
            "teacher": "teacher" if config.teacher == "unchanged" else "largest",
            "temperature": config.temperature,
        }
        terms = (Term("labels", labels), Term("kl", 1 - labels, imitated))
        return tuple(term for term in terms if term.weight)
