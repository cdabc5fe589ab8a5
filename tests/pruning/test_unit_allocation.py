"""Units are cut until the share of weights is gone, and not one unit more."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.networks.cut import compact, removable_groups
from core.pruning.pruners.base import weight_count
from core.pruning.unit_allocation import LEAST, UnitWeights, keep_units
from core.seeding import stream
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.plain_nets import extracted


def chance(groups: list, seed: int = 0) -> dict[str, torch.Tensor]:
    return {g.name: torch.from_numpy(stream(seed, g.name).random(g.size)) for g in groups}


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_counted_weights_are_those_of_the_compact_network(family: str) -> None:
    net = extracted(family)
    groups = removable_groups(net)
    weights = UnitWeights(net, groups)
    assert weights.total == weight_count(net)
    for sparsity in (0.0, 0.2, 0.5):
        kept = keep_units(net, groups, chance(groups), sparsity)
        gone = {g.name: g.size - len(kept[g.name]) for g in groups}
        assert weights.left(gone) == weight_count(compact(net, kept))


@pytest.mark.parametrize("allocation", ["global", "layer"])
def test_the_fewest_units_that_reach_the_sparsity_go(allocation: str) -> None:
    net = extracted()
    groups = removable_groups(net)
    weights, scores = UnitWeights(net, groups), chance(groups)
    for sparsity in (0.1, 0.3, 0.6):
        kept = keep_units(net, groups, scores, sparsity, allocation)  # type: ignore[arg-type]
        gone = {g.name: g.size - len(kept[g.name]) for g in groups}
        assert weights.left(gone) <= (1 - sparsity) * weights.total
        one_less = [{**gone, name: count - 1} for name, count in gone.items() if count]
        assert any(weights.left(fewer) > (1 - sparsity) * weights.total for fewer in one_less)


def test_low_scores_go_first_and_some_units_always_stay() -> None:
    net = extracted()
    groups = removable_groups(net)
    scores = chance(groups)
    kept = keep_units(net, groups, scores, 0.4)
    gone = [float(scores[g.name][u]) for g in groups for u in set(range(g.size)) - set(kept[g.name].tolist())]
    assert gone
    for g in groups:
        if len(kept[g.name]) > max(1, round(LEAST * g.size)):
            assert min(float(scores[g.name][u]) for u in kept[g.name]) >= max(gone) - 1
    everything = keep_units(net, groups, scores, 0.999)
    assert all(len(units) >= 1 for units in everything.values())
    nested = keep_units(net, groups, scores, 0.2)
    assert all(set(kept[n]) <= set(nested[n]) for n in kept), "more sparsity takes more of the same"


def test_the_even_allocation_takes_the_same_share_of_each_group() -> None:
    net = extracted()
    groups = [g for g in removable_groups(net) if g.size >= 4]
    kept = keep_units(net, groups, chance(groups), 0.4, "layer")
    shares = [len(kept[g.name]) / g.size for g in groups]
    assert np.ptp(shares) <= max(1 / g.size for g in groups) + 1e-9


@pytest.mark.parametrize("sparsity", [-0.1, 1.0])
def test_impossible_sparsities_are_refused(sparsity: float) -> None:
    net = extracted()
    groups = removable_groups(net)
    with pytest.raises(InvalidInput):
        keep_units(net, groups, chance(groups), sparsity)
    with pytest.raises(InvalidInput):
        keep_units(net, groups, {g.name: torch.full((g.size,), torch.nan) for g in groups}, 0.5)
