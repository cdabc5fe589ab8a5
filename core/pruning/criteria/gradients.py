"""Gradients of the loss with respect to weights, on a copy of the network."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from core.networks.trees import map_leaves
from core.tasks.base import Batch


def trainable_copy(net: nn.Sequential) -> nn.Sequential:
    """A float64 copy whose parameters want gradients; statistics of BatchNorm stay as they are."""
    made = copy.deepcopy(net).double().eval()
    return made.requires_grad_(True)


def loss_of(net: nn.Module, batch: Batch, temperature: float = 1.0) -> Tensor:
    """Mean cross-entropy of a float64 network on a batch."""
    outputs = batch.counted(net(doubled(batch.inputs))) / temperature
    # A language model answers at several positions of a sample; each counts as one.
    return F.cross_entropy(outputs.flatten(0, -2), batch.targets.flatten())


@contextmanager
def written_out_attention() -> Iterator[None]:
    """Attention by its plain products within: the fused one has no second derivative and no gradients per sample."""
    with sdpa_kernel(SDPBackend.MATH):
        yield


def doubled(inputs: Any) -> Any:
    """Inputs of a float64 network; whole numbers (token ids, edges) stay what they are."""
    return map_leaves(lambda leaf: leaf.double() if leaf.is_floating_point() else leaf, inputs)


def loss_gradients(net: nn.Sequential, names: Sequence[str], batch: Batch) -> dict[str, Tensor]:
    """Parameter name -> gradient of the mean loss, statistics of BatchNorm as they are."""
    return gradients_of(trainable_copy(net), names, batch)


def gradients_of(made: nn.Module, names: Sequence[str], batch: Batch) -> dict[str, Tensor]:
    """Parameter name -> gradient of the mean loss of a float64 network that wants gradients, in the mode it is in."""
    parameters = dict(made.named_parameters())
    wanted = [parameters[name] for name in names]
    found = torch.autograd.grad(loss_of(made, batch), wanted, allow_unused=True)
    return {
        name: torch.zeros_like(p) if g is None else g.detach()
        for name, p, g in zip(names, wanted, found, strict=True)
    }


def hessian_gradients(
    made: nn.Module, names: Sequence[str], batch: Batch, temperature: float = 1.0
) -> dict[str, Tensor]:
    """Parameter name -> Hessian of the mean loss times its gradient, of a network as in `gradients_of`.

    The gradient of half the squared gradient norm; zero for weights that the loss does not reach.
    """
    parameters = dict(made.named_parameters())
    wanted = [parameters[name] for name in names]
    with written_out_attention():
        loss = loss_of(made, batch, temperature)
        first = torch.autograd.grad(loss, wanted, create_graph=True, allow_unused=True)
        # d/dw of (g . stopped g) is the Hessian times the gradient.
        product = torch.stack([(g * g.detach()).sum() for g in first if g is not None]).sum()
        second = torch.autograd.grad(product, wanted, allow_unused=True)
    return {
        name: torch.zeros_like(p) if h is None else h.detach()
        for name, p, h in zip(names, wanted, second, strict=True)
    }


def weights_of(net: nn.Module, names: Sequence[str]) -> dict[str, Tensor]:
    """Parameter name -> its values in float64."""
    parameters = dict(net.named_parameters())
    return {name: parameters[name].detach().double() for name in names}
