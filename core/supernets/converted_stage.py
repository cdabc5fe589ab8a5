"""A stage of a converted network: a short list of operations whose channels can be fewer."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.image_normalization import ImageNormalization
from core.networks.blocks.operations_block import OperationsBlock
from core.networks.operations.grouping import Layout, entries, spans
from core.networks.operations.steps import OPERATIONS, VIEWS, Step, last_reads
from core.spaces import SearchSpace
from core.supernets.base import Stage
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm, Statistics, by_the_batch, exact, stored_bytes

Kept = Mapping[int, int]
"""Group -> units of it that a subnet has."""


@dataclass(frozen=True)
class Plan:
    """What a stage is made of.

    Attributes:
        label, group: see `StageCost`.
        size: height and width of what enters; empty for vectors.
        steps: with the channels of the largest subnet.
        axes: (step, tensor, axis) -> how its entries lie.
        values: of each value how its channels lie, and its height and width.
        kept: group -> (its choice, units of it by option).
        depth: (choice, options of it) that have this stage; None where every subnet has it.
    """

    label: str
    group: str
    size: tuple[int, ...]
    steps: tuple[Step, ...]
    axes: Mapping[tuple[int, str, int], Layout]
    values: tuple[tuple[Layout, tuple[int, ...]], ...]
    kept: Mapping[int, tuple[str, tuple[int, ...]]]
    depth: tuple[str, tuple[int, ...]] | None = None

    @property
    def groups(self) -> list[int]:
        """Groups that the stage's tensors or values have units of, in order."""
        layouts = [*self.axes.values(), *(layout for layout, _ in self.values)]
        return sorted({p.group for layout in layouts for p in layout if p.group is not None})


def first_entries(tensor: Tensor, axis: int, layout: Layout, kept: Kept) -> Tensor:
    """The entries of an axis that a subnet keeps; a view where they lie in one piece."""
    parts = [tensor.narrow(axis, start, length) for start, length in spans(layout, _Known(kept))]
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)


