"""Which channels of a network can only go together: found by walking its operations once.

Every channel is a number of its own until an operation ties it to another: a sum ties two, a depthwise convolution
the one it reads to the one it makes, flattening spreads one over several features. Channels that are tied are one
unit, units that lie in the same tensors are one group, and of a group a subnet keeps the first k units.

Source: the dependency graph of Fang et al., "DepGraph: towards any structural pruning", CVPR 2023, here channel by
channel; the groups are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.networks.operations.steps import Step, keeps_zero

Ids = NDArray[np.int64]
_MOST_NUMBERS = 2**26
_MOST_CHANNELS = 2**19


class Ties:
    """Channels by number: which are tied to which, and which cannot change."""

    def __init__(self) -> None:
        self._parent: Ids = np.zeros(0, np.int64)
        self._pinned: dict[int, str] = {}
        self._stuck: set[int] = set()

    def new(self, n: int) -> Ids:
        """n channels that nothing ties yet.

        Raises:
            InvalidInput: there are too many.
        """
        first = len(self._parent)
        if first + n > _MOST_CHANNELS:
            raise InvalidInput(f"This network has more than {_MOST_CHANNELS:,} channels.")
        made = np.arange(first, first + n)
        self._parent = np.concatenate([self._parent, made])
        return made

    def tie(self, a: Ids, b: Ids) -> None:
        """Channel k of a is channel k of b."""
        for x, y in zip(self.roots(a).tolist(), self.roots(b).tolist(), strict=True):
            x, y = self._root(x), self._root(y)
            if x != y:
                self._parent[max(x, y)] = min(x, y)

    def pin(self, channels: Ids, why: str) -> None:
        """These stay as they are."""
        for channel in channels.tolist():
            self._pinned.setdefault(channel, why)

    def stick(self, channels: Ids) -> None:
        """These can change places, but zeroing one is not removing it."""
        self._stuck |= set(channels.tolist())

    def roots(self, channels: Ids) -> Ids:
        """One number per unit that the channels belong to."""
        found = self._parent[channels]
        while (self._parent[found] != found).any():
            found = self._parent[found]
        return found

    def pinned(self) -> dict[int, str]:
        """Unit -> why it stays."""
        found: dict[int, str] = {}
        for channel, why in self._pinned.items():
            found.setdefault(self._root(channel), why)
        return found

    def stuck(self) -> set[int]:
        """Units that cannot be removed by zeroing them."""
        return {self._root(channel) for channel in self._stuck}

    def _root(self, channel: int) -> int:
        while self._parent[channel] != channel:
            channel = int(self._parent[channel])
        return channel


@dataclass(frozen=True)
class Flow:
    """A value on its way.

    Attributes:
        shape: (channels, height, width) or (features,).
        ids: channel of each entry of the first axis.
        zero: whether a unit whose weights are zero is zero here.
    """

    shape: tuple[int, ...]
    ids: Ids
    zero: bool = True


@dataclass(frozen=True)
class Use:
    """An axis of a tensor that counts channels.

    Attributes:
        step: number of the step (from 1) that has it; 0 for a value that flows.
        tensor: "weight", "bias", ...; "in" and "out" for values.
        axis: of the tensor.
        ids: channel of each entry along it.
        role: "output" (makes them), "input" (reads them) or "elementwise" (scales or shifts them).
    """

    step: int
    tensor: str
    axis: int
    ids: Ids
    role: str


def trace(steps: Sequence[Step], entering: Flow, ties: Ties) -> tuple[list[Flow], list[Use]]:
    """Every value of a list of steps and every axis of their tensors; ties what belongs together.

    Args:
        steps: judged by `require_steps`.
        entering: what value 0 is.
        ties: gets the new channels.

    Raises:
        InvalidInput: the operations do not fit each other.
    """
    flows, uses = [entering], list[Use]()
    for at, step in enumerate(steps, 1):
        flows.append(after(at, step, [flows[value] for value in step["of"]], ties, uses))
    return flows, uses


def after(at: int, step: Step, given: Sequence[Flow], ties: Ties, uses: list[Use] | None = None) -> Flow:
    """What one step makes of what it reads; its uses are put behind the others. Raises as `trace`."""
    flow = _Walk(at, step, ties, [] if uses is None else uses).after(list(given))
    if math.prod(flow.shape) > _MOST_NUMBERS or min(flow.shape) < 1:
        raise InvalidInput(f"A {step['op']} of this network makes an output of an impossible size.")
    return flow


@dataclass(frozen=True)
class _Walk:
    at: int
    step: Step
    ties: Ties
    uses: list[Use]

    def after(self, given: list[Flow]) -> Flow:
        op = str(self.step["op"])
        special = getattr(self, f"_{op}", None)
        flow: Flow = special(*given) if special is not None else given[0]
        return flow if keeps_zero(self.step) else Flow(flow.shape, flow.ids, zero=False)

    def _require(self, fits: bool) -> None:
        if not fits:
            raise InvalidInput(
                f"Operation {self.at} of this network ({self.step['op']}) does not fit what it reads."
            )

    def _use(self, tensors: Sequence[str], axis: int, ids: Ids, role: str) -> None:
        self.uses.extend(Use(self.at, tensor, axis, ids, role) for tensor in tensors)

    def _reads(self, flow: Flow) -> None:
        if not flow.zero:
            self.ties.stick(flow.ids)

    def _conv(self, x: Flow) -> Flow:
        step = self.step
        ins, outs, groups = int(step["in_channels"]), int(step["out_channels"]), int(step["groups"])
        self._require(len(x.shape) == 3 and x.shape[0] == ins and ins % groups == 0 and outs % groups == 0)
        size = tuple(
            (side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for side, pad, dilation, kernel, stride in zip(
                x.shape[1:], step["padding"], step["dilation"], step["kernel"], step["stride"], strict=True
            )
        )
        self._require(min(size) > 0)
        self._reads(x)
        bias = ["bias"] if step["bias"] else []
        if groups == ins and groups > 1:
            made = np.repeat(x.ids, outs // ins)
            self._use(["weight", *bias], 0, made, "elementwise")
            return Flow((outs, *size), made)
        made = self.ties.new(outs)
        if groups > 1:
            why = f"a convolution in {groups} groups has its channels in a fixed order"
            self.ties.pin(x.ids, why)
            self.ties.pin(made, why)
            self._use(["weight"], 1, self.ties.new(ins // groups), "input")
            self.ties.pin(self.uses[-1].ids, why)
        else:
            self._use(["weight"], 1, x.ids, "input")
        self._use(["weight"], 0, made, "output")
        self._use(bias, 0, made, "elementwise")
        return Flow((outs, *size), made)

    def _linear(self, x: Flow) -> Flow:
        self._require(x.shape == (int(self.step["in_features"]),))
        self._reads(x)
        made = self.ties.new(int(self.step["out_features"]))
        self._use(["weight"], 1, x.ids, "input")
        self._use(["weight"], 0, made, "output")
        self._use(["bias"] if self.step["bias"] else [], 0, made, "elementwise")
        return Flow((len(made),), made)

    def _norm(self, x: Flow) -> Flow:
        self._require(x.shape[0] == int(self.step["channels"]))
        self._use(("weight", "bias", "running_mean", "running_var"), 0, x.ids, "elementwise")
        return Flow(x.shape, x.ids)

    def _pair(self, a: Flow, b: Flow, zero: bool) -> Flow:
        self._require(len(a.shape) == len(b.shape))
        shape = tuple(max(x, y) for x, y in zip(a.shape, b.shape, strict=True))
        self._require(all(s in (n, 1) for f in (a, b) for s, n in zip(f.shape, shape, strict=True)))
        whole = [flow for flow in (a, b) if flow.shape[0] == shape[0]]
        if len(whole) == 2:
            self.ties.tie(a.ids, b.ids)
        else:
            self._reads(b if whole[0] is a else a)
        return Flow(shape, whole[0].ids, zero)

    def _add(self, a: Flow, b: Flow) -> Flow:
        return self._pair(a, b, a.zero and b.zero and a.shape[0] == b.shape[0])

    def _mul(self, a: Flow, b: Flow) -> Flow:
        return self._pair(a, b, any(f.zero and f.shape[0] == max(a.shape[0], b.shape[0]) for f in (a, b)))

    def _concat(self, *given: Flow) -> Flow:
        rest = given[0].shape[1:]
        self._require(all(flow.shape[1:] == rest for flow in given))
        ids = np.concatenate([flow.ids for flow in given])
        return Flow((len(ids), *rest), ids, all(flow.zero for flow in given))

    def _max_pool(self, x: Flow) -> Flow:
        self._require(len(x.shape) == 3)
        step = self.step
        self._require(all(2 * p <= k for p, k in zip(step["padding"], step["kernel"], strict=True)))
        size = tuple(
            pooled(*sides, ceil=bool(step["ceil"]))
            for sides in zip(x.shape[1:], step["kernel"], step["stride"], step["padding"], strict=True)
        )
        self._require(min(size) > 0)
        return Flow((x.shape[0], *size), x.ids, x.zero)

    _avg_pool = _max_pool

    def _mean(self, x: Flow) -> Flow:
        self._require(len(x.shape) == 3)
        return Flow((x.shape[0], 1, 1), x.ids, x.zero)

    _max = _mean

    def _flatten(self, x: Flow) -> Flow:
        area = math.prod(x.shape[1:])
        self._require(len(x.shape) == 3 and x.shape[0] * area <= _MOST_NUMBERS)
        return Flow((x.shape[0] * area,), np.repeat(x.ids, area), x.zero)

    def _to_map(self, x: Flow) -> Flow:
        self._require(len(x.shape) == 1)
        return Flow((x.shape[0], 1, 1), x.ids, x.zero)

    def _pad(self, x: Flow) -> Flow:
        left, right, top, bottom = self.step["sides"]
        self._require(len(x.shape) == 3)
        return Flow((x.shape[0], x.shape[1] + top + bottom, x.shape[2] + left + right), x.ids, x.zero)


def pooled(side: int, kernel: int, stride: int, padding: int, *, ceil: bool) -> int:
    """Positions of a pooling window along one side, as torch counts them."""
    room = side + 2 * padding - kernel
    if not ceil:
        return room // stride + 1
    found = -(-room // stride) + 1
    return found - 1 if (found - 1) * stride >= side + padding else found
