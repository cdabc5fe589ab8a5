"""Supermasks: the weights stay as they were drawn, and only which of them are used is learned.

Every weight has a score; the k largest of each layer are used. The gradient passes the choice as if it were
the identity, so that the score of a weight that is not used still moves and the weight can come back.

Source:
    Ramanujan et al., 'What's hidden in a randomly weighted neural network?', CVPR 2020 (edge-popup).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from core.errors import InvalidInput
from core.networks.calibration import BatchNorm
from core.networks.chain import declared
from core.pruning.criteria.base import prunable_weights

Init = Literal["signed_constant", "kaiming"]
# What tells places or tokens apart is never trained here; zeros would hide them from the network.
_EMBEDDING_STD = 0.5
_NORMS = BatchNorm | nn.LayerNorm | nn.RMSNorm


def top_k(scores: Tensor, density: float) -> Tensor:
    """Boolean mask of the largest scores of one layer; at least one stays. Ties go to the later position."""
    kept = max(1, round(density * scores.numel()))
    mask = torch.zeros(scores.numel(), dtype=torch.bool)
    mask[scores.detach().flatten().argsort(stable=True)[scores.numel() - kept :]] = True
    return mask.reshape(scores.shape)


def straight_through(scores: Tensor, density: float) -> Tensor:
    """The mask of the largest |scores| as 0 and 1, with the gradient of |scores| itself."""
    size = scores.abs()
    # The difference is exactly zero; only its gradient matters.
    return top_k(size, density).to(scores.dtype) + (size - size.detach())


@torch.no_grad()
def random_weights(net: nn.Sequential, init: Init, density: float, seed: int) -> None:
    """Draw what is never trained, in place: random weights, norms at 1 and 0, biases at 0; nothing has gradients.

    The standard deviation is that of Kaiming for as many inputs as the mask leaves.

    Args:
        net: a plain network.
        init: "signed_constant" keeps only the sign of the draw, "kaiming" is normal.
        density: share of each layer that a mask will use.
        seed: of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn, embeddings = set(prunable_weights(net)), declared(net, lambda kind: kind.embeddings)
    norms = {f"{name}.weight" for name, m in net.named_modules() if isinstance(m, _NORMS)}
    for name, parameter in net.named_parameters():
        if name in drawn:
            draw = torch.randn(parameter.shape, generator=generator)
            draw = draw.sign() if init == "signed_constant" else draw
            parameter.copy_(draw * math.sqrt(2 / (parameter[0].numel() * density)))
        elif name in embeddings:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * _EMBEDDING_STD)
        else:
            parameter.fill_(1.0 if name in norms else 0.0)
    net.requires_grad_(False)


class Supermask(nn.Module):
    """A network of frozen weights seen through learned masks; only the scores are trained.

    Trained like any network: optimizers skip the frozen weights, which never get a gradient.

    Args:
        net: weights frozen; kept, not copied, and never changed except for BatchNorm's statistics.
        density: share of each layer that is used.
        seed: of the first scores.

    Raises:
        InvalidInput: the density is out of bounds, or there is nothing to mask.
    """

    def __init__(self, net: nn.Sequential, density: float, seed: int) -> None:
        super().__init__()
        self.net, self.density, self.names = net, density, prunable_weights(net)
        if not 0 < density <= 1 or not self.names:
            raise InvalidInput("A supermask uses more than none and at most all of a layer's weights.")
        net.requires_grad_(False)
        generator = torch.Generator().manual_seed(seed)
        parameters = dict(net.named_parameters())
        self.scores = nn.ParameterList()
        for name in self.names:
            weight = parameters[name]
            # Kaiming-uniform as in the authors' code: the bound is 1 / sqrt(inputs).
            bound = 1 / math.sqrt(weight[0].numel())
            draw = torch.rand(weight.shape, generator=generator, dtype=weight.dtype)
            self.scores.append(nn.Parameter((2 * draw - 1) * bound))

    def masks(self) -> dict[str, Tensor]:
        """The masks as they stand: parameter -> boolean tensor."""
        return {
            name: top_k(score.detach().abs(), self.density)
            for name, score in zip(self.names, self.scores, strict=True)
        }

    def forward(self, x: Tensor) -> Tensor:
        weights = dict(self.net.named_parameters())
        masked = {
            name: weights[name] * straight_through(score, self.density)
            for name, score in zip(self.names, self.scores, strict=True)
        }
        out: Tensor = functional_call(self.net, masked, (x,))
        return out