class _Known(Sequence[int]):
    """Groups of one stage by their number."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def __getitem__(self, group: Any) -> Any:
        return self._kept[group]

    def __len__(self) -> int:
        return max(self._kept, default=-1) + 1


class _Weights(nn.Module):
    """Weight and bias of a convolution or linear layer."""

    def __init__(self, shape: Sequence[int], outputs: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(*shape))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None


class _Norm(ElasticBatchNorm):
    """BatchNorm of the channels that a subnet keeps, wherever they lie.

    Args:
        channels: the most channels it will see.
        eps: added to variances.
    """

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__(channels)
        self.eps = eps

    def normalize(self, x: Tensor, weight: Tensor, bias: Tensor, statistics: Statistics | None) -> Tensor:
        if statistics is None:
            return by_the_batch(x, weight, bias, self.eps)
        if statistics.recording:
            axes = [0, *range(2, x.ndim)]
            var, mean = torch.var_mean(exact(x[: statistics.rows]), dim=axes, correction=0)
            statistics[self.label] = (mean, var)
        mean, var = statistics[self.label]
        return F.batch_norm(x, mean, var, weight, bias, training=False, eps=self.eps)


class SegmentStage(Stage):
    """The operations of one segment; a subnet keeps the first units of each group.

    Args:
        space: of the supernet.
        plan: what it is made of.
    """

    def __init__(self, space: SearchSpace, plan: Plan) -> None:
        super().__init__(space)
        self.plan = plan
        self._groups = plan.groups
        names = [plan.kept[group][0] for group in self._groups if group in plan.kept]
        self._widths = tuple(dict.fromkeys(names))
        self.depends_on = (*self._widths, *([plan.depth[0]] if plan.depth else []))
        self.layers = nn.ModuleDict()
        for at, step in enumerate(plan.steps, 1):
            if step["op"] in ("conv", "linear"):
                self.layers[str(at)] = _Weights(_shape(step), _outputs(step), bool(step["bias"]))
            elif step["op"] == "norm":
                self.layers[str(at)] = _Norm(int(step["channels"]), float(step["eps"]))

    def key(self, arch: Sequence[int]) -> Hashable:
        if self.plan.depth is not None:
            name, options = self.plan.depth
            if arch[self.space.position[name]] not in options:
                return None
        return tuple(arch[self.space.position[name]] for name in self._widths)

    def kept(self, arch: Sequence[int]) -> dict[int, int]:
        """Units of each group in an architecture."""
        found = {}
        for group in self._groups:
            name, units = self.plan.kept[group]
            found[group] = units[arch[self.space.position[name]] if name else 0]
        return found

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return self.run(x, arch, statistics)

    def run(
        self,
        x: Tensor,
        arch: Sequence[int],
        statistics: Statistics | None,
        before: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """`forward`; `before` is told the number of each layer and what enters it, just before it works."""
        steps, kept = self.plan.steps, self.kept(arch)
        last, values = last_reads(steps), {0: x}
        for at, step in enumerate(steps, 1):
            given = [values[value] for value in step["of"]]
            if str(at) in self.layers:
                if before is not None:
                    before(at, given[0])
                values[at] = self._layer(at, step, given[0], kept, statistics)
            else:
                values[at] = OperationsBlock.plain(step, *given)
            for value in set(step["of"]):
                if last[value] == at:
                    del values[value]
        return values[len(steps)]

    def _tensors(self, at: int, kept: Kept) -> dict[str, Tensor]:
        """The parameters of a layer as a subnet has them; gradients flow through."""
        layer = self.layers[str(at)]
        found = {}
        for name, parameter in layer.named_parameters(recurse=False):
            part: Tensor = parameter
            for axis in range(parameter.ndim):
                layout = self.plan.axes.get((at, name, axis))
                if layout is not None:
                    part = first_entries(part, axis, layout, kept)
            found[name] = part
        return found

    def _layer(self, at: int, step: Step, x: Tensor, kept: Kept, statistics: Statistics | None) -> Tensor:
        tensors = self._tensors(at, kept)
        weight, bias = tensors["weight"], tensors.get("bias")
        if step["op"] == "linear":
            return F.linear(x, weight, bias)
        if step["op"] == "norm":
            norm = self.layers[str(at)]
            assert isinstance(norm, _Norm)
            assert bias is not None
            return norm.normalize(x, weight, bias, statistics)
        stride, padding, dilation = (step[name] for name in ("stride", "padding", "dilation"))
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    def sized(self, arch: Sequence[int]) -> list[Step]:
        """The steps with the channels of a subnet."""
        kept, found = self.kept(arch), []
        for at, step in enumerate(self.plan.steps, 1):
            changed = dict(step)
            if step["op"] == "norm":
                changed["channels"] = self._count(at, "weight", 0, kept)
            elif step["op"] in ("conv", "linear"):
                names = (
                    ("out_channels", "in_channels")
                    if step["op"] == "conv"
                    else ("out_features", "in_features")
                )
                ins = self._channels(int(step["of"][0]), kept)
                changed[names[0]], changed[names[1]] = self._count(at, "weight", 0, kept), ins
                if step["op"] == "conv" and int(step["groups"]) == int(step["in_channels"]) > 1:
                    changed["groups"] = ins
            found.append(changed)
        return found

    def _count(self, at: int, tensor: str, axis: int, kept: Kept) -> int:
        return sum(length for _, length in spans(self.plan.axes[at, tensor, axis], _Known(kept)))

    def _channels(self, value: int, kept: Kept) -> int:
        return sum(length for _, length in spans(self.plan.values[value][0], _Known(kept)))

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        kept = self.kept(arch)
        block = OperationsBlock(self._channels(0, kept), list(self.plan.size), self.sized(arch))
        for at in self.layers:
            target = block.layers[at]
            for name, part in self._tensors(int(at), kept).items():
                getattr(target, name).copy_(part)
            norm = self.layers[at]
            if isinstance(norm, _Norm):
                mean, var = (statistics or Statistics())[norm.label]
                target.get_buffer("running_mean").copy_(mean)
                target.get_buffer("running_var").copy_(var)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        kept, plan = self.kept(arch), self.plan
        sizes = [self._channels(value, kept) * math.prod(size) for value, (_, size) in enumerate(plan.values)]
        macs = params = buffers = 0
        for at, step in enumerate(self.sized(arch), 1):
            if step["op"] == "norm":
                params += 2 * int(step["channels"])
                buffers += stored_bytes(int(step["channels"]))
            elif step["op"] in ("conv", "linear"):
                weights = math.prod(_shape(step))
                macs += weights * math.prod(plan.values[at][1])
                params += weights + (_outputs(step) if step["bias"] else 0)
        channels, size = self._channels(len(plan.steps), kept), plan.values[-1][1]
        return StageCost(
            label=plan.label,
            group=plan.group,
            kind=self._kind(),
            output_shape=(channels, *size),
            channels=channels,
            counted=counts(
                macs=macs, params=params, held_bytes=4 * held(sizes, plan.steps), buffer_bytes=buffers
            ),
            detail=self._detail(),
        )

    def _kind(self) -> str:
        if not self.plan.values[-1][1]:
            return "head"
        return "stem" if self.plan.group == "stem" else "block"

    def _detail(self) -> str:
        kernels = [max(step["kernel"]) for step in self.plan.steps if step["op"] == "conv"]
        return f"k{max(kernels)}" if kernels else ""

    @torch.no_grad()
    def importance(self, group: int) -> Tensor | None:
        """(units,) how much the layers of this stage read of each unit; None where none does.

        The L1 norm of the weights that read a unit, each layer by its own mean.
        """
        total: Tensor | None = None
        for (at, tensor, axis), layout in self.plan.axes.items():
            if axis != 1 or all(piece.group != group for piece in layout):
                continue
            weight = self.layers[str(at)].get_parameter(tensor)
            norms = weight.abs().sum([a for a in range(weight.ndim) if a != axis])
            offset = 0
            for piece in layout:
                length = piece.units * piece.repeat
                if piece.group == group:
                    part = norms[offset : offset + length].view(piece.units, piece.repeat).sum(1)
                    part = part / part.mean().clamp(min=1e-12)
                    total = part if total is None else total + part
                offset += length
        return total

    @torch.no_grad()
    def reorder(self, orders: Mapping[int, Tensor]) -> None:
        """Put the units of some groups into another order, in every tensor."""
        for (at, tensor, axis), layout in self.plan.axes.items():
            known = dict(self.layers[str(at)].named_parameters(recurse=False))
            if tensor not in known or not any(piece.group in orders for piece in layout):
                continue
            index = moved(layout, orders)
            known[tensor].copy_(known[tensor].index_select(axis, index))


def moved(layout: Layout, orders: Mapping[int, Tensor]) -> Tensor:
    """(entries,) where each entry of an axis comes from when groups are put into other orders."""
    first = next(iter(orders.values()), None)
    index, offset = torch.arange(entries(layout), device=None if first is None else first.device), 0
    for piece in layout:
        length = piece.units * piece.repeat
        if piece.group is not None and piece.group in orders:
            own = index[offset : offset + length].view(piece.units, piece.repeat)
            index[offset : offset + length] = own[orders[piece.group]].flatten()
        offset += length
    return index


class NormalizeStage(Stage):
    """Pixels as the network was trained on them."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, space: SearchSpace, shape: tuple[int, ...], mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__(space)
        self.shape = shape
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return (x - self.mean) / self.std

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        block = ImageNormalization(self.shape[0])
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        return StageCost(
            label="pixels",
            group="stem",
            kind="stem",
            output_shape=self.shape,
            channels=self.shape[0],
            counted=counts(
                macs=0, params=0, held_bytes=8 * math.prod(self.shape), buffer_bytes=8 * self.shape[0]
            ),
        )


