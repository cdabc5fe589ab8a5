"""Dual half-space projected gradient: training that drives chosen units to exact zero.

A unit is a zero-invariant group: all entries that make, scale or shift it, over every layer that shares it.
After a warm start the most redundant units are marked once. From then on each step pulls the marked ones
towards the origin, and a unit that the step carries over it becomes exactly zero and stays zero. Nothing is
cut by a threshold, so the small network computes what the large one does.

Source: Chen et al., "OTOv2: automatic, generic, user-friendly", ICLR 2023, written from the description of
its algorithm. Ours: the gradient is what the optimizer really did (momentum and decay in it), and where no
strength is given it follows from the steps that are left (`GENTLE`, `FIRM`), for theirs is meant for hundreds
of epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.networks.groups import UnitGroup

GENTLE, FIRM = 0.4, 0.6
"""Shares of the learning rate left after marking: until the first, no pull is so strong that the loss would
rise; units that the loss has held back so far are taken to zero by the second, whatever the loss says."""

_TINY = 1e-12


@dataclass(frozen=True)
class Pull:
    """How marked units are pulled to zero.

    Attributes:
        amp: the pull where the loss pushes a unit outwards, in multiples of that push.
        coef: the most that the pull may grow to, in multiples of its least.
        eps: a unit becomes zero when less than this share of its length is left along its old direction.
    """

    amp: float = 2.0
    coef: float = 10.0
    eps: float = 0.0


class UnitIndex:
    """The units of a network as numbers, and which entry of which parameter belongs to which.

    Args:
        net: a network of plain blocks.
        groups: its removable groups; no entry belongs to two units.
    """

    def __init__(self, net: nn.Sequential, groups: Sequence[UnitGroup]) -> None:
        parameters = dict(net.named_parameters())
        owners: dict[str, Tensor] = {}
        self.spans: dict[str, slice] = {}
        self.count = sum(group.size for group in groups)
        first = 0
        for group in groups:
            self.spans[group.name] = slice(first, first + group.size)
            for m in group.members:
                if m.role == "input" or m.tensor not in parameters:
                    continue
                shape = parameters[m.tensor].shape
                owner = owners.setdefault(m.tensor, torch.full(shape, self.count))
                part = owner.narrow(m.axis, m.offset, group.size * m.repeat)
                units = torch.arange(first, first + group.size).repeat_interleave(m.repeat)
                part.copy_(units.view([-1 if axis == m.axis else 1 for axis in range(len(shape))]))
            first += group.size
        self._parameters = [parameters[name] for name in owners]
        # Entries of no unit belong to one more, which is never marked.
        self.owner = torch.cat([owner.flatten() for owner in owners.values()])

    def values(self) -> Tensor:
        """(entries,) a copy of all entries."""
        return torch.cat([p.detach().flatten() for p in self._parameters])

    @torch.no_grad()
    def write(self, values: Tensor) -> None:
        """Set all entries."""
        parts = values.split([p.numel() for p in self._parameters])
        for parameter, part in zip(self._parameters, parts, strict=True):
            parameter.copy_(part.view_as(parameter))

    def sums(self, entries: Tensor) -> Tensor:
        """(units,) sums over the entries of each unit."""
        total = torch.zeros(self.count + 1, dtype=torch.float64)
        return total.index_add_(0, self.owner, entries.double())[:-1]

    def by_group(self, units: Tensor) -> dict[str, Tensor]:
        """Group name -> its part of something per unit."""
        return {name: units[span] for name, span in self.spans.items()}


def redundancy(index: UnitIndex, values: Tensor, gradient: Tensor) -> Tensor:
    """(units,) how little each unit is worth, 0 to 1: half for descent that shortens it, half for being small.

    Both halves are scaled to 0..1 over all units of the network.
    """
    lengths = index.sums(values.square()).sqrt() * index.sums(gradient.square()).sqrt()
    cosine = index.sums(values * gradient) / lengths.clamp_min(_TINY)
    entries = index.sums(torch.ones_like(values)).clamp_min(1)
    small = 1 / (index.sums(values.abs()) / entries + 1e-6)
    return 0.5 * _to_unit_range(cosine) + 0.5 * _to_unit_range(small)


def _to_unit_range(values: Tensor) -> Tensor:
    low = values.min()
    return (values - low) / (values.max() - low).clamp_min(_TINY)


def project(
    index: UnitIndex,
    old: Tensor,
    new: Tensor,
    marked: Tensor,
    floor: Tensor,
    pull: Pull,
    *,
    bounded: bool = True,
) -> tuple[Tensor, Tensor]:
    """Pull marked units after an optimizer's step, then the half-space projection.

    Args:
        index: of the network.
        old: (entries,) before the step.
        new: (entries,) after it; not changed.
        marked: (units,) boolean; the entries of other units come back as they are in `new`.
        floor: (units,) least length of the pull, the learning rate in it.
        pull: settings.
        bounded: whether no pull is so strong that the loss would rise.

    Returns:
        The entries, and which units have just become zero.
    """
    step = old - new
    length = index.sums(old.square()).sqrt().clamp_min(_TINY)
    along = index.sums(old * step)
    # Between these two lengths of the pull both the loss and the unit get smaller, to first order.
    lower = -along / length
    upper = index.sums(step.square()) * length / (-along).clamp_min(_TINY)
    strong = torch.minimum(torch.maximum(pull.amp * lower, floor), pull.coef * floor)
    if bounded:
        strong = torch.where(strong > upper, (lower + upper) / 2, strong)
    strength = torch.where(along < 0, strong, floor)
    share = torch.where(marked, strength / length, 0.0)
    made = new - old * torch.cat([share, share.new_zeros(1)])[index.owner].to(old.dtype)
    zero = marked & (index.sums(made * old) < pull.eps * length.square())
    return made.masked_fill_(torch.cat([zero, zero.new_zeros(1)])[index.owner], 0.0), zero


class DHSPG:
    """What happens around each step of an optimizer; pass the two methods to `PlainStep`.

    Args:
        net: trained in place.
        groups: its removable groups.
        rates: learning rate of every step of the whole training.
        start: number of steps before units are marked.
        choose: from scores (group -> (size,), large stays) to the units that stay; called once.
        enough: from zero units per group to whether no more are needed.
        pull: settings.
        lmbda: strength of the pull; 0 for one that takes each unit to zero in time, see `GENTLE` and `FIRM`.
    """

    def __init__(
        self,
        net: nn.Sequential,
        groups: Sequence[UnitGroup],
        rates: Sequence[float],
        start: int,
        choose: Callable[[Mapping[str, Tensor]], Mapping[str, NDArray[np.intp]]],
        enough: Callable[[Mapping[str, int]], bool],
        pull: Pull,
        lmbda: float = 0.0,
    ) -> None:
        self.index = UnitIndex(net, groups)
        self.rates, self.start, self.choose, self.enough = rates, start, choose, enough
        self.pull, self.lmbda = pull, lmbda
        self.step, self.pulling = 0, False
        self.marked = torch.zeros(self.index.count, dtype=torch.bool)
        self.zero = torch.zeros(self.index.count, dtype=torch.bool)
        self._gentle = self._firm = len(rates)
        self._old = self.index.values()

    def before_step(self) -> None:
        """Remember where the step starts."""
        self._old = self.index.values()

    def after_step(self) -> None:
        """Mark when it is time, pull, project, and hold zero units at zero."""
        new = self.index.values()
        if self.step == self.start:
            self._mark(self._old, self._old - new)
        if self.pulling:
            waiting = self.marked & ~self.zero
            gentle = bool(self.lmbda) or self.step < self._gentle
            new, found = project(
                self.index, self._old, new, waiting, self._floor(), self.pull, bounded=gentle
            )
            self.zero |= found
            self.pulling = not self.enough(self.zero_counts())
        if self.zero.any():
            # Momentum would revive them.
            gone = torch.cat([self.zero, self.zero.new_zeros(1)])[self.index.owner]
            self.index.write(new.masked_fill_(gone, 0.0))
        elif self.pulling:
            self.index.write(new)
        self.step += 1

    def kept(self) -> dict[str, NDArray[np.intp]]:
        """Group name -> units that are not zero."""
        return {name: torch.nonzero(~zero).flatten().numpy() for name, zero in self._zero_by_group().items()}

    def zero_counts(self) -> dict[str, int]:
        """Group name -> number of zero units."""
        return {name: int(zero.sum()) for name, zero in self._zero_by_group().items()}

    def _zero_by_group(self) -> dict[str, Tensor]:
        return self.index.by_group(self.zero)

    def _mark(self, values: Tensor, gradient: Tensor) -> None:
        scores = -redundancy(self.index, values, gradient)
        for name, units in self.choose(self.index.by_group(scores)).items():
            part = self.marked[self.index.spans[name]]
            part[:] = True
            part[torch.from_numpy(units)] = False
        spent = np.cumsum(self.rates[self.step :])
        self._gentle, self._firm = (
            self.step + int(np.searchsorted(spent, share * spent[-1])) for share in (GENTLE, FIRM)
        )
        self.pulling = bool(self.marked.any())

    def _floor(self) -> Tensor:
        """(units,) least length of this step's pull; stronger for units that lag behind."""
        rate = self.rates[self.step]
        lengths = self.index.sums(self._old.square()).sqrt()
        if self.lmbda:
            return torch.full_like(lengths, self.lmbda * rate)
        end = self._gentle if self.step < self._gentle else self._firm
        return lengths * (rate / max(sum(self.rates[self.step : end]), rate))
