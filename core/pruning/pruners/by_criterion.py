"""Every criterion as a pruner: scores, then an allocation, once or in rounds.

Not registered: the registry of criteria is its list, so that a new criterion is a new method by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, create_model
from torch import Tensor, nn

from core.config import BaseConfig
from core.errors import InvalidInput
from core.networks.cut import masked, removable_groups, unit_masks
from core.networks.masks import Masks, allocate, applied, iterative
from core.pruning.criteria.base import (
    CRITERIA,
    Criterion,
    UnitCriterion,
    WeightCriterion,
    prunable_weights,
)
from core.pruning.judging import judging_batch
from core.pruning.pruners.base import Pruned, Pruner, PruningTask
from core.pruning.retraining import settle
from core.pruning.unit_allocation import keep_units
from core.records import Progress
from core.tasks.base import Batch


class CriterionSettings(BaseConfig):
    """How a criterion's scores become a pruned network."""

    allocation: Literal["global", "layer"] = Field(
        "global", description="Compare all layers with each other, or take the same share of each."
    )
    rounds: int = Field(
        1, ge=1, le=500, description="Score again after each round of pruning (single weights only)."
    )


class ByCriterion(Pruner):
    """Removes what one criterion scores lowest."""

    criterion: Criterion

    def prune(self, task: PruningTask, sparsities: Sequence[float]) -> Iterator[Progress | Pruned]:
        batch = judging_batch(task) if self.criterion.needs_data else None
        if isinstance(self.criterion, UnitCriterion):
            yield from self._units(self.criterion, task, sparsities, batch)
        else:
            assert isinstance(self.criterion, WeightCriterion)
            yield from self._weights(self.criterion, task, sparsities, batch)

    def _weights(
        self, criterion: WeightCriterion, task: PruningTask, sparsities: Sequence[float], batch: Batch | None
    ) -> Iterator[Progress | Pruned]:
        names = prunable_weights(task.parent)

        def score(net: nn.Sequential) -> Mapping[str, Tensor]:
            return criterion.scores(net, names, batch, task.seed)

        once = score(task.parent) if self.config.rounds == 1 else None
        for sparsity in sparsities:
            masks: Masks = {}
            if once is not None:
                masks = allocate(once, sparsity, self.config.allocation)
            else:
                rounds = iterative(task.parent, score, sparsity, self.config.rounds, self.config.allocation)
                for done, found in enumerate(rounds, 1):
                    masks = found
                    yield Progress(done / self.config.rounds, f"round {done} of {self.config.rounds}")
            net = applied(task.parent, masks)
            settle(net, task.dataset)
            yield Pruned(sparsity, net, masks, note=_emptied(masks))

    def _units(
        self, criterion: UnitCriterion, task: PruningTask, sparsities: Sequence[float], batch: Batch | None
    ) -> Iterator[Progress | Pruned]:
        if self.config.rounds > 1:
            raise InvalidInput(f"{self.label} scores units once; set the number of rounds to 1.")
        groups = removable_groups(task.parent)
        scores = criterion.scores(task.parent, groups, batch, task.seed)
        for sparsity in sparsities:
            kept = keep_units(task.parent, groups, scores, sparsity, self.config.allocation)
            net = masked(task.parent, kept)
            settle(net, task.dataset)
            yield Pruned(sparsity, net, unit_masks(task.parent, kept), kept)


def by_criterion(name: str) -> type[Pruner]:
    """The pruner class of a criterion; its settings are the criterion's own and those of the allocation.

    Raises:
        NotFound: there is no such criterion.
    """
    plugin = CRITERIA.get(name)
    # Iterated, SynFlow empties no layer; in one round it loses just that (the card's number is 100).
    extra: dict[str, Any] = (
        {
            "rounds": (
                int,
                Field(100, ge=1, le=500, description=CriterionSettings.model_fields["rounds"].description),
            )
        }
        if plugin.iterative
        else {}
    )
    config = create_model("Config", __base__=(CriterionSettings, plugin.Config), **extra)

    def start(self: ByCriterion, given: BaseConfig | None = None) -> None:
        Pruner.__init__(self, given)
        own = self.config.model_dump(include=set(plugin.Config.model_fields))
        self.criterion = CRITERIA.create(name, own)

    about = {
        "name": name,
        "label": plugin.label,
        "source": plugin.source,
        "Config": config,
        "__init__": start,
        "__doc__": plugin.__doc__,
        "removes": "units" if issubclass(plugin, UnitCriterion) else "weights",
    }
    return type(plugin.__name__, (ByCriterion,), about)


def _emptied(masks: Mapping[str, Tensor]) -> str:
    empty = [name.removesuffix(".weight") for name, mask in masks.items() if not mask.any()]
    return f"Nothing is left of {', '.join(empty)}: no signal passes there." if empty else ""
