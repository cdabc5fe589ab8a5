"""ONNX files are read as onnxruntime computes them, whatever way they are written; what cannot be read is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.supernets.converting import convert, difference
from core.supernets.reading.onnx_file import read_onnx
from core.supernets.reading.onnx_run import run_onnx
from tests.helpers.given_networks import onnx_file, residual_onnx

onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node
RNG = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray:
    return (RNG.standard_normal(shape) * 0.4).astype(np.float32)


W, B = array(6, 6, 3, 3), array(6)
CASES: dict[str, tuple[int, list[Any], dict[str, np.ndarray]]] = {
    # Between a stem that makes "a" (n, 6, 8, 8) and a head that reads "z" (n, 6, any size).
    "uneven padding": (20, [node("Conv", ["a", "w"], ["z"], pads=[0, 1, 2, 0])], {"w": W}),
    "same upper": (20, [node("Conv", ["a", "w"], ["z"], auto_pad="SAME_UPPER", strides=[3, 3])], {"w": W}),
    "same lower": (20, [node("Conv", ["a", "w"], ["z"], auto_pad="SAME_LOWER", strides=[3, 3])], {"w": W}),
    "dilation": (20, [node("Conv", ["a", "w", "b"], ["z"], dilations=[2, 2])], {"w": W, "b": B}),
    "groups": (
        20,
        [
            node("Conv", ["a", "v"], ["b"]),
            node("Conv", ["b", "w"], ["c"], group=3, pads=[1, 1, 1, 1]),
            node("Conv", ["c", "v"], ["z"]),
        ],
        {"w": array(6, 2, 3, 3), "v": array(6, 6, 1, 1)},
    ),
    "depthwise": (20, [node("Conv", ["a", "w"], ["z"], group=6)], {"w": array(6, 1, 3, 3)}),
    "clip by attributes": (9, [node("Clip", ["a"], ["z"], min=-0.2, max=0.3)], {}),
    "clip by inputs": (20, [node("Clip", ["a", "", "high"], ["z"])], {"high": np.float32(6)}),
    "hard sigmoid of its own": (20, [node("HardSigmoid", ["a"], ["z"])], {}),
    "leaky": (20, [node("LeakyRelu", ["a"], ["b"], alpha=0.3), node("Elu", ["b"], ["z"], alpha=0.7)], {}),
    "gelu by parts": (
        17,
        [
            node("Div", ["a", "root"], ["b"]),
            node("Erf", ["b"], ["c"]),
            node("Add", ["c", "one"], ["d"]),
            node("Mul", ["a", "d"], ["e"]),
            node("Mul", ["e", "half"], ["z"]),
        ],
        {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)},
    ),
    "silu and softer ones": (
        20,
        [node("Sigmoid", ["a"], ["b"]), node("Mul", ["a", "b"], ["c"]), node("Tanh", ["c"], ["z"])],
        {},
    ),
    "constants per channel": (
        20,
        [node("Mul", ["a", "s"], ["b"]), node("Sub", ["b", "t"], ["z"])],
        {"s": array(1, 6, 1, 1), "t": array(6, 1, 1)},
    ),
    "max pool with ceil": (
        20,
        [node("MaxPool", ["a"], ["z"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
        {},
    ),
    "uneven max pool": (
        20,
        [node("MaxPool", ["a"], ["z"], kernel_shape=[2, 2], pads=[0, 1, 1, 0])],
        {},
    ),
    "average without its padding": (
        20,
        [node("AveragePool", ["a"], ["z"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
        {},
    ),
    "average with its padding": (
        20,
        [node("AveragePool", ["a"], ["z"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)],
        {},
    ),
    "squeeze and excite": (
        20,
        [
            node("GlobalAveragePool", ["a"], ["p"]),
            node("Conv", ["p", "down", "bd"], ["q"]),
            node("Relu", ["q"], ["r"]),
            node("Conv", ["r", "up"], ["s"]),
            node("HardSigmoid", ["s"], ["t"], alpha=1 / 6),
            node("Mul", ["t", "a"], ["z"]),
        ],
        {"down": array(2, 6, 1, 1), "bd": array(2), "up": array(6, 2, 1, 1)},
    ),
    "concatenation in both orders": (
        20,
        [
            node("Conv", ["a", "w"], ["b"], pads=[0, 0, 0, 0]),
            node("Relu", ["b"], ["c"]),
            node("Concat", ["c", "b"], ["d"], axis=1),
            node("Conv", ["d", "v"], ["z"]),
        ],
        {"w": W, "v": array(6, 12, 1, 1)},
    ),
    "pad by itself": (20, [node("Pad", ["a", "p"], ["z"])], {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1])}),
    "difference of two": (
        20,
        [node("Conv", ["a", "w"], ["b"], pads=[1, 1, 1, 1]), node("Sub", ["a", "b"], ["z"])],
        {"w": W},
    ),
}
HEADS: dict[str, Callable[[], tuple[list[Any], dict[str, np.ndarray]]]] = {
    "mean by attributes": lambda: (
        [
            node("ReduceMean", ["z"], ["m"], axes=[2, 3], keepdims=0),
            node("MatMul", ["m", "h"], ["n"]),
            node("Add", ["n", "k"], ["y"]),
        ],
        {"h": array(6, 4), "k": array(4)},
    ),
    "mean by inputs": lambda: (
        [
            node("ReduceMean", ["z", "axes"], ["m"], keepdims=1),
            node("Squeeze", ["m", "axes"], ["n"]),
            node("Gemm", ["n", "h"], ["y"]),
        ],
        {"h": array(6, 4), "axes": np.array([2, 3])},
    ),
}


def whole(case: str) -> bytes:
    opset, nodes, tensors = CASES[case]
    head, more = HEADS["mean by inputs" if opset >= 18 else "mean by attributes"]()
    stem = [node("Conv", ["x", "stem.weight"], ["a0"], pads=[1, 1, 1, 1]), node("Relu", ["a0"], ["a1"])]
    stem.append(node("Add", ["a1", "a0"], ["a"]))
    every = {**tensors, **more, "stem.weight": array(6, 1, 3, 3)}
    return onnx_file([*stem, *nodes, *head], every, opset=opset)


@pytest.mark.parametrize("case", CASES)
def test_a_converted_network_answers_as_onnxruntime_does(case: str) -> None:
    data = whole(case)
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert difference(convert(read_onnx(data)), images, run_onnx(data, images)) < 1e-5


def test_pixels_that_the_file_normalizes_are_constants_of_the_supernet() -> None:
    nodes = [node("Sub", ["x", "mean"], ["x1"]), node("Div", ["x1", "std"], ["x2"])]
    nodes += [
        node("Conv", ["x2", "w", "b"], ["a"]),
        node("Relu", ["a"], ["b1"]),
        node("Conv", ["b1", "v"], ["c"]),
    ]
    nodes += [node("GlobalAveragePool", ["c"], ["d"]), node("Flatten", ["d"], ["y"])]
    tensors = {
        "mean": np.float32([[[0.3]]]),
        "std": np.float32(0.2),
        "w": array(6, 1, 3, 3),
        "b": B,
        "v": array(4, 6, 3, 3),
    }
    data = onnx_file(nodes, tensors)
    given = read_onnx(data)
    assert given.mean == pytest.approx((0.3,), rel=1e-6)
    assert given.std == pytest.approx((0.2,), rel=1e-6)
    assert [step["op"] for step in given.steps] == ["conv", "relu", "conv", "mean", "flatten"]
    images = torch.rand(5, 1, 8, 8)
    assert difference(convert(given), images, run_onnx(data, images)) < 1e-5


def test_the_softmax_at_the_end_is_left_out_and_said() -> None:
    given = read_onnx(residual_onnx())
    assert given.steps[-1]["op"] == "linear"
    assert any("Softmax" in fact for fact in given.facts)


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        ([node("Conv", ["x", "w"], ["a"]), node("LRN", ["a"], ["y"], size=3)], "LRN"),
        ([node("Conv", ["x", "w"], ["a"]), node("Transpose", ["a"], ["y"], perm=[0, 2, 3, 1])], "Transpose"),
        ([node("ConvTranspose", ["x", "w"], ["y"])], "ConvTranspose"),
        ([node("Softmax", ["x"], ["a"]), node("Conv", ["a", "w"], ["y"])], "Softmax"),
        ([node("Conv", ["x", "x"], ["y"])], "weights that are computed"),
        ([node("Conv", ["x", "w"], ["y"])], "one number per class"),
    ],
)
def test_what_cannot_be_converted_is_named(nodes: list[Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        read_onnx(onnx_file(nodes, {"w": array(4, 1, 3, 3)}))


def test_weights_in_another_file_and_unknown_sizes_are_refused() -> None:
    model = onnx.load_model_from_string(residual_onnx())
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    with pytest.raises(InvalidInput, match="one file"):
        read_onnx(model.SerializeToString())
    with pytest.raises(InvalidInput, match="known sizes"):
        read_onnx(onnx_file([node("Relu", ["x"], ["y"])], {}, shape=["n", 1, "h", "w"]))
    with pytest.raises(InvalidInput, match="known sizes"):
        read_onnx(onnx_file([node("Relu", ["x"], ["y"])], {}, shape=["n", 1, 9000, 8]))
    with pytest.raises(InvalidInput, match="version 3"):
        read_onnx(onnx_file([node("Relu", ["x"], ["y"])], {}, opset=3))
