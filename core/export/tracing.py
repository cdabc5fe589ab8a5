"""Graphs of a network by torch's own exporters: ONNX, and torch.export.

Both work on process-wide state, so one lock keeps two visitors' clicks apart. And both replace the
tensors of the network they trace for a moment, so they get a copy of their own.
"""

from __future__ import annotations

import copy
import io
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.networks.chain import example_inputs
from core.networks.trees import leaves
from core.quiet import quiet

LOCK = threading.Lock()
# Several samples: a batch of one is easily taken for a constant.
TRACED = 3
OPSET = 20
# Notes about our source files and their folders; they would make the bytes depend on the machine.
_PRIVATE_NOTES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")


def onnx_bytes(net: nn.Sequential, input_shape: Sequence[int], names: Sequence[str]) -> bytes:
    """An ONNX model (opset 20, one file) with output "logits".

    torch's older exporter on purpose: the new one takes over a second where this takes 0.05, and
    writes the paths of our source files into the model.

    Args:
        net: a chain of plain blocks.
        input_shape: of one sample.
        names: of the inputs, in order.
    """
    buffer = io.BytesIO()
    inputs, free = _traced(net, input_shape)
    axes = dict(zip(names, ({axis: name} for axis, name in free), strict=True))
    # It warns that it is the older one, and which slices it leaves unfolded.
    with LOCK, quiet():
        torch.onnx.export(
            copy.deepcopy(net),
            (inputs,),
            buffer,  # type: ignore[arg-type]  # the older exporter also writes to memory
            dynamo=False,
            opset_version=OPSET,
            input_names=list(names),
            output_names=["logits"],
            dynamic_axes={**axes, "logits": {0: free[0][1]}},
            verbose=False,
        )
    return buffer.getvalue()


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
