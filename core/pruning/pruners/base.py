"""The pruner contract: from a trained network to pruned ones, one per sparsity asked for.

A pruner works in steps and yields: `Progress` while it works, a `Pruned` for each sparsity, from the lowest
to the highest. It never changes the parent. Called from workers and tests, in any thread; no state is kept.
Every criterion is a pruner too, see `by_criterion`.

The one sparsity that all methods are compared by is the share of the parent's convolution and linear weights
that are gone, whether cut out or held at zero.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from core.config import Plugin
from core.pruning.criteria.base import prunable_weights
from core.records import Progress
from core.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from core.datasets.base import Dataset
    from core.networks.cut import Kept
    from core.networks.masks import Masks
    from core.training.config import TrainingConfig

PRUNERS: Registry[Pruner] = Registry("pruner", "core.pruning.pruners", "PRUNERS")
Removes = Literal["weights", "units", "blocks"]


@dataclass(frozen=True, eq=False)
class PruningTask:
    """What a pruner works on.

    Attributes:
        parent: the trained network, plain blocks, eval mode; never changed.
        dataset: what it was trained on; pruners see its training and calibration samples only.
        training: how the parent was trained, for pruners that train from scratch.
        seed: of all chance.
    """

    parent: nn.Sequential
    dataset: Dataset
    training: TrainingConfig
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Pruned:
    """One pruned network.

    Attributes:
        asked: the sparsity asked for.
        net: removed entries are exactly zero; eval mode, no gradients. Of the parent's shape, unless blocks
            were removed.
        masks: parameter -> boolean tensor, True where the weight stays; what fine-tuning holds. For units, all
            their entries.
        kept: group -> units that stay, for surgery; empty where no units were removed.
        trained: whether it has been trained as it is, so that it is not fine-tuned.
        note: what a person should know, "" for nothing.
    """

    asked: float
    net: nn.Sequential
    masks: Masks = field(default_factory=dict)
    kept: Kept = field(default_factory=dict)
    trained: bool = False
    note: str = ""

    def compact(self) -> nn.Sequential:
        """The network after surgery; `net` itself where there is nothing to cut out."""
        from core.networks.cut import compact

        return compact(self.net, self.kept) if self.kept else self.net


class Pruner(Plugin, ABC):
    """Turns a trained network into pruned ones.

    Attributes:
        removes: what it takes away; "units" and "blocks" make the network really smaller.
    """

    removes: ClassVar[Removes]

    @abstractmethod
    def prune(self, task: PruningTask, sparsities: Sequence[float]) -> Iterator[Progress | Pruned]:
        """One `Pruned` per sparsity, in ascending order.

        Args:
            task: see there.
            sparsities: distinct, ascending, each 0 or more and less than 1.

        Raises:
            InvalidInput: the method cannot prune this network, and why.
            CoreError: training diverged.
        """


def weight_count(net: nn.Module) -> int:
    """Convolution and linear weights of a network, biases and norms left out."""
    parameters = dict(net.named_parameters())
    return sum(parameters[name].numel() for name in prunable_weights(net))


def sparsity_of(pruned: Pruned, parent: nn.Module) -> float:
    """Share of the parent's weights that are gone, cut out or masked."""
    net = pruned.compact()
    left = weight_count(net)
    if not pruned.kept:
        names = set(prunable_weights(net))
        left -= sum(int((~mask).sum()) for name, mask in pruned.masks.items() if name in names)
    return 1 - left / weight_count(parent)
