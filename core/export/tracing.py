"""Graphs of a network by torch's own exporters: ONNX, and torch.export.

Both work on process-wide state and under one lock, and on a copy of the network; see `core.networks.onnx_tracing`.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.networks.chain import example_inputs
from core.networks.onnx_tracing import LOCK, graph_bytes
from core.networks.trees import leaves

# Several samples: a batch of one is easily taken for a constant.
TRACED = 3
# Notes about our source files and their folders; they would make the bytes depend on the machine.
_PRIVATE_NOTES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")


def onnx_bytes(net: nn.Sequential, input_shape: Sequence[int], names: Sequence[str]) -> bytes:
    """An ONNX model (opset 20, one file) with output "logits".

    Args:
        net: a chain of plain blocks.
        input_shape: of one sample.
        names: of the inputs, in order.
    """
    inputs, free = _traced(net, input_shape)
    axes = dict(zip(names, ({axis: name} for axis, name in free), strict=True))
    return graph_bytes(
        net, (inputs,), names=names, outputs=["logits"], axes={**axes, "logits": {0: free[0][1]}}
    )


def feed(session: Any, inputs: Any) -> dict[str, Any]:
    """What an onnxruntime session of such a model takes."""
    names = [entry.name for entry in session.get_inputs()]
    return dict(zip(names, (leaf.numpy() for leaf in leaves(inputs)), strict=True))


def program_bytes(net: nn.Sequential, input_shape: Sequence[int]) -> bytes:
    """A saved `torch.export` program with a free number of samples."""
    buffer = io.BytesIO()
    inputs, free = _traced(net, input_shape)
    sizes = {name: torch.export.Dim(name) for _, name in free}
    shapes = [{axis: sizes[name]} for axis, name in free]
    with LOCK:
        program = torch.export.export(
            copy.deepcopy(net),
            (inputs,),
            dynamic_shapes=(tuple(shapes) if isinstance(inputs, tuple) else shapes[0],),
        )
        for node in program.graph.nodes:
            for note in _PRIVATE_NOTES:
                node.meta.pop(note, None)
        torch.export.save(program, buffer)
    return buffer.getvalue()


def run_program(data: bytes, inputs: Any) -> Tensor:
    """What a saved program answers."""
    with LOCK:
        result: Tensor = torch.export.load(io.BytesIO(data)).module()(inputs)
    return result


def _traced(net: nn.Sequential, input_shape: Sequence[int]) -> tuple[Any, list[tuple[int, str]]]:
    """Inputs to trace a network with, and of each tensor which axis may have another size, by name."""
    inputs = example_inputs(net, input_shape, rows=TRACED)
    free: list[tuple[int, str]] = []
    for leaf in leaves(inputs):
        # An axis of one row per sample comes first; a graph's edges lie along the second.
        axis = 0 if leaf.shape[0] == TRACED else 1
        free.append((axis, "batch" if axis == 0 else f"rows{len(free)}"))
    return inputs, free
