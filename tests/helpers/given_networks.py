"""Small networks from elsewhere: an ONNX file put together by hand, and a .pt2 file that torch.export wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

EXPORTED = Path(__file__).parent / "files" / "tiny.pt2"
"""Stem, two residual blocks of eight channels and a head for 8x8 images, as torch 2.13 exports them, with a softmax."""


def onnx_file(nodes: list[Any], tensors: dict[str, np.ndarray], *, opset: int = 20, **graph: Any) -> bytes:
    """An ONNX file with input "x" (n, 1, 8, 8) and output "y", unless said otherwise."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shape = graph.get("shape", ["n", 1, 8, 8])
    made = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(graph.get("output", "y"), TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in tensors.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    model.producer_name = "tests"
    assert isinstance(model, onnx.ModelProto)
    return bytes(model.SerializeToString())


def residual_onnx(seed: int = 0) -> bytes:
    """Stem, a residual block, pooling, a linear layer, softmax; BatchNorm apart, shapes computed in the file."""
    from onnx import helper

    rng = np.random.default_rng(seed)

    def array(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)

    tensors = {
        "stem.weight": array(8, 1, 3, 3),
        "block.conv1.weight": array(6, 8, 3, 3),
        "block.conv2.weight": array(8, 6, 3, 3),
        "head.weight": array(10, 8),
        "head.bias": array(10),
        "first": np.array(0),
        "all": np.array([-1]),
        "axes": np.array([0]),
    }
    for norm, channels in (("norm0", 8), ("norm1", 6), ("norm2", 8)):
        tensors |= {f"{norm}.{each}": array(channels) for each in ("weight", "bias", "mean")}
        tensors[f"{norm}.var"] = rng.uniform(0.5, 2, channels).astype(np.float32)

    def normed(of: str, norm: str) -> Any:
        given = [of, *(f"{norm}.{each}" for each in ("weight", "bias", "mean", "var"))]
        return helper.make_node("BatchNormalization", given, [norm], epsilon=1e-3)

    node = helper.make_node
    nodes = [
        node("Conv", ["x", "stem.weight"], ["a"], pads=[1, 1, 1, 1], name="stem"),
        normed("a", "norm0"),
        node("Relu", ["norm0"], ["b"]),
        node("Conv", ["b", "block.conv1.weight"], ["c"], pads=[1, 1, 1, 1]),
        normed("c", "norm1"),
        node("Relu", ["norm1"], ["d"]),
        node("Conv", ["d", "block.conv2.weight"], ["e"], pads=[1, 1, 1, 1]),
        normed("e", "norm2"),
        node("Add", ["norm2", "b"], ["f"]),
        node("Relu", ["f"], ["g"]),
        node("GlobalAveragePool", ["g"], ["h"]),
        node("Shape", ["h"], ["shape"]),
        node("Gather", ["shape", "first"], ["rows"]),
        node("Unsqueeze", ["rows", "axes"], ["rows1"]),
        node("Concat", ["rows1", "all"], ["target"], axis=0),
        node("Reshape", ["h", "target"], ["i"]),
        node("Gemm", ["i", "head.weight", "head.bias"], ["logits"], transB=1),
        node("Softmax", ["logits"], ["y"], axis=1),
    ]
    return onnx_file(nodes, tensors)
