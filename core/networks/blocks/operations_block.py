"""A block of any network from elsewhere: a short list of operations, run one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.errors import InvalidInput
from core.networks.blocks.base import BLOCKS, Argument, BlockKind, Count, Example, Shapes
from core.networks.groups import Member, UnitWalk
from core.networks.limits import MOST_SIDE
from core.networks.operations.channels import Flow, Ties, Use, trace
from core.networks.operations.grouping import Grouping, Piece, grouping
from core.networks.operations.segments import passes
from core.networks.operations.steps import require_steps


class OperationsBlock(nn.Module):
    """Runs its steps in order. Value 0 is the input, value i the output of step i; the last one is returned.

    Args:
        channels: of the input.
        size: height and width of the input; empty for vectors.
        steps: each a dictionary: the operation (`op`), the values it reads (`of`) and its settings.
    """

    def __init__(self, channels: int, size: list[int], steps: list[dict[str, Any]]) -> None:
        super().__init__()
        self.steps: list[dict[str, Any]] = [dict(step) for step in steps]
        self.arguments: dict[str, Any] = {"channels": channels, "size": list(size), "steps": self.steps}
        flat = not size
        self.layers = nn.ModuleDict()
        for at, step in enumerate(self.steps, 1):
            if step["op"] == "flatten" or step["op"] == "to_map":
                flat = step["op"] == "flatten"
            if step["op"] == "conv":
                self.layers[str(at)] = nn.Conv2d(
                    step["in_channels"],
                    step["out_channels"],
                    tuple(step["kernel"]),
                    stride=tuple(step["stride"]),
                    padding=tuple(step["padding"]),
                    dilation=tuple(step["dilation"]),
                    groups=step["groups"],
                    bias=step["bias"],
                )
            elif step["op"] == "linear":
                self.layers[str(at)] = nn.Linear(step["in_features"], step["out_features"], step["bias"])
            elif step["op"] == "norm":
                norm = nn.BatchNorm1d if flat else nn.BatchNorm2d
                self.layers[str(at)] = norm(step["channels"], eps=step["eps"])
        self.last = {value: at for at, step in enumerate(self.steps) for value in step["of"]}

    def forward(self, x: Tensor) -> Tensor:
        values = {0: x}
        for at, step in enumerate(self.steps):
            given = [values[value] for value in step["of"]]
            layer = str(at + 1)
            values[at + 1] = self.layers[layer](*given) if layer in self.layers else self.plain(step, *given)
            for value in set(step["of"]):
                if self.last[value] == at:
                    del values[value]  # nobody reads it any more
        return values[len(self.steps)]

    @staticmethod
    def plain(step: dict[str, Any], x: Tensor, *more: Tensor) -> Tensor:
        """The output of a step that has no weights."""
        op = step["op"]
        if op == "add":
            return x + more[0]
        if op == "mul":
            return x * more[0]
        if op == "concat":
            return torch.cat([x, *more], 1)
        if op == "flatten":
            return x.flatten(1)
        if op == "to_map":
            return x[:, :, None, None]
        if op == "mean":
            return x.mean((2, 3), keepdim=True)
        if op == "max":
            return x.amax((2, 3), keepdim=True)
        if op == "pad":
            return F.pad(x, step["sides"], value=step["value"])
        if op == "max_pool":
            return F.max_pool2d(x, step["kernel"], step["stride"], step["padding"], ceil_mode=step["ceil"])
        if op == "avg_pool":
            return F.avg_pool2d(
                x, step["kernel"], step["stride"], step["padding"], step["ceil"], step["count_padding"]
            )
        if op == "scale":
            return x * step["value"]
        if op == "shift":
            return x + step["value"]
        if op == "clip":
            return x.clamp(step["low"], step["high"])
        if op == "gelu":
            return F.gelu(x, approximate="tanh" if step["tanh"] else "none")
        if op == "leaky_relu":
            return F.leaky_relu(x, step["slope"])
        if op == "elu":
            return F.elu(x, step["alpha"])
        if op == "hard_swish":
            return F.hardswish(x)
        if op == "hard_sigmoid":
            return (
                F.relu6(x + 3) / 6
            )  # written out: the derivative of hardsigmoid has none of its own in torch
        if op == "relu6":
            return F.relu6(x)
        if op == "silu":
            return F.silu(x)
        if op == "mish":
            return F.mish(x)
        return {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "erf": torch.erf}[op](x)


class _Size(Argument):
    """Height and width of a map, or nothing for a vector."""

    def accepts(self, value: Any) -> bool:
        side = Count(MOST_SIDE)
        return isinstance(value, list | tuple) and len(value) in (0, 2) and all(map(side.accepts, value))


class _Steps(Argument):
    """A list; what is in it is judged by `require_steps`."""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, list | tuple) and bool(value)


@BLOCKS.register("operations_block")
class OperationsBlockKind(BlockKind):
    """A short list of operations: convolutions, norms, sums, poolings, ..., as a converted network has them."""

    label = "Operations"
    source = "written from the given network; ONNX and ATen operations"
    module = OperationsBlock
    arguments = {"channels": Count(2**24), "size": _Size(), "steps": _Steps()}
    example = Example(
        (2, 8, 8),
        (
            (
                "OperationsBlock",
                {
                    "channels": 2,
                    "size": [8, 8],
                    "steps": [
                        {
                            "op": "conv",
                            "of": [0],
                            "in_channels": 2,
                            "out_channels": 6,
                            "kernel": [3, 3],
                            "stride": [2, 2],
                            "padding": [1, 1],
                            "dilation": [1, 1],
                            "groups": 1,
                            "bias": True,
                        },
                        {"op": "hard_swish", "of": [1]},
                    ],
                },
            ),
            (
                "OperationsBlock",
                {
                    "channels": 6,
                    "size": [4, 4],
                    "steps": [
                        {
                            "op": "conv",
                            "of": [0],
                            "in_channels": 6,
                            "out_channels": 5,
                            "kernel": [3, 3],
                            "stride": [1, 1],
                            "padding": [1, 1],
                            "dilation": [1, 1],
                            "groups": 1,
                            "bias": False,
                        },
                        {"op": "norm", "of": [1], "channels": 5, "eps": 0.001},
                        {"op": "relu", "of": [2]},
                        {
                            "op": "conv",
                            "of": [3],
                            "in_channels": 5,
                            "out_channels": 6,
                            "kernel": [1, 1],
                            "stride": [1, 1],
                            "padding": [0, 0],
                            "dilation": [1, 1],
                            "groups": 1,
                            "bias": True,
                        },
                        {"op": "add", "of": [4, 0]},
                    ],
                },
            ),
            (
                "OperationsBlock",
                {
                    "channels": 6,
                    "size": [4, 4],
                    "steps": [
                        {
                            "op": "max_pool",
                            "of": [0],
                            "kernel": [2, 2],
                            "stride": [2, 2],
                            "padding": [0, 0],
                            "ceil": False,
                        },
                        {"op": "flatten", "of": [1]},
                        {"op": "linear", "of": [2], "in_features": 24, "out_features": 3, "bias": True},
                    ],
                },
            ),
        ),
    )

    def require_arguments(self, arguments: Any) -> None:
        super().require_arguments(arguments)
        try:
            require_steps(arguments["steps"])
            _trace(arguments)
        except InvalidInput as error:
            raise InvalidInput(f"OperationsBlock in this network cannot be: {error}") from error

    def input_shape(self, block: OperationsBlock) -> tuple[int, ...]:
        channels, size = block.arguments["channels"], block.arguments["size"]
        if not size:
            return super().input_shape(block)
        return (channels, *size)

    def fitting(self, block: OperationsBlock, shapes: Shapes) -> Settings:
        """Channels of every step from the tensors; of the input from a tensor with one entry for each of them."""
        steps: list[Any] = []
        for at, step in enumerate(block.arguments["steps"], 1):
            weight, changed = shapes.get(f"layers.{at}.weight", ()), dict(step)
            if step["op"] == "conv":
                alone = step["groups"] == step["in_channels"] > 1
                changed["groups"] = (
                    int(weight[0]) * step["groups"] // step["out_channels"] if alone else step["groups"]
                )
                changed["out_channels"] = int(weight[0])
                changed["in_channels"] = int(weight[1]) * changed["groups"]
            elif step["op"] == "linear":
                changed["out_features"], changed["in_features"] = int(weight[0]), int(weight[1])
            elif step["op"] == "norm":
                changed["channels"] = int(weight[0])
            steps.append(changed)
        uses, whole = _trace(block.arguments)
        tensor, axis, repeat = _source(uses, whole)
        found = int(shapes[tensor][axis]) // repeat
        return {"channels": found, "size": list(block.arguments["size"]), "steps": steps}

    def droppable(self, block: OperationsBlock) -> bool:
        flows, _, _ = _flows(block.arguments)
        return passes(block.arguments["steps"], flows)

    def units(self, block: OperationsBlock, walk: UnitWalk) -> None:
        first = walk.at_input
        uses, whole = _trace(block.arguments, pin_input=first)
        own = uses[2:]
        entering, leaving = whole.layouts[0], whole.layouts[1]
        goes_on = not first and leaving[: len(entering)] == entering
        inside = {p.group for p in entering}
        new = leaving[len(entering) :] if goes_on else leaving
        # What comes in and goes out at another place can be said of no stream: it stays.
        torn = {p.group for p in new if p.group in inside or p.repeat > 1} - {None}
        self._flowing(walk, entering, own, whole, torn)
        at = sum(p.units * p.repeat for p in entering) if goes_on else 0
        if not goes_on:
            walk.new_stream()
        self._flowing(walk, new, own, whole, torn, at)
        walk.hands_on(sum(p.units * p.repeat for p in leaving))
        streams = inside | {p.group for p in leaving}
        for group, size in enumerate(whole.sizes):
            if group in streams:
                continue
            members = [
                Member(f"{walk.at}.layers.{use.step}.{use.tensor}", use.axis, offset, repeat, use.role)
                for use, offset, repeat in _places(group, own, whole)
            ]
            made = next(m for m in members if m.axis == 0)
            shown = made.tensor.rsplit(".", 1)[0]
            walk.inner_units(
                shown.split(".", 1)[1],
                size,
                members,
                (shown, made.offset, made.repeat),
                group not in whole.stuck,
            )

    def _flowing(
        self,
        walk: UnitWalk,
        pieces: tuple[Piece, ...],
        uses: list[Use],
        whole: Grouping,
        torn: set[int | None],
        at: int = 0,
    ) -> None:
        """Tell the current stream which tensors hold its units, from unit `at` on."""
        for piece in pieces:
            end = at + piece.units * piece.repeat
            if piece.group is None or piece.group in torn or piece.group in whole.stuck:
                walk.keep(at, end)
            else:
                for use, offset, repeat in _places(piece.group, uses, whole):
                    tensor = f"layers.{use.step}.{use.tensor}"
                    walk.span(tensor, use.axis, use.role, (at, end), offset, repeat)
            at = end


def _flows(arguments: Any, *, pin_input: bool = False) -> tuple[list[Flow], list[Use], Ties]:
    ties = Ties()
    ids = ties.new(int(arguments["channels"]))
    if pin_input:
        ties.pin(ids, "it is the input")
    entering = Flow((len(ids), *arguments["size"]), ids)
    flows, uses = trace(arguments["steps"], entering, ties)
    return flows, uses, ties


def _trace(arguments: Any, *, pin_input: bool = False) -> tuple[list[Use], Grouping]:
    """Uses of a block, the first two being its input and its output, and its groups.

    Raises:
        InvalidInput: its operations do not fit each other.
    """
    flows, uses, ties = _flows(arguments, pin_input=pin_input)
    ends = [Use(0, name, 0, flow.ids, "") for name, flow in (("in", flows[0]), ("out", flows[-1]))]
    found = [*ends, *uses]
    whole = grouping(found, ties)
    _source(found, whole)
    return found, whole


def _source(uses: list[Use], whole: Grouping) -> tuple[str, int, int]:
    """(tensor, axis, consecutive entries): where the number of input channels can be read."""
    entering = uses[0].ids
    for use in uses[2:]:
        if use.tensor in ("weight", "bias") and len(use.ids) % len(entering) == 0:
            repeat = len(use.ids) // len(entering)
            if np.array_equal(use.ids, np.repeat(entering, repeat)):
                return f"layers.{use.step}.{use.tensor}", use.axis, repeat
    raise InvalidInput("no layer of the block reads its input alone")


def _places(group: int, uses: list[Use], whole: Grouping) -> list[tuple[Use, int, int]]:
    """(use, offset, repeat) of every place where a group lies."""
    found = []
    for use, layout in zip(uses, whole.layouts[2:], strict=True):
        offset = 0
        for piece in layout:
            if piece.group == group:
                found.append((use, offset, piece.repeat))
            offset += piece.units * piece.repeat
    return found
