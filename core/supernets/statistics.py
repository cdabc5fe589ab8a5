"""BatchNorm without hidden state: statistics are an argument, never part of the shared module.

Running statistics of a supernet mean nothing for one of its subnets. So a normalization layer here
owns only scale and offset; the mean and variance come from the batch itself (training), are
recorded once from a calibration batch, or are handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-5

BY_THE_BATCH: ContextVar[Callable[[Tensor, Tensor, Tensor, float], Tensor] | None] = ContextVar(
    "how a batch that several processes share is normalized by itself", default=None
)
"""(x, weight, bias, epsilon) -> normalized x; set while a step of such a training runs (core.training.together)."""


def by_the_batch(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """(n, c, ...) normalized by the batch's own statistics, scaled and moved."""
    shared = BY_THE_BATCH.get()
    if shared is not None:
        return shared(x, weight, bias, epsilon)
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=epsilon)


def stored_bytes(channels: int) -> int:
    """Bytes of a stock BatchNorm layer's buffers: mean, variance (float32) and a 64-bit counter."""
    return 8 * channels + 8


def exact(x: Tensor) -> Tensor:
    """Numbers to take sums of: bfloat16 as float32, others as they are."""
    return x.float() if x.dtype == torch.bfloat16 else x


class Statistics(dict[str, tuple[Tensor, Tensor]]):
    """Mean and (biased) variance of each BatchNorm layer, by the layer's name.

    While `recording`, a layer it meets measures its input (its first `rows` rows, if given) and stores the
    result here; afterwards a layer uses what is stored.
    """

    def __init__(self, *, recording: bool = False, rows: int | None = None) -> None:
        super().__init__()
        self.recording = recording
        self.rows = rows


class ElasticBatchNorm(nn.Module):
    """Batch normalization of the first c channels of axis 1, whatever c is.

    Args:
        channels: the most channels it will see.
        epsilon: added to variances.
    """

    def __init__(self, channels: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.label = ""  # set once by the supernet that owns the layer

    def forward(self, x: Tensor, statistics: Statistics | None, channels: Tensor | None = None) -> Tensor:
        """Normalize (n, c, ...) by its own statistics (None) or by the given ones.

        Args:
            x: activations.
            statistics: of this layer among others.
            channels: (c,) which of the layer's channels they are; the first ones if left out.
        """
        at = slice(x.shape[1]) if channels is None else channels
        weight, bias = self.weight[at], self.bias[at]
        if statistics is None:
            return by_the_batch(x, weight, bias, self.epsilon)
        if statistics.recording:
            axes = [0, *range(2, x.ndim)]
            var, mean = torch.var_mean(exact(x[: statistics.rows]), dim=axes, correction=0)
            statistics[self.label] = (mean, var)
        mean, var = statistics[self.label]
        return F.batch_norm(x, mean, var, weight, bias, training=False, eps=self.epsilon)

    def extract(self, channels: int, statistics: Statistics | None) -> nn.BatchNorm2d:
        """A stock layer of `channels` channels that computes the same in eval mode.

        Raises:
            KeyError: there are no statistics for this layer.
        """
        layer = nn.BatchNorm2d(channels, eps=self.epsilon)
        self.copy_to(layer, statistics, slice(channels))
        return layer

    @torch.no_grad()
    def copy_to(
        self,
        layer: nn.BatchNorm1d | nn.BatchNorm2d,
        statistics: Statistics | None,
        channels: slice | Tensor,
    ) -> None:
        """Write scale, offset and statistics of some channels into a stock layer.

        Raises:
            KeyError: there are no statistics for this layer.
        """
        mean, var = (statistics or Statistics())[self.label]
        assert layer.running_mean is not None
        assert layer.running_var is not None
        layer.weight.copy_(self.weight[channels])
        layer.bias.copy_(self.bias[channels])
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(var)
