"""The random control: chance decides which weights go, a criterion how many in each layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from core.config import BaseConfig
from core.networks.masks import applied, like_layers
from core.pruning.criteria.base import CRITERIA
from core.pruning.pruners.base import PRUNERS, Pruned, Pruner, PruningTask
from core.pruning.pruners.creating import METHODS
from core.pruning.retraining import settle
from core.records import Progress


@PRUNERS.register("random_like")
class RandomLike(Pruner):
    """Random weights go, as many of each layer as another criterion would take: the fair control."""

    label = "Random, same layer ratios"
    source = "control of Su et al., 'Sanity-checking pruning methods', NeurIPS 2020"
    removes = "weights"

    class Config(BaseConfig):
        """Whose layer ratios are copied."""

        like: str = Field("magnitude", description="Criterion whose layer ratios are copied.")

    def prune(self, task: PruningTask, sparsities: Sequence[float]) -> Iterator[Progress | Pruned]:
        model = METHODS.create(self.config.like)
        chance = CRITERIA.create("random_weights")
        for step in model.prune(task, sparsities):
            if isinstance(step, Progress):
                yield step
                continue
            scores = chance.scores(task.parent, list(step.masks), None, task.seed)  # type: ignore[attr-defined]
            masks = like_layers(step.masks, scores)
            net = applied(task.parent, masks)
            settle(net, task.dataset)
            yield Pruned(step.asked, net, masks)