def held(sizes: Sequence[int], steps: Sequence[Step]) -> int:
    """Most numbers of one sample that are alive at once; see `stage_cost.counts` for the rules.

    Args:
        sizes: numbers of each value.
        steps: of the stage.
    """
    last = last_reads(steps)
    same = {0: 0}  # value -> the value whose memory it lies in
    for at, step in enumerate(steps, 1):
        same[at] = same[int(step["of"][0])] if step["op"] in VIEWS else at
    until: dict[int, int] = {}
    for value, root in same.items():
        until[root] = max(until.get(root, 0), last.get(value, 0))
    kept, alive = {0, same[len(steps)]}, {0: sizes[0]}
    most = sizes[0]
    for at, step in enumerate(steps, 1):
        if step["op"] in VIEWS:
            continue
        read = dict.fromkeys(same[int(value)] for value in step["of"])
        ends = [value for value in read if value not in kept and until[value] == at]
        if OPERATIONS[str(step["op"])].elementwise:
            taken = next((value for value in ends if alive.get(value) == sizes[at]), None)
            if taken is not None:
                del alive[taken]
                ends.remove(taken)
        alive[at] = sizes[at]
        most = max(most, sum(alive.values()))
        for value in ends:
            alive.pop(value, None)
        if at not in kept and not until.get(at):
            del alive[at]
    return most


def _shape(step: Step) -> tuple[int, ...]:
    """Of the weight of a convolution or linear layer."""
    if step["op"] == "linear":
        return (int(step["out_features"]), int(step["in_features"]))
    return (int(step["out_channels"]), int(step["in_channels"]) // int(step["groups"]), *step["kernel"])


def _outputs(step: Step) -> int:
    return int(step["out_features"] if step["op"] == "linear" else step["out_channels"])
