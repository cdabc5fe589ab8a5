"""Putting a network together, operation by operation, while a file is read; what every reader of files shares."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.networks.limits import MOST_CHANNELS, MOST_SIDE
from core.networks.operations.channels import Flow, Ties, after
from core.networks.operations.steps import MOST_STEPS, Step, require_steps

Floats = NDArray[np.float32]
CAN = (
    "convolutions, BatchNorm, linear layers, the usual activations, sums, products, concatenations, poolings and "
    "flattening can be converted"
)


@dataclass(frozen=True, eq=False)
class GivenNetwork:
    """A network that was read, as operations.

    Attributes:
        input_shape: channels, height, width.
        steps: its operations; the last one makes a number per class.
        names: of each step, what the file calls it.
        tensors: (step from 1, "weight", "bias", "running_mean", ...) -> its numbers.
        mean, std: what the network subtracts from pixels and divides them by.
        facts: what was left out or understood otherwise, a sentence each.
    """

    input_shape: tuple[int, int, int]
    steps: tuple[Step, ...]
    names: tuple[str, ...]
    tensors: Mapping[tuple[int, str], Floats]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    facts: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        return int(self.steps[-1]["out_features"]) if self.steps[-1]["op"] == "linear" else 0


def _harmless(name: str) -> str:
    """A stranger's name as it may stand in a sentence; one that is no text at all comes as its bytes."""
    return re.sub(r"[^\w.:/ -]", "?", name)[:60]


def unknown(what: str, name: str) -> InvalidInput:
    """The refusal of an operation that cannot be converted."""
    told = _harmless(what)
    where = f" ({_harmless(name)})" if name else ""
    return InvalidInput(f"This network has the operation {told}{where}, which cannot be converted: {CAN}.")


def image_shape(sides: Sequence[Any]) -> tuple[int, int, int]:
    """Channels, height and width of an input (batch, channels, height, width), as a file gives them.

    Raises:
        InvalidInput: there are others, unknown or too large ones.
    """
    most = (MOST_CHANNELS, MOST_SIDE, MOST_SIDE)
    known = [
        side for side, limit in zip(sides[1:], most, strict=False) if type(side) is int and 1 <= side <= limit
    ]
    if len(sides) != 4 or len(known) != 3:
        shown = ", ".join(str(side or "?")[:20] for side in sides[:8])
        raise InvalidInput(
            f"The input of this network is ({shown}); it must be (batch, channels, height, width) with known sizes, at "
            f"most {MOST_CHANNELS} channels and {MOST_SIDE:,} pixels a side."
        )
    return known[0], known[1], known[2]


def _shapes(step: Step) -> dict[str, tuple[int, ...]]:
    """Of the tensors of a step."""
    if step["op"] == "norm":
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (step["channels"],))
    if step["op"] == "linear":
        return {"weight": (step["out_features"], step["in_features"]), "bias": (step["out_features"],)}
    ins = step["in_channels"] // step["groups"]
    return {"weight": (step["out_channels"], ins, *step["kernel"]), "bias": (step["out_channels"],)}


