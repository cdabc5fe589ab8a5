"""The cell of NASNet."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import InvalidInput
from core.networks.blocks.base import BLOCKS, STRIDE, BlockKind, Count, Example, Listed, Name
from core.networks.groups import UnitWalk, batch_norm
from core.spaces.nasnet_space import OPERATIONS


class NasnetCell(nn.Module):
    """Blocks that each add two operations on two states; what no block reads is the output, side by side.

    States are counted from 1: the previous cell's output, the output of the one before it, the blocks so far. The
    first two come through ReLU, a 1x1 convolution and BatchNorm, the second pooled first where its map is larger.
    With a stride of 2 whatever reads one of them halves the map. `inputs` and `operations` list both sides of each block.
    """

    # Operation -> its parts (ReLU, convolutions, BatchNorm each), a convolution as (height, width, dilation, depthwise).
    PARTS = {
        "conv_1x1": (((1, 1, 1, False),),),
        "conv_3x3": (((3, 3, 1, False),),),
        "conv_1x3_3x1": (((1, 3, 1, False),), ((3, 1, 1, False),)),
        "conv_1x7_7x1": (((1, 7, 1, False),), ((7, 1, 1, False),)),
        "dilated_conv_3x3": (((3, 3, 2, False),),),
        "sep_conv_3x3": (((3, 3, 1, True), (1, 1, 1, False)),) * 2,
        "sep_conv_5x5": (((5, 5, 1, True), (1, 1, 1, False)),) * 2,
        "sep_conv_7x7": (((7, 7, 1, True), (1, 1, 1, False)),) * 2,
    }

    def __init__(
        self,
        in_previous: int,
        in_before: int,
        channels: int,
        stride: int,
        before_stride: int,
        inputs: list[int],
        operations: list[str],
    ) -> None:
        super().__init__()
        self.arguments: dict = {
            "in_previous": in_previous,
            "in_before": in_before,
            "channels": channels,
            "stride": stride,
            "before_stride": before_stride,
            "inputs": inputs,
            "operations": operations,
        }
        self.stride, self.before_stride = stride, before_stride
        self.inputs, self.operations = inputs, operations
        self.previous = nn.Conv2d(in_previous, channels, 1, bias=False)
        self.previous_norm = nn.BatchNorm2d(channels)
        self.before = nn.Conv2d(in_before, channels, 1, bias=False)
        self.before_norm = nn.BatchNorm2d(channels)
        self.paths = nn.ModuleList(
            self.path(operation, channels, stride if state < 3 else 1)
            for state, operation in zip(inputs, operations, strict=True)
        )

    @classmethod
    def path(cls, operation: str, channels: int, stride: int) -> nn.Sequential:
        """The layers of an operation, as ReLU, convolutions, BatchNorm, ...; none where it has no weights."""
        layers: list[nn.Module] = []
        for part in cls.PARTS.get(operation, ()):
            layers.append(nn.ReLU())
            for height, width, dilation, depthwise in part:
                padding = (dilation * (height - 1) // 2, dilation * (width - 1) // 2)
                groups = channels if depthwise else 1
                layers.append(
                    nn.Conv2d(
                        channels,
                        channels,
                        (height, width),
                        stride,
                        padding,
                        dilation,
                        groups=groups,
                        bias=False,
                    )
                )
                stride = 1
            layers.append(nn.BatchNorm2d(channels))
        return nn.Sequential(*layers)

    def forward(self, outputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        previous, before = outputs
        first = self.previous_norm(self.previous(F.relu(previous)))
        second = F.relu(before)
        if self.before_stride > 1:
            second = F.avg_pool2d(second, self.before_stride, ceil_mode=True)
        states = [first, self.before_norm(self.before(second))]
        for left in range(0, len(self.inputs), 2):
            states.append(self._side(left, states) + self._side(left + 1, states))
        used = set(self.inputs)
        unused = [(n, state) for n, state in enumerate(states, start=1) if n not in used]
        parts = [self._halved(state) if n < 3 and self.stride > 1 else state for n, state in unused]
        return torch.cat(parts, 1), previous

    def _side(self, at: int, states: list[Tensor]) -> Tensor:
        """What one side of a block brings."""
        x, operation = states[self.inputs[at] - 1], self.operations[at]
        stride = self.stride if self.inputs[at] < 3 else 1
        if operation == "identity":
            return self._halved(x) if stride > 1 else x
        if operation == "avg_pool_3x3":
            return F.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
        if operation.startswith("max_pool"):
            kernel = int(operation[-1])
            return F.max_pool2d(x, kernel, stride, kernel // 2)
        return self.paths[at](x)

    def _halved(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.stride, ceil_mode=True)


@BLOCKS.register("nasnet_cell")
class NasnetCellKind(BlockKind):
    """Blocks of two operations on two states each; the states that nobody reads are the output."""

    label = "NASNet cell"
    source = "Zoph et al., NASNet, CVPR 2018 (pooled where a map is halved without weights)"
    module = NasnetCell
    arguments = {
        "in_previous": Count(),
        "in_before": Count(),
        "channels": Count(),
        "stride": STRIDE,
        "before_stride": STRIDE,
        "inputs": Listed(Count(12), 20),
        "operations": Listed(Name(OPERATIONS), 20),
    }
    sizes = {
        "in_previous": ("previous.weight", 1),
        "in_before": ("before.weight", 1),
        "channels": ("previous.weight", 0),
    }
    example = Example(
        (1, 8, 8),
        (
            ("NasnetStem", {"in_channels": 1, "channels": 4}),
            (
                "NasnetCell",
                {
                    "in_previous": 4,
                    "in_before": 4,
                    "channels": 4,
                    "stride": 2,
                    "before_stride": 1,
                    "inputs": [1, 1, 1, 3],
                    "operations": ["sep_conv_3x3", "identity", "conv_1x3_3x1", "max_pool_5x5"],
                },
            ),
            (
                "NasnetCell",
                {
                    "in_previous": 8,
                    "in_before": 4,
                    "channels": 6,
                    "stride": 1,
                    "before_stride": 2,
                    "inputs": [1, 2, 2, 1],
                    "operations": ["dilated_conv_3x3", "avg_pool_3x3", "identity", "conv_3x3"],
                },
            ),
            ("NasnetHead", {"in_channels": 12, "classes": 3}),
        ),
    )

    def units(self, block: NasnetCell, walk: UnitWalk) -> None:
        width: Any = block.previous.out_channels
        # What came before is read from its own stream, each of its states beside the others.
        for tensor, back in (("previous", 0), ("before", 1)):
            of = walk.width(back)
            for start in range(0, block.arguments[f"in_{tensor}"], of):
                walk.reads(f"{tensor}.weight", of, start=start, back=back)
        walk.new_stream()
        for tensor in ("previous", "before"):
            walk.makes(f"{tensor}.weight", width)
            walk.scales(batch_norm(f"{tensor}_norm"), width)
        for name, layer in block.paths.named_modules():
            if isinstance(layer, nn.BatchNorm2d):
                walk.scales(batch_norm(f"paths.{name}"), width)
            elif isinstance(layer, nn.Conv2d) and layer.groups > 1:
                walk.scales([f"paths.{name}.weight"], width)
            elif isinstance(layer, nn.Conv2d):
                walk.reads(f"paths.{name}.weight", width)
                walk.makes(f"paths.{name}.weight", width)
        states = 2 + len(block.inputs) // 2
        unused = states - len(set(block.inputs))
        for at in range(unused):
            walk.shows(width, at * width)

    def require_arguments(self, arguments: Any) -> None:
        super().require_arguments(arguments)
        inputs, operations = arguments["inputs"], arguments["operations"]
        # A block reads what is there before it.
        if (
            len(inputs) != len(operations)
            or len(inputs) % 2
            or any(state > 2 + at // 2 for at, state in enumerate(inputs))
        ):
            raise InvalidInput("NasnetCell in this network has an impossible value for inputs.")
