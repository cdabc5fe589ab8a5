"""Two more kinds of objectives: measured on extracted subnets, or counted from their weights.

`core.evaluation.by_network` extracts the subnets and asks.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from core.objectives.base import Counted, MeasuredNumber

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Subject:
    """One extracted subnet and the samples it is measured on.

    Attributes:
        net: in eval mode, calibrated.
        inputs: what it takes.
        targets: (n,) classes.
        kept: what several objectives need of it, by name: made by the first, found by the next.
    """

    net: nn.Sequential
    inputs: Any
    targets: Tensor
    kept: dict[str, Tensor] = field(default_factory=dict)


class FromNetworks(MeasuredNumber):
    """Measured on each subnet by itself: nothing is shared with other subnets, so many of them take long.

    Attributes:
        split: whose samples.
        samples: its first ones, at most so many; splits are in stratified order.
        takes: kind of data it is defined for; any if empty.
    """

    split: ClassVar[str] = "validation"
    quick: ClassVar[bool] = False
    samples: ClassVar[int]
    takes: ClassVar[str] = ""

    @abstractmethod
    def of_network(self, subject: Subject) -> float:
        """The value of one network on some samples."""


class FromWeights(Counted):
    """Counted from the weights of the extracted subnet, stage by stage; needs no data."""

    @abstractmethod
    def of_stage(self, stage: nn.Module) -> int:
        """What one extracted stage adds to the sum."""