@dataclass
class Builder:
    """The steps so far. Values are numbered as in `steps`.

    Attributes:
        input_shape: channels, height, width.
        facts: sentences about what is read.
    """

    input_shape: tuple[int, int, int]
    facts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps: list[Step] = []
        self.names: list[str] = []
        self.tensors: dict[tuple[int, str], Floats] = {}
        self._ties = Ties()
        first = Flow(self.input_shape, self._ties.new(self.input_shape[0]))
        self.flows: list[Flow] = [first]
        self._scale = np.ones(self.input_shape[0])
        self._shift = np.zeros(self.input_shape[0])

    def shape(self, value: int) -> tuple[int, ...]:
        """Of one sample's value."""
        return self.flows[value].shape

    def add(
        self,
        op: str,
        of: Sequence[int],
        name: str = "",
        tensors: Mapping[str, NDArray[Any]] | None = None,
        **settings: Any,
    ) -> int:
        """One more operation; returns the number of its output.

        Raises:
            InvalidInput: it does not fit what it reads, or there are too many.
        """
        step: Step = {"op": op, "of": list(of), **settings}
        if len(self.steps) >= MOST_STEPS:
            raise InvalidInput(f"This network has more than {MOST_STEPS:,} operations.")
        require_steps([{**step, "of": [0 for _ in of]}])
        at = len(self.steps) + 1
        self.flows.append(after(at, step, [self.flows[value] for value in of], self._ties))
        self.steps.append(step)
        self.names.append(name)
        for tensor, numbers in (tensors or {}).items():
            array = np.array(numbers, np.float32)
            if array.shape != _shapes(step)[tensor]:
                raise InvalidInput(
                    f"A weight of this network ({name[:60] or op}) has another shape than it should."
                )
            if not np.isfinite(array).all():
                raise InvalidInput(f"A weight of this network ({_harmless(name) or op}) is no finite number.")
            self.tensors[at, tensor] = array
        return at

    # --- layers ---------------------------------------------------------------------------------

    def conv(
        self,
        of: int,
        weight: Any,
        bias: Any,
        *,
        stride: Sequence[int],
        sides: Sequence[int],
        dilation: Sequence[int],
        groups: int,
        name: str,
    ) -> int:
        """A convolution; `sides` are left, right, top, bottom."""
        weight = np.asarray(weight)
        if weight.ndim != 4:
            raise unknown(f"a convolution of {weight.ndim - 2} dimensions", name)
        of, padding = self.padded(of, sides, name)
        tensors = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return self.add(
            "conv",
            [of],
            name,
            tensors,
            in_channels=int(weight.shape[1]) * int(groups),
            out_channels=int(weight.shape[0]),
            kernel=[int(side) for side in weight.shape[2:]],
            stride=[int(s) for s in stride],
            padding=padding,
            dilation=[int(d) for d in dilation],
            groups=int(groups),
            bias=bias is not None,
        )

    def padded(self, of: int, sides: Sequence[int], name: str, value: float = 0.0) -> tuple[int, list[int]]:
        """The value and the symmetric padding [height, width] that remains; uneven sides become an operation."""
        left, right, top, bottom = (int(side) for side in sides)
        if left == right and top == bottom and min(left, top) >= 0:
            return of, [top, left]
        return self.add("pad", [of], name, sides=[left, right, top, bottom], value=value), [0, 0]

    def norm(self, of: int, weight: Any, bias: Any, mean: Any, var: Any, eps: float, name: str) -> int:
        channels = self.shape(of)[0]
        if mean is None or var is None:
            raise unknown("a BatchNorm without running statistics", name)
        tensors = {
            "weight": np.ones(channels) if weight is None else weight,
            "bias": np.zeros(channels) if bias is None else bias,
            "running_mean": mean,
            "running_var": var,
        }
        if float(np.min(tensors["running_var"])) < 0:
            raise InvalidInput("A variance in this network is negative.")
        return self.add("norm", [of], name, tensors, channels=channels, eps=float(eps))

    def linear(self, of: int, weight: Any, bias: Any, name: str) -> int:
        """A linear layer with a (out, in) weight; a map of one position is flattened before it."""
        weight = np.asarray(weight)
        if weight.ndim != 2 or len(self.shape(of)) != 1:
            raise unknown("a product of more than vectors with a matrix", name)
        tensors = {"weight": weight} if bias is None else {"weight": weight, "bias": np.ravel(bias)}
        return self.add(
            "linear",
            [of],
            name,
            tensors,
            in_features=int(weight.shape[1]),
            out_features=int(weight.shape[0]),
            bias=bias is not None,
        )

    def affine(self, of: int, scale: Any, shift: Any, name: str, *, alone: bool = False) -> int:
        """x * scale + shift, with single numbers or one per channel.

        Args:
            of: the value x.
            scale, shift: constants.
            name: of the operation.
            alone: whether nothing else reads x, so that a layer before may take the shift as its bias.
        """
        scale, shift = np.asarray(scale, np.float64), np.asarray(shift, np.float64)
        shape = self.shape(of)
        if of == 0 and not self.steps:
            return self._pixels(scale, shift, name)
        if scale.size == shift.size == 1:
            if float(scale.ravel()[0]) != 1:
                of = self.add("scale", [of], name, value=float(scale.ravel()[0]))
            if float(shift.ravel()[0]) != 0:
                of = self.add("shift", [of], name, value=float(shift.ravel()[0]))
            return of
        scale, shift = _per_channel(scale, shape, name), _per_channel(shift, shape, name)
        last = self.steps[of - 1] if of else None
        if alone and last is not None and last["op"] in ("linear", "conv") and (scale == 1).all():
            bias = self.tensors.get((of, "bias"), np.zeros(shape[0], np.float32))
            self.tensors[of, "bias"] = (bias + shift).astype(np.float32)
            self.steps[of - 1] = {**last, "bias": True}
            return of
        if len(shape) != 3:
            raise unknown("a product with constants", name)
        return self.conv(
            of,
            scale.reshape(-1, 1, 1, 1),
            shift,
            stride=(1, 1),
            sides=(0, 0, 0, 0),
            dilation=(1, 1),
            groups=shape[0],
            name=name,
        )

    def _pixels(self, scale: NDArray[np.float64], shift: NDArray[np.float64], name: str) -> int:
        """What a network does to pixels before anything else belongs to the data, not to its weights."""
        scale = _per_channel(scale, self.input_shape, name)
        if (scale == 0).any():
            raise unknown("a product of the input with zero", name)
        self._scale = self._scale * scale
        self._shift = self._shift * scale + _per_channel(shift, self.input_shape, name)
        return 0

    # --- shapes ---------------------------------------------------------------------------------

    def pool(
        self,
        op: str,
        of: int,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        sides: Sequence[int],
        ceil: bool,
        name: str,
        count_padding: bool = True,
    ) -> int:
        """Max or average pooling; `sides` are left, right, top, bottom."""
        uneven = (sides[0], sides[2]) != (sides[1], sides[3])
        if op == "avg_pool" and uneven and not count_padding:
            raise unknown("an average pooling with uneven padding", name)
        lowest = -1e30 if op == "max_pool" else 0.0
        of, padding = self.padded(of, sides, name, lowest)
        more: dict[str, Any] = {"count_padding": bool(count_padding)} if op == "avg_pool" else {}
        return self.add(
            op,
            [of],
            name,
            kernel=[int(k) for k in kernel],
            stride=[int(s) for s in stride],
            padding=padding,
            ceil=bool(ceil),
            **more,
        )

    def pooled_to(self, op: str, of: int, size: Sequence[int], name: str) -> int:
        """Adaptive pooling to a size: of everything, or in windows that fit."""
        shape = self.shape(of)
        size = [side if goal is None else int(goal) for goal, side in zip(size, shape[1:], strict=True)]
        if tuple(size) == tuple(shape[1:]):
            return of
        if size == [1, 1]:
            return self.add("mean" if op == "avg_pool" else "max", [of], name)
        if any(side % goal for side, goal in zip(shape[1:], size, strict=True)):
            raise unknown(f"an adaptive pooling of {shape[1:]} to {tuple(size)}", name)
        kernel = [side // goal for side, goal in zip(shape[1:], size, strict=True)]
        return self.pool(op, of, kernel=kernel, stride=kernel, sides=(0,) * 4, ceil=False, name=name)

    def over_area(self, op: str, of: int, axes: Sequence[int], keep: bool, name: str) -> int:
        """Mean or maximum over the axes of (n, c, h, w): of the area alone."""
        if len(self.shape(of)) != 3 or sorted(axis % 4 for axis in axes) != [2, 3]:
            raise unknown(f"a {op} over other axes than height and width", name)
        of = self.add(op, [of], name)
        return of if keep else self.add("flatten", [of], name)

    def reshaped(self, of: int, target: Sequence[int | None], name: str) -> int:
        """The value as (n, *target); None or -1 stands for what is left over."""
        shape, goal = self.shape(of), [None if side in (None, -1) else int(side or 0) for side in target]
        if goal.count(None) == 1:
            known = math.prod(side for side in goal if side is not None)
            goal[goal.index(None)] = math.prod(shape) // max(known, 1)
        wanted = tuple(side for side in goal if side is not None)
        if wanted == shape:
            return of
        if len(shape) == 3 and wanted == (math.prod(shape),):
            return self.add("flatten", [of], name)
        if len(shape) == 1 and wanted == (shape[0], 1, 1):
            return self.add("to_map", [of], name)
        raise unknown(f"a reshape of {shape} to {wanted}", name)

    # --- the end --------------------------------------------------------------------------------

    def finished(self, output: int) -> GivenNetwork:
        """The network that ends with a value; operations that do not lead to it are left out.

        Raises:
            InvalidInput: it is no image classifier.
        """
        if len(self.shape(output)) != 1:
            one = self.shape(output)[1:] == (1, 1)
            if not one:
                raise InvalidInput(
                    f"This network answers with {self.shape(output)} numbers; an image classifier answers with one "
                    "number per class."
                )
            output = self.add("flatten", [output], "")
        needed, order = {output}, list[int]()
        for at in range(len(self.steps), 0, -1):
            if at in needed:
                needed |= set(self.steps[at - 1]["of"])
                order.insert(0, at)
        if 0 not in needed or not any(self.steps[at - 1]["op"] in ("conv", "linear") for at in order):
            raise InvalidInput(
                "This network has no convolution or linear layer between its input and its output."
            )
        new = {0: 0} | {at: number for number, at in enumerate(order, 1)}
        steps = [
            {**self.steps[at - 1], "of": [new[value] for value in self.steps[at - 1]["of"]]} for at in order
        ]
        return GivenNetwork(
            self.input_shape,
            tuple(steps),
            tuple(self.names[at - 1] for at in order),
            {(new[at], tensor): array for (at, tensor), array in self.tensors.items() if at in new},
            tuple((0 - self._shift / self._scale).tolist()),
            tuple((1 / self._scale).tolist()),
            tuple(dict.fromkeys(self.facts)),
        )


def _per_channel(numbers: NDArray[np.float64], shape: Sequence[int], name: str) -> NDArray[np.float64]:
    """(channels,) of single numbers or of an array that counts channels of (n, c, h, w) or (n, f)."""
    if numbers.size == 1:
        return np.full(shape[0], float(numbers.ravel()[0]))
    axis = numbers.ndim - len(shape)
    if numbers.size != shape[0] or axis < 0 or numbers.shape[axis] != shape[0]:
        raise unknown("a product or sum with constants that differ from place to place", name)
    return numbers.ravel()
