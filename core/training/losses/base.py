"""The loss contract: a number to minimize, from the outputs of one subnet on one batch.

A strategy names the losses of each of its draws and their weights; the session runs the subnet, hands
its outputs to each loss with what else the loss asked for (`needs`), and adds up. A teacher's outputs
come detached: it must not learn to be easy to imitate. Torch is imported by the losses alone, so
strategies can be listed and set up without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from core.config import BaseConfig, Plugin
from core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from core.supernets.attention import Attention
    from core.tasks.base import Mixed, Task

LOSSES: Registry[Loss] = Registry("loss", "core.training.losses", "LOSSES")

LARGEST, TEACHER, PREVIOUS = "largest", "teacher", "previous"


@dataclass(frozen=True)
class LossContext:
    """What a loss may look at besides the outputs and their targets.

    Attributes:
        task: the kind of data; it knows the loss of outputs against targets.
        smoothing: label smoothing of the whole training.
        outputs: (n, k) detached outputs for the same batch, by name: "largest" and "previous" are earlier
            draws of this step, "teacher" is the frozen network. Exactly what the losses of a draw need.
        mixed: the samples' partners where samples are mixed (mixup).
        inside: activations (n, ...) of the learner after every stage but the last, a stage that it does not
            have passing on its input; for losses that look inside alone.
        insides: the same of the named others, detached.
        attention: queries, keys and values of the learner's last layer with self-attention; for losses that look at
            attention alone.
        attentions: the same of the named others, detached.
    """

    task: Task
    smoothing: float
    outputs: Mapping[str, Tensor]
    mixed: Mixed | None = None
    inside: Sequence[Tensor] = ()
    insides: Mapping[str, Sequence[Tensor]] = field(default_factory=dict)
    attention: Attention | None = None
    attentions: Mapping[str, Attention] = field(default_factory=dict)


class Loss(Plugin, ABC):
    """One loss.

    Attributes:
        looks_inside: it compares activations, its learner's and those of what it needs.
        looks_at_attention: it compares what their last self-attention is made from.
        shareable: it is a mean over samples, so that means over shares of a batch, weighed by their samples, add up to
            it; what compares samples with each other or divides by something of the whole batch is not.
    """

    looks_inside: ClassVar[bool] = False
    looks_at_attention: ClassVar[bool] = False
    shareable: ClassVar[bool] = True

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the other outputs it looks at."""
        return ()

    @abstractmethod
    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        """The mean loss, a scalar with a gradient, of (n, k) outputs against (n,) targets."""


class Imitation(BaseConfig):
    """Settings of what imitates another network of the step."""

    teacher: Literal["largest", "teacher", "previous"] = Field(
        "largest",
        description="Who is imitated: the largest subnet, the frozen teacher, the draw before.",
    )


class Imitating(Loss):
    """A loss that imitates the network its settings name; Config has a `teacher`, or the class does."""

    @property
    def teacher(self) -> str:
        """Name of the outputs that are imitated."""
        return str(self.config.teacher)

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.teacher,)
