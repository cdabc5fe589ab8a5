"""Jacobian covariance: whether samples pull the network into different directions."""

from __future__ import annotations

import torch
from torch import nn

from core.proxies.base import PROXIES, WORST, Proxy
from core.proxies.copies import input_gradients
from core.tasks.base import Batch

_SMALL = 1e-5


@PROXIES.register("jacob_cov")
class JacobianCovariance(Proxy):
    """Minus the sum of log v + 1 / v over the eigenvalues v of the correlations between the samples' input gradients."""

    label = "Jacobian covariance"
    source = "Mellor et al., 'Neural architecture search without training', first version, 2020"

    def measure(self, net: nn.Sequential, batch: Batch, seed: int) -> float:
        rows = input_gradients(net, batch)
        rows = rows - rows.mean(1, keepdim=True)
        length = rows.norm(dim=1, keepdim=True)
        if not bool((length > 0).all()):
            return WORST
        rows = rows / length
        values = torch.linalg.eigvalsh(rows @ rows.T).clamp(min=0) + _SMALL
        return -float((values.log() + 1 / values).sum())
