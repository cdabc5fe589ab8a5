"""Units that can only change places, or go, together; and the walk over a chain of blocks that collects them.

A unit of a plain network is more than one row of one weight: the layers that read it, its normalization
and every layer that adds to the same residual stream hold entries for it. A `UnitGroup` lists them all, so
that permuting the entries of a group leaves the function as it is.

A residual stream whose width grows by zero padding or shrinks by cutting is one stream of several *bands*,
between the widths that occur: permuting within a band commutes with padding and cutting, across bands it
does not. Attention heads move as whole heads.

Source: the permutation specifications of Ainsworth et al., "Git Re-Basin", ICLR 2023; the bands are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Place = str | tuple[str, int] | tuple[str, int, int]
"""A tensor; the entry where the first unit lies, and the entries of a unit, where they are not those of the group."""


@dataclass(frozen=True)
class Member:
    """Entries of one tensor that belong to the units of a group.

    Attributes:
        tensor: name in the network's state_dict.
        axis: along which the units lie.
        offset: where the first unit starts.
        repeat: consecutive entries of one unit (the size of an attention head).
        role: "output" (makes the unit), "input" (reads it) or "elementwise" (scales or shifts it).
    """

    tensor: str
    axis: int
    offset: int
    repeat: int
    role: str


@dataclass(frozen=True)
class UnitGroup:
    """Units with everything that belongs to them.

    Attributes:
        name: "3.inner", "stream 0, units 8 to 15", ...
        size: number of units.
        members: entries of tensors.
        reads: (module, offset, repeat): outputs of these modules hold the units' activations.
        free: whether the units live inside one block, outside any residual stream.
        removable: whether a unit that is zeroed everywhere may be cut out without changing the others;
            not where a LayerNorm averages over the units.
    """

    name: str
    size: int
    members: tuple[Member, ...]
    reads: tuple[tuple[str, int, int], ...]
    free: bool
    removable: bool = True


def batch_norm(module: str) -> list[str]:
    """The tensors of a BatchNorm layer, one entry per unit each."""
    return [f"{module}.{name}" for name in ("weight", "bias", "running_mean", "running_var")]


def layer_norm(module: str) -> list[str]:
    """The tensors of a LayerNorm layer, one entry per unit each."""
    return [f"{module}.{name}" for name in ("weight", "bias")]


@dataclass(frozen=True)
class _Span:
    """Units `low` to `high` of a stream in a tensor: where the first one starts, and entries of each."""

    tensor: str
    axis: int
    role: str
    low: int
    high: int
    offset: int = 0
    repeat: int = 1

    def member(self, low: int) -> Member:
        return Member(
            self.tensor, self.axis, self.offset + (low - self.low) * self.repeat, self.repeat, self.role
        )


@dataclass
class _Stream:
    """A residual stream while the network is walked: who makes, reads or scales its units."""

    name: str
    members: list[_Span] = field(default_factory=list)
    reads: list[tuple[str, int, int]] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)
    averaged: bool = False

    def groups(self) -> list[UnitGroup]:
        """One group per band between the widths that occur, without what keeps its place."""
        edges = {0} | {edge for span in self.members for edge in (span.low, span.high)}
        edges |= {edge for span in self.kept for edge in span}
        found = []
        for low, high in pairwise(sorted(edges)):
            members = tuple(s.member(low) for s in self.members if s.low <= low and s.high >= high)
            if not members or any(a <= low and high <= b for a, b in self.kept):
                continue
            reads = tuple((module, start + low, 1) for module, width, start in self.reads if width >= high)
            label = f"{self.name}, units {low} to {high - 1}"
            found.append(
                UnitGroup(label, high - low, members, reads, free=False, removable=not self.averaged)
            )
        return found


class UnitWalk:
    """Collects groups block by block; a block says through it which of its tensors belong to which units.

    Tensors and modules are named as inside the block. `width` counts units of the stream from the first on.
    """

    def __init__(self) -> None:
        self._at = ""
        self._streams = [_Stream("stream 0")]
        self._inner: list[UnitGroup] = []
        self._leaving = 0

    @property
    def at(self) -> str:
        """Name of the current block in the network."""
        return self._at

    @property
    def at_input(self) -> bool:
        """Whether what flows is still the network's input, whose channels keep their places."""
        return len(self._streams) == 1 and not self._streams[0].members and not self._inner

    def enter(self, at: str) -> None:
        """Go on with the block of this name in the network."""
        self._at, self._leaving = at, 0

    def reads(self, tensor: str, width: int, *, axis: int = 1, start: int = 0, back: int = 0) -> None:
        """A weight that reads the stream, its first unit at entry `start` (where several maps lie side by side).

        With `back`, the stream that so many came after, or the first one: blocks may hand on more than one map.
        """
        stream = self._streams[max(-1 - back, -len(self._streams))]
        stream.members.append(_Span(f"{self._at}.{tensor}", axis, "input", 0, width, start))

    def width(self, back: int = 0) -> int:
        """Units of the stream, or of the one that so many came after."""
        stream = self._streams[max(-1 - back, -len(self._streams))]
        return max((span.high for span in stream.members), default=0)

    def makes(self, tensor: str, width: int, *, axis: int = 0) -> None:
        """A weight that adds to the stream."""
        self._add(tensor, axis, "output", width)

    def scales(self, tensors: Sequence[str], width: int, *, axis: int = 0, start: int = 0) -> None:
        """Tensors that scale or shift the stream's units, each by itself: BatchNorms, biases, positions."""
        for tensor in tensors:
            self._add(tensor, axis, "elementwise", width, start)

    def averages(self, norm: str, width: int, *, shifted: bool = True) -> None:
        """A LayerNorm over the stream, or an RMSNorm (not shifted): units can change places, but none can be cut out."""
        self._streams[-1].averaged = True
        self.scales(layer_norm(norm) if shifted else [f"{norm}.weight"], width)

    def shows(self, width: int, start: int = 0) -> None:
        """The block's output holds the activations of the stream's first units, the first of them at entry `start`."""
        self._streams[-1].reads.append((self._at, width, start))

    def shows_all(self) -> None:
        """The block's output holds the activations of every unit of the stream: it has no weights that say how many."""
        self.shows(self.width())

    def new_stream(self) -> None:
        """What follows belongs to another stream: no shortcut leads past here unchanged."""
        self._streams.append(_Stream(f"stream {len(self._streams)}"))

    def inner(
        self,
        name: str,
        size: int,
        *,
        made: Sequence[Place],
        scaled: Sequence[Place],
        read: Sequence[Place],
        shown: str,
        repeat: int = 1,
    ) -> None:
        """Units that live inside the block; a tensor that holds them more than once is named with each first entry.

        Args:
            name: of the group, within the block.
            size: number of units.
            made: weights whose axis 0 makes them.
            scaled: tensors whose axis 0 scales or shifts them.
            read: weights whose axis 1 reads them.
            shown: module whose output holds their activations.
            repeat: consecutive entries of one unit.
        """
        members = []
        for places, axis, role in ((made, 0, "output"), (scaled, 0, "elementwise"), (read, 1, "input")):
            for place in places:
                tensor, first, each = (place, 0, repeat) if isinstance(place, str) else (*place, repeat)[:3]
                members.append(Member(f"{self._at}.{tensor}", axis, first, each, role))
        reads = ((f"{self._at}.{shown}", 0, repeat),)
        self._inner.append(UnitGroup(f"{self._at}.{name}", size, tuple(members), reads, free=True))

    def between(self, name: str, size: int, first: str, norm: str, then: str) -> None:
        """Units inside the block, from one convolution by its BatchNorm to the next.

        Args:
            name, size: see `inner`.
            first, norm, then: the layers.
        """
        read = [f"{then}.weight"]
        self.inner(name, size, made=[f"{first}.weight"], scaled=batch_norm(norm), read=read, shown=norm)

    def ends(self, layer: str, norm: str, width: int) -> None:
        """The block's last layer and its BatchNorm add to the stream, which is what the block hands on."""
        self.makes(f"{layer}.weight", width)
        self.scales(batch_norm(norm), width)
        self.shows(width)

    def squeezed(self, size: int) -> None:
        """Units of squeeze-and-excite, by the names that blocks give its two layers."""
        self.inner(
            "squeezed",
            size,
            made=["squeeze.weight"],
            scaled=["squeeze.bias"],
            read=["excite.weight"],
            shown="squeeze",
        )

    def widened(self, hidden: int, squeezed: int) -> None:
        """Hidden units of an inverted bottleneck, by the names that such blocks give their parts.

        Args:
            hidden: their number.
            squeezed: units of squeeze-and-excite; 0 without it.
        """
        scaled, read = [*batch_norm("norm1"), "depthwise.weight", *batch_norm("norm2")], ["project.weight"]
        if squeezed:
            self.squeezed(squeezed)
            scaled += ["excite.weight", "excite.bias"]
            read.append("squeeze.weight")
        self.inner("hidden", hidden, made=["expand.weight"], scaled=scaled, read=read, shown="norm2")

    def span(
        self, tensor: str, axis: int, role: str, units: tuple[int, int], offset: int, repeat: int
    ) -> None:
        """A tensor that holds some units of the stream, whatever it does with them.

        Args:
            tensor, axis, role: see `Member`.
            units: the first one, and the one behind the last.
            offset: where the first one starts.
            repeat: consecutive entries of one unit.
        """
        span = _Span(f"{self._at}.{tensor}", axis, role, *units, offset, repeat)
        self._streams[-1].members.append(span)

    def keep(self, low: int, high: int) -> None:
        """Units of the stream from `low` to below `high` neither change places nor go."""
        self._streams[-1].kept.append((low, high))

    def hands_on(self, width: int) -> None:
        """The block's output is the stream; should no block follow, it is the network's output and stays."""
        self.shows(width)
        self._leaving = width

    def inner_units(
        self,
        name: str,
        size: int,
        members: Sequence[Member],
        shown: tuple[str, int, int],
        removable: bool,
    ) -> None:
        """Units inside the block, by entries of tensors named as in the network; see `UnitGroup`."""
        self._inner.append(
            UnitGroup(f"{self._at}.{name}", size, tuple(members), (shown,), free=True, removable=removable)
        )

    def attention_and_mlp(self, *, width: int, heads: int, head_size: int, hidden: int) -> None:
        """Pre-norm attention and MLP beside their shortcuts, by the names that transformer blocks give their parts."""
        self.averages("norm1", width)
        self.averages("norm2", width)
        parts = ("query", "key", "value")
        for name in (*parts, "expand"):
            self.reads(f"{name}.weight", width)
        for name in ("project", "contract"):
            self.makes(f"{name}.weight", width)
            self.scales([f"{name}.bias"], width)
        self.shows(width)
        self.inner(
            "hidden",
            hidden,
            made=["expand.weight"],
            scaled=["expand.bias"],
            read=["contract.weight"],
            shown="expand",
        )
        self.inner(
            "heads",
            heads,
            made=[f"{part}.weight" for part in parts],
            scaled=[f"{part}.bias" for part in parts],
            read=["project.weight"],
            shown="value",
            repeat=head_size,
        )

    def groups(self) -> list[UnitGroup]:
        """Every group found, inner groups first."""
        if self._leaving:
            self.keep(0, self._leaving)
        return self._inner + [g for stream in self._streams for g in stream.groups() if g.size]

    def _add(self, tensor: str, axis: int, role: str, width: int, start: int = 0) -> None:
        self._streams[-1].members.append(_Span(f"{self._at}.{tensor}", axis, role, 0, width, start))
