"""Graphs of a network by torch's own exporters: ONNX, and torch.export.

Both work on process-wide state, so one lock keeps two visitors' clicks apart. And both replace the
tensors of the network they trace for a moment, so they get a copy of their own.
"""

from __future__ import annotations

import copy
import io
import threading
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.quiet import quiet

_LOCK = threading.Lock()
# Two images: a batch of one is easily taken for a constant.
_TRACED_BATCH = 2
# Notes about our source files and their folders; they would make the bytes depend on the machine.
_PRIVATE_NOTES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")


def onnx_bytes(net: nn.Module, input_shape: Sequence[int]) -> bytes:
    """An ONNX model (opset 20, one file) with input "image" (batch, c, h, w) and output "logits".

    torch's older exporter on purpose: the new one takes over a second where this takes 0.05, and
    writes the paths of our source files into the model.
    """
    buffer = io.BytesIO()
    # It warns that it is the older one, and which slices it leaves unfolded.
    with _LOCK, quiet():
        torch.onnx.export(
            copy.deepcopy(net),
            (torch.zeros(_TRACED_BATCH, *input_shape),),
            buffer,  # type: ignore[arg-type]  # the older exporter also writes to memory
            dynamo=False,
            opset_version=20,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
            verbose=False,
        )
    return buffer.getvalue()


def program_bytes(net: nn.Module, input_shape: Sequence[int]) -> bytes:
    """A saved `torch.export` program with a free batch size."""
    buffer = io.BytesIO()
    with _LOCK:
        example = (torch.zeros(_TRACED_BATCH, *input_shape),)
        program = torch.export.export(
            copy.deepcopy(net), example, dynamic_shapes=({0: torch.export.Dim("batch")},)
        )
        for node in program.graph.nodes:
            for note in _PRIVATE_NOTES:
                node.meta.pop(note, None)
        torch.export.save(program, buffer)
    return buffer.getvalue()


def run_program(data: bytes, images: Tensor) -> Tensor:
    """Logits of images (n, c, h, w), by a saved program."""
    with _LOCK:
        result: Tensor = torch.export.load(io.BytesIO(data)).module()(images)
    return result
