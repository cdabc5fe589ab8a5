"""The contract of zero-cost proxies: one number for an untrained network, from one batch, and no training.

A proxy is a guess about how well an architecture will do. It is compared with what was measured, beside the two
baselines 'parameters' and 'MACs', and stands on no front (`Source.PROXY`). Each is called with a network that was
cut out of its supernet; it works on a float64 copy in training mode, so that BatchNorm normalizes by the batch, and
leaves weights, gradients, buffers and mode of what it was given as they were.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from core.config import Plugin
from core.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from core.tasks.base import Batch

PROXIES: Registry[Proxy] = Registry("proxy", "core.proxies", "PROXIES")

WORST = -math.inf
"""The score of a network that says the same whatever it is shown, or that a proxy has no number for."""


class Proxy(Plugin, ABC):
    """One number for a network; larger is meant to be better.

    Attributes:
        baseline: whether it only counts, and is listed beside the proxies that look at what the network computes.
    """

    baseline: ClassVar[bool] = False

    def score(self, net: nn.Sequential, batch: Batch, seed: int = 0) -> float:
        """The score; -inf where the network's answers do not depend on what it is shown, and instead of NaN.

        Args:
            net: a chain of plain blocks; not changed.
            batch: training samples, at least two that count.
            seed: of a proxy that draws.

        Raises:
            InvalidInput: the proxy is not defined for such a network or such data; a sentence says why.
        """
        from core.proxies.copies import is_constant, prepared

        made, judged = prepared(net, batch)
        if not self.baseline and is_constant(made, judged):
            return WORST
        return finite(self.measure(made, judged, seed))

    @abstractmethod
    def measure(self, net: nn.Sequential, batch: Batch, seed: int) -> float:
        """The number itself.

        Args:
            net: a copy to do anything with: float64, training mode, every parameter wants a gradient.
            batch: its inputs in float64.
            seed: of chance.
        """


class LayerProxy(Proxy):
    """A proxy that is a sum over the layers that hold weights."""

    def layers(self, net: nn.Sequential, batch: Batch, seed: int = 0) -> Mapping[str, float]:
        """Weight name -> what its layer contributes, in the order of the network; arguments and errors as `score`."""
        from core.proxies.copies import prepared

        made, judged = prepared(net, batch)
        return self.parts(made, judged, seed)

    def measure(self, net: nn.Sequential, batch: Batch, seed: int) -> float:
        return math.fsum(self.parts(net, batch, seed).values())

    @abstractmethod
    def parts(self, net: nn.Sequential, batch: Batch, seed: int) -> Mapping[str, float]:
        """`layers` of a copy; arguments as in `measure`."""


def finite(score: float) -> float:
    """The score, -inf where it is no finite number."""
    return float(score) if math.isfinite(score) else WORST
