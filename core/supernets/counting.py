"""Counting a stage by writing down what it does: layers by name, values that are read and made. No torch.

A stage says its operations in the order of its code, and out come its multiply-accumulates, its parameters, the bytes
it stores and the most bytes alive at once (see `core.supernets.stage_cost.counts` for what these mean). So no stage
works out by hand which of its maps overlap in time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.supernets.stage_cost import counts
from core.supernets.statistics import stored_bytes


@dataclass(eq=False)
class Value:
    """A tensor of one sample.

    Attributes:
        channels: units of it.
        size: height and width, or tokens; empty for a vector.
        each: bytes of one of its numbers.
    """

    channels: int
    size: tuple[int, ...]
    each: int = 4

    @property
    def nbytes(self) -> int:
        return self.each * self.channels * math.prod(self.size)


@dataclass
class Count:
    """What a stage does, operation by operation; each returns what it makes."""

    macs: int = 0
    params: int = 0
    buffer_bytes: int = 0
    _given: list[Value] = field(default_factory=list)
    _steps: list[tuple[bool, tuple[Value, ...], Value]] = field(default_factory=list)

    # --- values -----------------------------------------------------------------------------------------

    def given(self, channels: int, size: Sequence[int] = (), each: int = 4) -> Value:
        """What flows into the stage; alive until the stage has ended."""
        value = Value(channels, tuple(size), each)
        self._given.append(value)
        return value

    def made(self, reads: Sequence[Value], channels: int, size: Sequence[int] = (), each: int = 4) -> Value:
        """A new tensor, made of others."""
        value = Value(channels, tuple(size), each)
        self._steps.append((False, tuple(reads), value))
        return value

    def over(self, *reads: Value, result: Value | None = None) -> Value:
        """An operation on single numbers: works in place of an operand that nobody reads later, if one has its size.

        The first operand has the size of the result, unless one is given.
        """
        value = result or Value(reads[0].channels, reads[0].size, reads[0].each)
        self._steps.append((True, reads, value))
        return value

    # --- layers -----------------------------------------------------------------------------------------

    def conv(
        self,
        x: Value,
        channels: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        *,
        groups: int = 1,
        bias: bool = False,
    ) -> Value:
        """A convolution that keeps a map's size, but for its stride.

        Args:
            x: what it reads.
            channels: it makes.
            kernel: its side, or height and width.
            stride, groups, bias: of the layer.
        """
        size = tuple(-(-side // stride) for side in x.size)
        area = kernel * kernel if isinstance(kernel, int) else math.prod(kernel)
        weights = area * (x.channels // groups) * channels
        self.macs += weights * math.prod(size)
        self.params += weights + (channels if bias else 0)
        return self.made([x], channels, size)

    def linear(self, x: Value, channels: int) -> Value:
        """A linear layer with a bias, on a vector."""
        self.macs += x.channels * channels
        self.params += (x.channels + 1) * channels
        return self.made([x], channels)

    def batch_norm(self, x: Value) -> Value:
        self.params += 2 * x.channels
        self.buffer_bytes += stored_bytes(x.channels)
        return self.over(x)

    def scaled(self, x: Value) -> Value:
        """A normalization by the sample itself (LayerNorm, GroupNorm), with scale and offset per channel."""
        self.params += 2 * x.channels
        return self.over(x)

    def pooled(self, x: Value, stride: int) -> Value:
        """The mean or the maximum over windows."""
        return self.made([x], x.channels, [-(-side // stride) for side in x.size])

    def mean(self, x: Value) -> Value:
        """The mean over all positions."""
        return self.made([x], x.channels)

    # --- what comes out ---------------------------------------------------------------------------------

    def held_bytes(self, results: Sequence[Value]) -> int:
        """Most bytes alive at once: a value lives from its making to its last reader, the stage's results to the end."""
        kept = {*self._given, *results}
        last = {value: at for at, (_, reads, _) in enumerate(self._steps) for value in reads}
        alive, most = set(self._given), sum(v.nbytes for v in self._given)
        for at, (in_place, reads, made) in enumerate(self._steps):
            ends = [v for v in dict.fromkeys(reads) if v not in kept and last[v] == at]
            taken = next((v for v in ends if in_place and v.nbytes == made.nbytes), None)
            if taken is not None:
                alive.discard(taken)
                ends.remove(taken)
            alive.add(made)
            most = max(most, sum(v.nbytes for v in alive))
            alive.difference_update(ends)
            if made not in kept and made not in last:
                alive.discard(made)
        return most

    def counted(self, *results: Value, **others: int) -> dict[str, int]:
        """The quantities of the stage, which returns these values; others are what else the family counts."""
        return counts(
            macs=self.macs,
            params=self.params,
            held_bytes=self.held_bytes(results),
            buffer_bytes=self.buffer_bytes,
            **others,
        )
