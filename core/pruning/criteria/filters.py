"""Criteria for whole units: filter norms, distance to the other filters, BatchNorm scale, Taylor, random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.calibration import BatchNorm
from core.networks.groups import Member, UnitGroup
from core.networks.units import units_of
from core.pruning.criteria.base import CRITERIA, UnitCriterion, require_batch
from core.pruning.criteria.gradients import loss_gradients, weights_of
from core.seeding import torch_seed
from core.tasks.base import Batch


def made_by(net: nn.Sequential, group: UnitGroup) -> list[Tensor]:
    """(size, entries) weights that make a group's units, one per layer that does."""
    weights = dict(net.named_parameters())
    return [
        units_of(weights[m.tensor].detach().double(), m, group.size)
        for m in group.members
        if m.role == "output"
    ]


def coupled(
    net: nn.Sequential, groups: Sequence[UnitGroup], score: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    """Mean over the layers that make a unit of their scores, each layer's divided by its own mean."""
    found = {}
    for group in groups:
        parts = [score(rows) for rows in made_by(net, group)]
        if not parts:
            raise InvalidInput(f"No layer makes the units of {group.name!r}.")
        found[group.name] = torch.stack([p / p.mean().clamp_min(1e-300) for p in parts]).mean(0)
    return found


@CRITERIA.register("l1_filters")
class L1Filters(UnitCriterion):
    """Units whose incoming weights have a small absolute sum go first."""

    label = "L1 filters"
    source = "Li et al., 'Pruning filters for efficient ConvNets', ICLR 2017"

    def scores(
        self, net: nn.Sequential, groups: Sequence[UnitGroup], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        return coupled(net, groups, lambda rows: rows.abs().sum(1))


@CRITERIA.register("l2_filters")
class L2Filters(UnitCriterion):
    """Units whose incoming weights have a small Euclidean norm go first."""

    label = "L2 filters"
    source = "He et al., 'Soft filter pruning', IJCAI 2018 (the norm; cut once here)"

    def scores(
        self, net: nn.Sequential, groups: Sequence[UnitGroup], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        return coupled(net, groups, lambda rows: rows.norm(dim=1))


@CRITERIA.register("fpgm")
class FPGM(UnitCriterion):
    """Units whose filters lie close to all others go first: others can stand in for them."""

    label = "FPGM"
    source = "He et al., 'Filter pruning via geometric median', CVPR 2019"

    def scores(
        self, net: nn.Sequential, groups: Sequence[UnitGroup], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        return coupled(net, groups, lambda rows: torch.cdist(rows, rows).sum(1))


@CRITERIA.register("bn_scale")
class BatchNormScale(UnitCriterion):
    """Units whose BatchNorm scales them down go first; says so where all scales are equal."""

    label = "BatchNorm scale"
    source = "Liu et al., 'Learning efficient convolutional networks through network slimming', ICCV 2017"

    def scores(
        self, net: nn.Sequential, groups: Sequence[UnitGroup], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        found = {}
        for group in groups:
            scales = _batch_norm_scales(net, group)
            if not scales:
                raise InvalidInput(
                    f"The units of {group.name!r} have no BatchNorm; choose another criterion."
                )
            found[group.name] = torch.stack(scales).mean(0)
        everything = torch.cat(list(found.values()))
        if everything.std() <= 1e-9 * everything.mean().clamp_min(1e-300):
            raise InvalidInput(
                "All BatchNorm scales are equal, as in an untrained network: this criterion would prune at random. "
                "Train first, or choose another criterion."
            )
        return found


def _batch_norm_scales(net: nn.Sequential, group: UnitGroup) -> list[Tensor]:
    modules = dict(net.named_modules())

    def scale(member: Member) -> Tensor | None:
        owner, _, name = member.tensor.rpartition(".")
        module = modules[owner]
        if name != "weight" or not isinstance(module, BatchNorm):
            return None
        return module.weight.detach().double().abs().narrow(0, member.offset, group.size)

    return [s for m in group.members if m.role == "elementwise" and (s := scale(m)) is not None]


@CRITERIA.register("taylor")
class Taylor(UnitCriterion):
    """How much the loss would change, to first order, without the unit: |sum of w g| over all its weights."""

    label = "Taylor"
    source = "Molchanov et al., 'Importance estimation for neural network pruning', CVPR 2019"
    needs_data = True

    def scores(
        self, net: nn.Sequential, groups: Sequence[UnitGroup], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        known = {name for name, _ in net.named_parameters()}
        names = sorted({m.tensor for g in groups for m in g.members if m.role != "input"} & known)
        gradients = loss_gradients(net, names, require_batch(self, batch))
        products = {name: w * gradients[name] for name, w in weights_of(net, names).items()}
        return {
            group.name: torch.stack(
                [
                    units_of(products[m.tensor], m, group.size).sum(1)
                    for m in group.members
                    if m.role != "input" and m.tensor in products
                ]
            )
            .sum(0)
            .abs()
            for group in groups
        }


@CRITERIA.register("random_units")
class RandomUnits(UnitCriterion):
    """Every unit equally likely to go; the baseline that every method must beat."""

    label = "Random units"
    source = "the mandatory baseline; Mittal et al., 'Recovering from random pruning', WACV 2018"

    def scores(
        self, net: nn.Sequential, groups: Sequence[UnitGroup], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        found = {}
        for group in groups:
            generator = torch.Generator().manual_seed(torch_seed(seed, "random units", group.name))
            found[group.name] = torch.rand(group.size, generator=generator, dtype=torch.float64)
        return found
