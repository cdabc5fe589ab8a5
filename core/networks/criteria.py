"""The criterion contract: a score for every weight, or for every unit; larger stays longer.

A criterion only scores. How many go is decided by an allocator, how often by a schedule, what is left by
masks or surgery, so each method is a combination of parts; and the order of a supernet's units may follow
one (`core.supernets.ordering`), which is why the contract stands here and the criteria in `core.pruning`.
Nothing of the network is changed: gradients are taken on a copy. Called from workers and tests, in any
thread; no state is kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from core.config import Plugin
from core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.networks.groups import UnitGroup
    from core.tasks.base import Batch

CRITERIA: Registry[Criterion] = Registry("criterion", "core.pruning.criteria", "CRITERIA")


class Criterion(Plugin, ABC):
    """What all criteria share.

    Attributes:
        needs_data: whether a batch must be given.
        iterative: whether scores are meant to be taken again after every round of pruning.
    """

    needs_data: ClassVar[bool] = False
    iterative: ClassVar[bool] = False


class WeightCriterion(Criterion):
    """Scores single weights."""

    @abstractmethod
    def scores(
        self, net: nn.Sequential, names: Sequence[str], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        """Parameter name -> scores of its shape, float64, for each of `names`.

        Weights that a mask has set to zero take part as they are.

        Raises:
            InvalidInput: data are needed and missing, or the network is of a kind the criterion cannot judge.
        """


class UnitCriterion(Criterion):
    """Scores whole units."""

    @abstractmethod
    def scores(
        self, net: nn.Sequential, groups: Sequence[UnitGroup], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        """Group name -> (size,) scores, float64.

        Raises:
            InvalidInput: data are needed and missing, or a group has nothing that the criterion looks at.
        """
