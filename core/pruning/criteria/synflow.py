"""SynFlow: how much of the network's total positive flow passes through a weight; no data needed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.blocks.base import known_kind
from core.networks.calibration import batch_norms
from core.networks.chain import declared, example_inputs
from core.networks.trees import map_leaves
from core.pruning.criteria.base import CRITERIA, WeightCriterion
from core.tasks.base import Batch


@CRITERIA.register("synflow")
class SynFlow(WeightCriterion):
    """Flow of ones through the absolute network; pruned over many rounds it never empties a layer."""

    label = "SynFlow"
    source = "Tanaka et al., 'Pruning neural networks without any data by iteratively conserving synaptic flow', NeurIPS 2020"
    iterative = True

    def scores(
        self, net: nn.Sequential, names: Sequence[str], batch: Batch | None, seed: int
    ) -> Mapping[str, Tensor]:
        return {name: w * g for name, (w, g) in flow_gradients(linearized(net), names).items()}


def flow_gradients(made: nn.Sequential, names: Sequence[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """Parameter name -> its values in a `linearized` network, and the gradient of the flow of ones by it."""
    parameters = dict(made.named_parameters())
    wanted = [parameters[name] for name in names]
    found = torch.autograd.grad(made(_ones(made)).sum(), wanted, allow_unused=True)
    return {
        name: (p.detach(), torch.zeros_like(p) if g is None else g.detach())
        for name, p, g in zip(names, wanted, found, strict=True)
    }


def linearized(net: nn.Sequential) -> nn.Sequential:
    """A copy that is linear in each layer for positive inputs: absolute weights, no offsets, BatchNorm as scaling.

    Raises:
        InvalidInput: the network has attention or LayerNorm, for which positive flow is not defined.
    """
    attends = any((kind := known_kind(block)) is not None and kind.attends for block in net)
    if attends or any(isinstance(m, nn.LayerNorm | nn.RMSNorm) for m in net.modules()):
        raise InvalidInput(
            "SynFlow follows positive flow through layers, which attention and LayerNorm do not have."
        )
    made = copy.deepcopy(net).double().eval()
    with torch.no_grad():
        for module in made.modules():
            for parameter in module.parameters(recurse=False):
                parameter.abs_()
            bias = getattr(module, "bias", None)
            if isinstance(bias, Tensor):
                bias.zero_()
        for norm in batch_norms(made):
            assert norm.running_mean is not None
            norm.running_mean.zero_()
        offsets = declared(made, lambda kind: kind.offsets)
        for name, buffer in made.named_buffers():
            if name in offsets:
                buffer.zero_()
    return made.requires_grad_(True)


def _ones(net: nn.Sequential) -> Any:
    """One input of ones. Flow is compared between weights, not between inputs, so any size will do."""
    return map_leaves(
        lambda leaf: torch.ones_like(leaf, dtype=torch.float64) if leaf.is_floating_point() else leaf,
        example_inputs(net),
    )
