"""The baseline 'parameters': larger networks are often better, and counting costs nothing."""

from __future__ import annotations

from torch import nn

from core.networks.costs import count_parameters
from core.proxies.base import PROXIES, Proxy
from core.tasks.base import Batch


@PROXIES.register("parameters")
class Parameters(Proxy):
    """Trainable numbers: a baseline that every proxy has to beat."""

    label = "Parameters"
    source = "baseline"
    baseline = True

    def measure(self, net: nn.Sequential, batch: Batch, seed: int) -> float:
        return float(count_parameters(net))
