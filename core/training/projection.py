"""What compares features of different widths in a space of their own: pooling, projection, and their distance."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional as F

from core.spaces import Arch
from core.supernets.base import Supernet


class Projection(nn.Module):
    """Two linear layers with BatchNorm between them, which normalizes by the batch.

    The first reads as many of its inputs as there are: the features of a narrow subnet are the first ones of a wide one.

    Args:
        inputs: most features.
        hidden, outputs: sizes of the layers.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.norm = nn.BatchNorm1d(hidden, track_running_stats=False)
        self.second = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, outputs) of (n, up to inputs) features."""
        x = F.linear(x, self.first.weight[:, : x.shape[1]], self.first.bias)
        projected: Tensor = self.second(F.relu(self.norm(x)))
        return projected


def pooled(x: Tensor, axis: int) -> Tensor:
    """(n, channels) means over all axes of (n, ...) activations but the rows' and the channels'."""
    others = [i for i in range(1, x.ndim) if i != axis]
    return x.mean(others) if others else x


def channels_after(net: Supernet, index: int, archs: Iterable[Arch]) -> tuple[int, int]:
    """Where the channels are in the activations after a stage, and the most of them in these subnets.

    A map (channels, height, width) has them first, a row of tokens last; a shape with several equal sides is told by
    another subnet's.
    """
    most, clear, axis = 0, False, 1
    for arch in archs:
        stage = net.chain[index]
        if stage.key(arch) is None:
            continue
        cost = stage.cost(arch)
        at = [i for i, size in enumerate(cost.output_shape, 1) if size == cost.channels]
        if at and not clear:
            axis, clear = at[0] if len(cost.output_shape) == 3 else at[-1], len(at) == 1
        most = max(most, cost.channels)
    return axis, most


def apart(given: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance of (n, k) vectors of length 1 in the same directions, the mean over samples: 2 - 2 cos."""
    return 2 - 2 * F.cosine_similarity(given, wanted, dim=1).mean()
