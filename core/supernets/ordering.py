"""Putting the units of a supernet into an order of importance: subnets are prefixes, and shall keep the best.

A family says which of its units may change places (`Supernet.orderable`): hidden units of an MLP, attention heads
(with grouped keys: a group with its queries), entries of the width. Any criterion of the pruning registry says how much
each matters, on the largest subnet, which computes the same afterwards. At random is the control: any gain of an order
by importance is a gain over that.

Source: Cai et al., Once-for-All, ICLR 2020 (channels sorted before smaller ones are trained); Hou et al., DynaBERT,
NeurIPS 2020 (heads and hidden units sorted by importance); the permutations of Ainsworth et al., Git Re-Basin, ICLR 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.config import JsonObject
from core.errors import InvalidInput
from core.networks.criteria import CRITERIA, UnitCriterion, WeightCriterion
from core.networks.groups import Member, UnitGroup
from core.networks.units import apply_permutation, unit_groups, units_of
from core.supernets.base import Supernet
from core.supernets.orderable import Orderable, UnitSlice

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.tasks.base import Batch

RANDOM = "random_units"
"""The criterion that is the control."""
_WHOLE = "0.net."


@dataclass(frozen=True)
class Ordered:
    """What an ordering did.

    Attributes:
        permutations: label -> (size,); unit k is the one that was at permutations[label][k].
        scores: label -> (size,) float64, in the order of before; larger stands further in front.
    """

    permutations: Mapping[str, NDArray[np.int64]]
    scores: Mapping[str, NDArray[np.float64]]


def order_units(
    supernet: Supernet,
    criterion: str,
    data: Dataset | None,
    seed: int = 0,
    settings: JsonObject | None = None,
) -> Ordered:
    """Put the units of a supernet into descending order of importance, in place; units of equal score stay as they were.

    What the largest subnet computes stays (to rounding). Criteria of single weights count all weights of a unit.

    Args:
        supernet: whose weights change places.
        criterion: registry name; `RANDOM` for the control.
        data: whose calibration samples criteria with gradients look at; others need none.
        seed: of a criterion's chance.
        settings: the criterion's own.

    Raises:
        NotFound: there is no such criterion.
        InvalidInput: this family has no units that may change places, or the criterion needs what is not there.
    """
    found = supernet.orderable()
    if not found:
        raise InvalidInput(
            f"The units of the family {supernet.label} cannot change places. Choose a training without an order of units."
        )
    with torch.random.fork_rng(devices=[]):
        scores = importance(supernet, found, criterion, data, seed, settings)
    orders = {label: np.argsort(-values, kind="stable").astype(np.int64) for label, values in scores.items()}
    permute_units(supernet, orders)
    return Ordered(orders, scores)


def permute_units(supernet: Supernet, orders: Mapping[str, NDArray[np.int64]]) -> None:
    """Make unit k of an orderable the one that was at orders[label][k], in place.

    Raises:
        InvalidInput: there is no such orderable, or the permutation does not fit it.
    """
    known = {each.label: each for each in supernet.orderable()}
    state = {name: tensor.detach().clone() for name, tensor in supernet.named_parameters()}
    for label, order in orders.items():
        if label not in known or sorted(np.asarray(order).tolist()) != list(range(known[label].size)):
            raise InvalidInput(
                f"{label!r} is no units of this supernet, or the permutation does not fit them."
            )
        apply_permutation(state, _group(known[label]), np.asarray(order))
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            parameter.copy_(state[name])


def importance(
    supernet: Supernet,
    orderable: Sequence[Orderable],
    criterion: str,
    data: Dataset | None,
    seed: int = 0,
    settings: JsonObject | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Label -> (size,) how much each unit of the largest subnet matters; see `order_units`.

    Raises:
        NotFound, InvalidInput: as there.
    """
    plugin = CRITERIA.create(criterion, dict(settings or {}))
    batch: Batch | None = None
    if plugin.needs_data and data is not None:
        batch = supernet.task.batch(data, data.calibration).to(next(supernet.parameters()).device)
    net = nn.Sequential(_AtLargest(supernet))
    groups = [_group(each, _WHOLE) for each in orderable]
    with torch.enable_grad():
        if isinstance(plugin, UnitCriterion):
            found = plugin.scores(net, groups, batch, seed)
        else:
            assert isinstance(plugin, WeightCriterion)
            found = _summed(plugin.scores(net, _weights(groups, net), batch, seed), groups)
    return {group.name: found[group.name].detach().cpu().numpy().astype(np.float64) for group in groups}


