"""Criteria that look at the weights alone: magnitude, LAMP, random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from core.pruning.criteria.base import CRITERIA, WeightCriterion
from core.pruning.criteria.gradients import weights_of
from core.seeding import torch_seed
from core.tasks.base import Batch


@CRITERIA.register("magnitude")
class Magnitude(WeightCriterion):
    """Small weights go first."""

    label = "Magnitude"
    source = "Han et al., 'Learning both weights and connections', NeurIPS 2015"

    def scores(
        self, net: nn.Sequential, names: Sequence[str], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        return {name: w.abs() for name, w in weights_of(net, names).items()}


@CRITERIA.register("lamp")
class LAMP(WeightCriterion):
    """Magnitude relative to the layer's weights that are at least as large: layers find their own sparsity."""

    label = "LAMP"
    source = "Lee et al., 'Layer-adaptive sparsity for the magnitude-based pruning', ICLR 2021"

    def scores(
        self, net: nn.Sequential, names: Sequence[str], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        return {name: self._layer(w) for name, w in weights_of(net, names).items()}

    def _layer(self, weight: Tensor) -> Tensor:
        squares = weight.flatten().square()
        ordered, order = squares.sort(stable=True)
        # Sum of all weights at least as large, from the largest down.
        tails = ordered.flip(0).cumsum(0).flip(0)
        # Equal weights share a score: the sum from the first of them.
        first = torch.searchsorted(ordered, ordered, side="left")
        scores = torch.empty_like(squares)
        scores[order] = ordered / tails[first].clamp_min(1e-300)
        return scores.reshape(weight.shape)


@CRITERIA.register("random_weights")
class RandomWeights(WeightCriterion):
    """Every weight equally likely to go; the baseline that every method must beat."""

    label = "Random"
    source = (
        "the mandatory baseline; Gadhikar et al., 'Why random pruning is all we need to start sparse', 2023"
    )

    def scores(
        self, net: nn.Sequential, names: Sequence[str], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        weights = weights_of(net, names)
        found = {}
        for name, w in weights.items():
            generator = torch.Generator().manual_seed(torch_seed(seed, "random weights", name))
            found[name] = torch.rand(w.shape, generator=generator, dtype=torch.float64)
        return found
