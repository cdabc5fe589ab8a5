"""Feature merging as a pruner: units that do nearly the same become one, until enough weights are gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from core.errors import InvalidInput
from core.networks.calibration import remeasure
from core.networks.trees import as_tensors
from core.pruning.feature_merging import merge_features, mergeable_groups
from core.pruning.pruners.base import PRUNERS, Pruned, Pruner, PruningTask, weight_count
from core.records import Progress
from core.words import format_share

_HALVINGS = 16


@PRUNERS.register("feature_merging")
class FeatureMerging(Pruner):
    """Joins the most similar units of each layer; needs no data and no training."""

    label = "Iterative feature merging"
    source = "Chen et al., 'Going beyond neural network feature similarity', ICLR 2024"
    removes = "units"

    def prune(self, task: PruningTask, sparsities: Sequence[float]) -> Iterator[Progress | Pruned]:
        if not mergeable_groups(task.parent):
            raise InvalidInput(
                "No units of this network can be joined: that needs a ReLU right behind a convolution with "
                "its BatchNorm."
            )
        total = weight_count(task.parent)
        for sparsity in sparsities:
            # beta at 1 joins whatever the largest share of a group allows.
            low, high = 0.0, 1.0
            net = merge_features(task.parent, high).net
            if 1 - weight_count(net) / total > sparsity:
                for done in range(_HALVINGS):
                    yield Progress(
                        done / _HALVINGS,
                        f"joining units until {format_share(sparsity)} of the weights are gone",
                    )
                    middle = (low + high) / 2
                    made = merge_features(task.parent, middle).net
                    if 1 - weight_count(made) / total >= sparsity:
                        net, high = made, middle
                    else:
                        low = middle
            # Its norms are neutral now, their scales in the convolutions.
            remeasure(net, as_tensors(task.dataset.calibration.x))
            yield Pruned(sparsity, net, note=_note(net, total, sparsity))


def _note(net: nn.Sequential, total: int, sparsity: float) -> str:
    gone = 1 - weight_count(net) / total
    if gone < sparsity:
        return f"A tenth of each layer's units stays and some layers cannot be joined, so only {format_share(gone, 1)} went."
    if gone > sparsity + 0.02:
        return f"Units go one by one in every layer, so {format_share(gone, 1)} went."
    return ""
