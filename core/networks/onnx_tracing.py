"""ONNX graphs by torch's own tracer, with the operations of decoders that it does not know.

Tracing works on process-wide state, so one lock keeps two visitors' clicks apart. And it replaces the tensors of what it
traces for a moment, so it gets a copy of its own.
"""

from __future__ import annotations

import copy
import io
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.onnx import register_custom_op_symbolic, symbolic_helper
from torch.onnx._internal.torchscript_exporter import symbolic_opset14

from core.quiet import quiet

LOCK = threading.Lock()
OPSET = 20


def graph_bytes(
    net: nn.Module,
    inputs: Any,
    *,
    names: Sequence[str],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> bytes:
    """An ONNX model (opset 20, one file).

    torch's older exporter on purpose: the new one takes over a second where this takes 0.05, and
    writes the paths of our source files into the model.

    Args:
        net: what is traced.
        inputs: the tuple of its arguments.
        names: of the tensors in it, in order.
        outputs: names of what it returns.
        axes: by tensor, those that may have another size, and what it is called.

    Raises:
        RuntimeError: ONNX cannot express an operation.
    """
    buffer = io.BytesIO()
    # It warns that it is the older one, and which slices it leaves unfolded.
    with LOCK, quiet():
        torch.onnx.export(
            copy.deepcopy(net),
            inputs,
            buffer,  # type: ignore[arg-type]  # the older exporter also writes to memory
            dynamo=False,
            opset_version=OPSET,
            input_names=list(names),
            output_names=list(outputs),
            dynamic_axes={name: dict(each) for name, each in axes.items()},
            verbose=False,
        )
    return buffer.getvalue()


@symbolic_helper.parse_args("v", "is", "v", "f")
def _rms_norm(g: Any, x: Any, shape: list[int], weight: Any, epsilon: float | None) -> Any:
    """Over the last axis, as RMSNorm layers do it."""
    assert len(shape) == 1
    axis = g.op("Constant", value_t=torch.tensor([-1]))
    mean = g.op("ReduceMean", g.op("Mul", x, x), axis, keepdims_i=1)
    raised = g.op(
        "Add", mean, g.op("Constant", value_t=torch.tensor(epsilon or torch.finfo(torch.float32).eps))
    )
    return g.op("Mul", g.op("Div", x, g.op("Sqrt", raised)), weight)


@symbolic_helper.parse_args(*"vvvvfbvb")
def _attention(
    g: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    dropout: float = 0.0,
    is_causal: bool = False,
    scale: Any = None,
    enable_gqa: bool = False,
) -> Any:
    """Attention whose key heads may serve groups of query heads, each group side by side and no key copied."""
    if not enable_gqa:
        settings = (mask, dropout, is_causal, scale)
        return symbolic_opset14.scaled_dot_product_attention(g, query, key, value, *settings)
    assert symbolic_helper._is_none(scale)
    assert not dropout
    heads, size, shared = _size(query, 1), _size(query, 3), _size(key, 1)
    if is_causal:
        mask = symbolic_opset14._causal_attention_mask(g, query, key)
    elif not symbolic_helper._is_none(mask) and symbolic_helper._get_tensor_rank(mask) == 4:
        mask = symbolic_helper._unsqueeze_helper(g, mask, [2])

    def numbers(*sizes: int) -> Any:
        return g.op("Constant", value_t=torch.tensor(sizes))

    grouped = g.op("Reshape", query, numbers(0, shared, heads // shared, -1, size))
    keys = g.op("Transpose", symbolic_helper._unsqueeze_helper(g, key, [2]), perm_i=[0, 1, 2, 4, 3])
    scores = g.op("Mul", g.op("MatMul", grouped, keys), g.op("Constant", value_t=torch.tensor(size**-0.5)))
    if not symbolic_helper._is_none(mask):
        scores = g.op("Add", scores, mask)
    values = symbolic_helper._unsqueeze_helper(g, value, [2])
    attended = g.op("MatMul", g.op("Softmax", scores, axis_i=-1), values)
    return g.op("Reshape", attended, numbers(0, heads, -1, size))


def _size(value: Any, axis: int) -> int:
    found = symbolic_helper._get_tensor_dim_size(value, axis)
    assert found is not None, "heads and their size are fixed"
    return found


register_custom_op_symbolic("aten::rms_norm", _rms_norm, OPSET)
register_custom_op_symbolic("aten::scaled_dot_product_attention", _attention, OPSET)
