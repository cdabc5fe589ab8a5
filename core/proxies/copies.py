"""What proxies work on: a copy of the network they may spoil, and the derivatives that several of them take of it."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.chain import one_batch
from core.networks.trees import leaves
from core.pruning.criteria.gradients import doubled
from core.tasks.base import Batch


def prepared(net: nn.Sequential, batch: Batch) -> tuple[nn.Sequential, Batch]:
    """A float64 copy of a network in training mode that wants gradients, and a batch for it.

    Raises:
        InvalidInput: there are fewer than two samples.
    """
    if len(batch) < 2:
        raise InvalidInput("A proxy needs at least two training samples, to tell them apart.")
    made = copy.deepcopy(net).double().train().requires_grad_(True)
    return made, Batch(doubled(batch.inputs), batch.targets, batch.ids)


@torch.no_grad()
def is_constant(net: nn.Sequential, batch: Batch) -> bool:
    """Whether the answers to all samples that count are the same: nothing of the input arrives."""
    answers = batch.counted(copy.deepcopy(net)(batch.inputs))
    return bool((answers == answers[:1]).all())


def input_gradients(net: nn.Sequential, batch: Batch) -> Tensor:
    """(n, numbers of one input) gradient of the summed outputs by each sample.

    Raises:
        InvalidInput: the inputs are no numbers that could be a little larger (token ids), or belong together (a graph).
    """
    x = differentiable(net, batch.inputs).clone().requires_grad_(True)
    (found,) = torch.autograd.grad(net(x).sum(), x, allow_unused=True)
    return (torch.zeros_like(x) if found is None else found).flatten(1)


def differentiable(net: nn.Sequential, inputs: Any) -> Tensor:
    """The one tensor of a network's inputs.

    Raises:
        InvalidInput: see `input_gradients`.
    """
    found = leaves(inputs)
    if one_batch(net) or len(found) != 1 or not found[0].is_floating_point():
        raise InvalidInput(
            "This proxy moves single inputs a little, which images allow and tokens and graphs do not."
        )
    first: Tensor = found[0]
    return first
