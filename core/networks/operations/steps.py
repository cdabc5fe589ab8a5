"""The operations that a network from elsewhere may be made of, and what each of them says of itself.

A network is a list of steps. A step is JSON: `op`, the values it reads (`of`) and its settings. Value 0 is the
input, value i the output of step i (counted from 1); the last one is the network's output. Steps may come from a
stranger's file, so every setting has bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import InvalidInput
from core.networks.blocks.base import Argument, Count

Step = dict[str, Any]
"""One operation: `op`, `of` and its settings, as JSON."""
MOST_STEPS = 4096
_MOST_INPUTS = 64


@dataclass(frozen=True)
class Whole(Argument):
    """A list of whole numbers of a fixed length."""

    length: int
    least: int = 0
    most: int = 1024

    def accepts(self, value: Any) -> bool:
        listed = isinstance(value, list | tuple) and len(value) == self.length
        return listed and all(type(each) is int and self.least <= each <= self.most for each in value)


@dataclass(frozen=True)
class Real(Argument):
    """A number within bounds."""

    least: float = -1e6
    most: float = 1e6

    def accepts(self, value: Any) -> bool:
        return type(value) in (int, float) and math.isfinite(value) and self.least <= value <= self.most


class Flag(Argument):
    """True or false."""

    def accepts(self, value: Any) -> bool:
        return type(value) is bool


@dataclass(frozen=True)
class Operation:
    """What is known of one operation.

    Attributes:
        settings: every one of them is required.
        inputs: least and most values it reads.
        keeps_zero: a channel that is zero everywhere stays zero.
        shape: whether it works number by number, so that its output may take over the memory of its input.
    """

    settings: Mapping[str, Argument] = field(default_factory=dict)
    inputs: tuple[int, int] = (1, 1)
    keeps_zero: bool = True
    elementwise: bool = False


_POOL: dict[str, Argument] = {
    "kernel": Whole(2, 1),
    "stride": Whole(2, 1),
    "padding": Whole(2),
    "ceil": Flag(),
}
_PLAIN = Operation(elementwise=True)
_NOT_ZERO = Operation(elementwise=True, keeps_zero=False)
_PAIR = Operation(inputs=(2, 2), elementwise=True)

OPERATIONS: dict[str, Operation] = {
    "conv": Operation(
        {
            "in_channels": Count(),
            "out_channels": Count(),
            "kernel": Whole(2, 1, 255),
            "stride": Whole(2, 1, 64),
            "padding": Whole(2, 0, 255),
            "dilation": Whole(2, 1, 64),
            "groups": Count(),
            "bias": Flag(),
        }
    ),
    "norm": Operation({"channels": Count(), "eps": Real(0, 1)}, elementwise=True),
    "linear": Operation({"in_features": Count(2**24), "out_features": Count(), "bias": Flag()}),
    "relu": _PLAIN,
    "relu6": _PLAIN,
    "hard_swish": _PLAIN,
    "silu": _PLAIN,
    "mish": _PLAIN,
    "tanh": _PLAIN,
    "erf": _PLAIN,
    "gelu": Operation({"tanh": Flag()}, elementwise=True),
    "leaky_relu": Operation({"slope": Real(-100, 100)}, elementwise=True),
    "elu": Operation({"alpha": Real(-100, 100)}, elementwise=True),
    "scale": Operation({"value": Real()}, elementwise=True),
    "sigmoid": _NOT_ZERO,
    "hard_sigmoid": _NOT_ZERO,
    "shift": Operation({"value": Real()}, elementwise=True, keeps_zero=False),
    "clip": Operation({"low": Real(-1e30, 1e30), "high": Real(-1e30, 1e30)}, elementwise=True),
    "add": _PAIR,
    "mul": _PAIR,
    "concat": Operation(inputs=(2, _MOST_INPUTS)),
    "max_pool": Operation(_POOL),
    "avg_pool": Operation({**_POOL, "count_padding": Flag()}),
    "mean": Operation(),
    "max": Operation(),
    "flatten": Operation(),
    "to_map": Operation(),
    "pad": Operation({"sides": Whole(4, 0, 255), "value": Real(-1e30, 1e30)}),
}
LAYERS = ("conv", "norm", "linear")
"""Operations with weights; the others have none."""
VIEWS = ("flatten", "to_map")
"""Operations whose output is their input in another shape."""


def require_steps(steps: Any) -> None:
    """Judge steps from a stranger's file one by one; whether they fit each other is asked by `channels.trace`.

    Raises:
        InvalidInput: one is no operation with exactly its settings, or reads what is not there yet.
    """
    if not isinstance(steps, Sequence) or isinstance(steps, str) or not 1 <= len(steps) <= MOST_STEPS:
        raise InvalidInput(f"A network has 1 to {MOST_STEPS:,} operations.")
    for at, step in enumerate(steps):
        if not isinstance(step, Mapping) or not isinstance(step.get("op"), str):
            raise InvalidInput("An operation of this network is not described as it should be.")
        known = OPERATIONS.get(step["op"])
        if known is None:
            raise InvalidInput("This network has an operation that is not known here.")
        of, (least, most) = step.get("of"), known.inputs
        if (
            not isinstance(of, list | tuple)
            or not least <= len(of) <= most
            or not all(type(each) is int and 0 <= each <= at for each in of)
        ):
            raise InvalidInput(f"Operation {at + 1} of this network reads what is not there.")
        if set(step) != {"op", "of", *known.settings}:
            raise InvalidInput(f"A {step['op']} of this network has other settings than it takes.")
        for name, argument in known.settings.items():
            if not argument.accepts(step[name]):
                raise InvalidInput(f"A {step['op']} of this network has an impossible setting: {name}.")


def keeps_zero(step: Step) -> bool:
    """Whether a channel that is zero stays zero through an operation."""
    if step["op"] == "clip":
        return bool(step["low"] <= 0 <= step["high"])
    if step["op"] == "pad":
        return bool(step["value"] == 0)
    return OPERATIONS[step["op"]].keeps_zero


def last_reads(steps: Sequence[Step]) -> dict[int, int]:
    """Value -> number of the last step (from 1) that reads it; the output is never read for the last time."""
    last = {value: at for at, step in enumerate(steps, 1) for value in step["of"]}
    last[len(steps)] = len(steps) + 1
    return last


def renumbered(steps: Sequence[Step], first: int) -> list[Step]:
    """Steps of a longer list as a list of their own, whose input is value `first`."""
    return [{**step, "of": [value - first for value in step["of"]]} for step in steps]