def orderable_of_blocks(supernet: Supernet, renamed: Mapping[str, str] | None = None) -> list[Orderable]:
    """What the plain blocks of the largest subnet say belongs together, as parameters of the supernet.

    For families whose stages name and shape their parameters as the blocks do that they are extracted to.

    Args:
        supernet: of such a family, with no BatchNorm.
        renamed: module of a block -> its name in the stage, where the two differ.

    Raises:
        ValueError: a parameter of a block is nowhere in the supernet.
    """
    largest, names = supernet.largest, dict(renamed or {})
    there = [index for index, stage in enumerate(supernet.chain) if stage.key(largest) is not None]
    own = dict(supernet.named_parameters())
    # A network that is cut out draws weights before it gets its own.
    with torch.random.fork_rng(devices=[]):
        plain = supernet.extract(largest)
    shapes = {name: tuple(tensor.shape) for name, tensor in plain.named_parameters()}
    found = []
    for group in unit_groups(plain):
        slices = []
        for member in group.members:
            at, *inner = member.tensor.split(".")
            name = ".".join(["stages", str(there[int(at)]), *(names.get(part, part) for part in inner)])
            if name not in own or tuple(own[name].shape) != shapes[member.tensor]:
                raise ValueError(f"{supernet.name} has no parameter {name} of the shape of {member.tensor}")
            role: Any = member.role
            slices.append(UnitSlice(name, member.axis, member.repeat, member.offset, role))
        found.append(Orderable(_label(group.name, supernet, there), group.size, tuple(slices)))
    return found


def _label(group: str, supernet: Supernet, there: Sequence[int]) -> str:
    """A group's name with the stage called as costs call it; entries of the width, a residual stream, are of no stage."""
    at, _, what = group.partition(".")
    if not at.isdigit():
        return group.replace("stream", "width", 1)
    return f"{supernet.chain[there[int(at)]].cost(supernet.largest).label}: {what}"


class _AtLargest(nn.Module):
    """A supernet as the plain network that its largest architecture is."""

    def __init__(self, net: Supernet) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: Any) -> Any:
        return self.net(inputs, self.net.largest)


def _group(each: Orderable, prefix: str = "") -> UnitGroup:
    members = tuple(
        Member(f"{prefix}{s.parameter}", s.axis, s.offset, s.entries, s.role) for s in each.slices
    )
    return UnitGroup(each.label, each.size, members, (), free=True)


def _weights(groups: Sequence[UnitGroup], net: nn.Module) -> list[str]:
    """Names of the weights, not the shifts and scales, that hold units."""
    shapes = {name: tensor.ndim for name, tensor in net.named_parameters()}
    return sorted({m.tensor for g in groups for m in g.members if shapes[m.tensor] > 1})


def _summed(scores: Mapping[str, Tensor], groups: Sequence[UnitGroup]) -> dict[str, Tensor]:
    """Group name -> (size,) the sum over all weights of a unit."""
    found = {}
    for group in groups:
        parts = [
            units_of(scores[m.tensor], m, group.size).sum(1) for m in group.members if m.tensor in scores
        ]
        if not parts:
            raise InvalidInput(f"No weights belong to {group.name!r}: choose another criterion.")
        found[group.name] = torch.stack(parts).sum(0)
    return found
