"""Linear mode connectivity: can two networks be averaged?

On the straight line between the weights of two networks the loss usually rises to a barrier; where units
are first put into a common order it may vanish. BatchNorm statistics of a mixture are those of neither end,
so they are measured anew, from calibration images, at every point.

Source: Frankle et al., "Linear Mode Connectivity and the Lottery Ticket Hypothesis", ICML 2020 (barrier);
Ainsworth et al., "Git Re-Basin", ICLR 2023 (matching); Garipov et al., 2018 (the plane through three nets);
Jordan et al., "REPAIR", ICLR 2023 (why statistics are measured anew).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import JsonObject
from core.errors import InvalidInput
from core.geometry.alignment import require_same_shape
from core.networks.answers import outputs
from core.networks.calibration import recalibrate


@dataclass(frozen=True, eq=False)
class Judge:
    """The images a mixture is judged on.

    Attributes:
        images: (n, c, h, w) float32 in [0, 1].
        labels: (n,) int64.
        calibration: (m, c, h, w) training images for BatchNorm statistics.
    """

    images: Tensor
    labels: Tensor
    calibration: Tensor

    @classmethod
    def of(cls, x: NDArray[np.float32], y: NDArray[np.int64], calibration: NDArray[np.float32]) -> Judge:
        """From arrays, which are copied."""
        return cls(*(torch.from_numpy(np.array(array)) for array in (x, y, calibration)))

    @torch.no_grad()
    def measure(self, net: nn.Module) -> tuple[float, float]:
        """(mean cross-entropy in nats, accuracy) of a network after its statistics were measured anew."""
        recalibrate(net, self.calibration)
        logits = outputs(net, self.images)
        loss = float(F.cross_entropy(logits.double(), self.labels))
        return loss, float((logits.argmax(1) == self.labels).double().mean())


@dataclass(frozen=True, eq=False)
class Curve:
    """Loss and accuracy on the line from one network (t = 0) to another (t = 1).

    Attributes:
        t: (points,) rising from 0 to 1.
        loss: mean cross-entropy in nats.
        accuracy: fractions.
    """

    t: NDArray[np.float64]
    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def barrier(self) -> float:
        """Largest rise of the loss above the straight line between its ends, in nats; at least 0."""
        return float(np.max(self.loss - ((1 - self.t) * self.loss[0] + self.t * self.loss[-1])))

    @property
    def accuracy_barrier(self) -> float:
        """Largest fall of the accuracy below the straight line between its ends; at least 0."""
        line = (1 - self.t) * self.accuracy[0] + self.t * self.accuracy[-1]
        return float(np.max(line - self.accuracy))

    def to_json(self) -> JsonObject:
        return {name: getattr(self, name).tolist() for name in ("t", "loss", "accuracy")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Curve:
        return cls(*(np.asarray(data[name], dtype=np.float64) for name in ("t", "loss", "accuracy")))


@dataclass(frozen=True, eq=False)
class Plane:
    """Loss and accuracy on the plane through three networks.

    Attributes:
        x, y: (k,) coordinates of columns and rows, in units of the distance from the first to the second.
        loss, accuracy: (rows, columns).
        corners: (3, 2) where the three networks lie.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    corners: NDArray[np.float64]

    def to_json(self) -> JsonObject:
        return {name: getattr(self, name).tolist() for name in ("x", "y", "loss", "accuracy", "corners")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plane:
        return cls(
            *(np.asarray(data[n], dtype=np.float64) for n in ("x", "y", "loss", "accuracy", "corners"))
        )


def mixture(
    nets: Sequence[nn.Sequential], weights: Sequence[float], *, only: Callable[[str], bool] | None = None
) -> nn.Sequential:
    """A new network whose parameters are a weighted sum of several networks'.

    Args:
        nets: of the same shape; not changed. Buffers are the first one's (measure statistics anew).
        weights: one per network.
        only: parameters to mix, by name; the others stay the first network's. None mixes all.

    Raises:
        InvalidInput: the networks have different shapes.
    """
    for other in nets[1:]:
        require_same_shape(nets[0], other)
    made = copy.deepcopy(nets[0])
    others = [dict(net.named_parameters()) for net in nets]
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if only is None or only(name):
                mixed = sum(w * o[name].double() for w, o in zip(weights, others, strict=True))
                parameter.copy_(mixed)  # type: ignore[arg-type]
    return made


def curve(
    a: nn.Sequential,
    b: nn.Sequential,
    judge: Judge,
    *,
    points: int = 21,
    only: Callable[[str], bool] | None = None,
) -> Iterator[Curve]:
    """Walk from a to b; yields the curve after each point, complete at the last.

    Args:
        a, b: networks of the same shape; not changed.
        judge: images to judge on.
        points: at least 3, both ends included.
        only: parameters to move, by name (one stage, say).

    Raises:
        InvalidInput: the networks have different shapes, or there are too few points.
    """
    if points < 3:
        raise InvalidInput("A curve needs at least 3 points.")
    t = np.linspace(0.0, 1.0, points)
    found = []
    for k, at in enumerate(t, start=1):
        found.append(judge.measure(mixture([a, b], [1.0 - at, at], only=only)))
        values = np.array(found)
        yield Curve(t[:k], values[:, 0], values[:, 1])


def stage_parameters(index: int) -> Callable[[str], bool]:
    """Chooses the parameters of one stage, for layer-wise connectivity."""
    prefix = f"{index}."
    return lambda name: name.startswith(prefix)


def plane(
    a: nn.Sequential,
    b: nn.Sequential,
    c: nn.Sequential,
    judge: Judge,
    *,
    side: int = 15,
    margin: float = 0.25,
) -> Iterator[tuple[int, Plane]]:
    """Loss on the plane through three networks; yields (rows done, plane), rows to come are NaN.

    The plane's first axis points from a to b, its second is what is left of c minus a, made orthogonal;
    one unit of either is the distance from a to b.

    Raises:
        InvalidInput: the networks have different shapes, two of them are equal, or all lie on one line.
    """
    for other in (b, c):
        require_same_shape(a, other)
    names = [name for name, _ in a.named_parameters()]
    vectors = [
        torch.cat([dict(n.named_parameters())[k].double().flatten() for k in names]) for n in (a, b, c)
    ]
    first, second = vectors[1] - vectors[0], vectors[2] - vectors[0]
    length = float(first.norm())
    if length < 1e-9:
        raise InvalidInput(
            "A and B have the same weights, so they span no plane; choose three different networks."
        )
    along = float(second @ first) / length**2
    rest = second - along * first
    if float(rest.norm()) < 1e-6 * length:
        raise InvalidInput("The three networks lie on one line; choose another third network.")
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [along, float(rest.norm()) / length]])
    low, high = corners.min(0) - margin, corners.max(0) + margin
    x, y = np.linspace(low[0], high[0], side), np.linspace(low[1], high[1], side)
    values = np.full((2, side, side), np.nan)
    for row in range(side):
        for column in range(side):
            # The point as a weighted sum of the three networks; the weights add up to one.
            of_c = y[row] / corners[2, 1]
            of_b = x[column] - of_c * along
            mixed = mixture([a, b, c], [1.0 - of_b - of_c, of_b, of_c])
            values[:, row, column] = judge.measure(mixed)
        yield row + 1, Plane(x, y, values[0].copy(), values[1].copy(), corners)
