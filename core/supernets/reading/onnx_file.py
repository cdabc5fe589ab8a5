"""An ONNX file as a list of operations. Runs in the confined process: the file comes from a stranger.

What only moves shapes about is computed at once; a batch dimension that is not known is -1 there. Differences between
opsets are those of where a setting stands: attribute or input. Nothing of a file is run.

Source: the operators of onnx.ai, opsets 7 to 23.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.supernets.reading.builder import Builder, GivenNetwork, image_shape, unknown
from core.supernets.reading.onnx_node import Node
from core.supernets.reading.onnx_shapes import FOLDED, folded

_OLDEST, _NEWEST = 7, 26
_MOST_NODES = 20_000
_MOST_BYTES = 2**30


def read_onnx(data: bytes) -> GivenNetwork:
    """The network in an ONNX file.

    Raises:
        InvalidInput: it is damaged, too large, no image classifier, or has an operation that cannot be converted.
    """
    import onnx
    from onnx import inliner

    try:
        model = onnx.load_model_from_string(data)
        if len(model.functions):
            model = inliner.inline_local_functions(model)
    except Exception as error:  # protobuf's errors have no common base of their own
        raise InvalidInput("The ONNX file is damaged, or it is no ONNX file.") from error
    opsets = {each.domain: each.version for each in model.opset_import}
    version = opsets.get("", opsets.get("ai.onnx", 0))
    if not _OLDEST <= version <= _NEWEST:
        raise InvalidInput(
            f"The ONNX file uses version {version} of the operators; versions {_OLDEST} to {_NEWEST} can be read."
        )
    if len(model.graph.node) > _MOST_NODES:
        raise InvalidInput(f"The ONNX file has more than {_MOST_NODES:,} operations.")
    try:
        return _Reader(model.graph).network()
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError) as error:
        raise InvalidInput("The graph in the ONNX file is not as exporters write it.") from error


class _Reader:
    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.constants: dict[str, NDArray[Any]] = {}
        total = 0
        for tensor in graph.initializer:
            total += self._keep(tensor.name, tensor)
            if total > _MOST_BYTES:
                raise InvalidInput(f"The weights in the ONNX file have more than {_MOST_BYTES:,} bytes.")
        given = [each for each in graph.input if each.name not in self.constants]
        if len(given) != 1 or len(graph.output) != 1:
            raise InvalidInput(
                f"This network has {len(given)} inputs and {len(graph.output)} outputs; an image classifier has one of each."
            )
        self.builder = Builder(image_shape([dim.dim_value for dim in given[0].type.tensor_type.shape.dim]))
        self.values: dict[str, int] = {given[0].name: 0}
        self.ended: set[str] = set()
        self.reads = Counter(name for node in graph.node for name in node.input)
        self.reads[graph.output[0].name] += 1

    def _keep(self, name: str, tensor: Any) -> int:
        import onnx

        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise InvalidInput(
                "The weights of this ONNX file lie in another file; save it as one file (without external data)."
            )
        try:
            array = onnx.numpy_helper.to_array(tensor)
        except Exception as error:  # whatever a broken tensor makes of it
            raise InvalidInput("A tensor in the ONNX file cannot be read.") from error
        self.constants[name] = array
        return int(array.nbytes)

    def network(self) -> GivenNetwork:
        for node in self.graph.node:
            if node.domain not in ("", "ai.onnx"):
                raise unknown(f"{node.domain}.{node.op_type}", node.name)
            if self.ended & set(node.input):
                raise unknown("Softmax before its end", node.name)
            self._node(Node(node, self.values, self.constants))
        name = self.graph.output[0].name
        if name not in self.values:
            raise InvalidInput("The output of this network does not depend on its input.")
        return self.builder.finished(self.values[name])

    def _node(self, node: Node) -> None:
        if node.op == "Shape" and node.flows(0):
            self.constants[node.out] = np.array([-1, *self.builder.shape(node.flow(0))])
            return
        if not any(name in self.values for name in node.inputs):
            if node.op not in FOLDED:
                raise unknown(node.op, node.name)
            self.constants[node.out] = self._folded(node)
            return
        special = getattr(self, f"_{node.op.lower()}", None)
        if special is None:
            raise unknown(node.op, node.name)
        self.values[node.out] = special(node)

    def _folded(self, node: Node) -> NDArray[Any]:
        import onnx

        if node.op == "Constant":
            self._keep(node.out, node.tensor(onnx))
            return self.constants[node.out]
        try:
            return folded(node.op, [node.const(i) for i in range(len(node.inputs))], node.attributes)
        except (ValueError, IndexError, TypeError, KeyError, ArithmeticError, MemoryError) as error:
            raise unknown(node.op, node.name) from error

    # --- layers ---------------------------------------------------------------------------------

    def _conv(self, node: Node) -> int:
        weight = node.const(1)
        of, kernel = node.flow(0), list(weight.shape[2:])
        stride, dilation = node.get("strides", [1, 1]), node.get("dilations", [1, 1])
        return self.builder.conv(
            of,
            weight,
            node.const(2) if node.has(2) else None,
            stride=stride,
            sides=self._sides(node, of, kernel, stride, dilation),
            dilation=dilation,
            groups=node.get("group", 1),
            name=node.layer,
        )

    def _sides(
        self, node: Node, of: int, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
    ) -> list[int]:
        """Left, right, top, bottom."""
        automatic = node.get("auto_pad", "NOTSET")
        if automatic == "VALID":
            return [0, 0, 0, 0]
        if automatic == "NOTSET":
            top, left, bottom, right = node.get("pads", [0, 0, 0, 0])
            return [left, right, top, bottom]
        shape, found = self.builder.shape(of), []
        for side, k, s, d in zip(shape[1:], kernel, stride, dilation, strict=True):
            total = max(0, (-(-side // s) - 1) * s + (k - 1) * d + 1 - side)
            small, large = total // 2, total - total // 2
            found.append((small, large) if automatic == "SAME_UPPER" else (large, small))
        return [*found[1], *found[0]]

    def _batchnormalization(self, node: Node) -> int:
        scale, shift, mean, var = (node.const(i) for i in range(1, 5))
        return self.builder.norm(node.flow(0), scale, shift, mean, var, node.get("epsilon", 1e-5), node.name)

    def _gemm(self, node: Node) -> int:
        if node.get("transA", 0):
            raise unknown("Gemm with a transposed input", node.name)
        weight = node.const(1) * node.get("alpha", 1.0)
        bias = node.const(2) * node.get("beta", 1.0) if node.has(2) else None
        weight = weight if node.get("transB", 0) else weight.T
        if bias is not None and np.size(bias) == 1:
            bias = np.full(weight.shape[0], float(np.ravel(bias)[0]))
        return self.builder.linear(node.flow(0), weight, bias, node.layer)

    def _matmul(self, node: Node) -> int:
        return self.builder.linear(node.flow(0), node.const(1).T, None, node.layer)

    # --- numbers --------------------------------------------------------------------------------

    def _each(self, node: Node, op: str, **settings: Any) -> int:
        return self.builder.add(op, [node.flow(0)], node.name, **settings)

    def _relu(self, node: Node) -> int:
        return self._each(node, "relu")

    def _sigmoid(self, node: Node) -> int:
        return self._each(node, "sigmoid")

    def _tanh(self, node: Node) -> int:
        return self._each(node, "tanh")

    def _erf(self, node: Node) -> int:
        return self._each(node, "erf")

    def _mish(self, node: Node) -> int:
        return self._each(node, "mish")

    def _hardswish(self, node: Node) -> int:
        return self._each(node, "hard_swish")

    def _gelu(self, node: Node) -> int:
        return self._each(node, "gelu", tanh=node.get("approximate", "none") == "tanh")

    def _leakyrelu(self, node: Node) -> int:
        return self._each(node, "leaky_relu", slope=node.get("alpha", 0.01))

    def _elu(self, node: Node) -> int:
        return self._each(node, "elu", alpha=node.get("alpha", 1.0))

    def _hardsigmoid(self, node: Node) -> int:
        alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
        if abs(alpha - 1 / 6) < 1e-4 and beta == 0.5:
            return self._each(node, "hard_sigmoid")
        scaled = self.builder.affine(node.flow(0), alpha, beta, node.name)
        return self.builder.add("clip", [scaled], node.name, low=0.0, high=1.0)

    def _clip(self, node: Node) -> int:
        low = node.number(1) if node.has(1) else node.get("min", -1e30)
        high = node.number(2) if node.has(2) else node.get("max", 1e30)
        if (low, high) == (0.0, 6.0):
            return self._each(node, "relu6")
        if low == 0 and high >= 1e30:
            return self._each(node, "relu")
        return self._each(node, "clip", low=max(low, -1e30), high=min(high, 1e30))

    def _add(self, node: Node) -> int:
        if node.flows(0) and node.flows(1):
            return self.builder.add("add", [node.flow(0), node.flow(1)], node.name)
        at = 0 if node.flows(0) else 1
        return self.builder.affine(
            node.flow(at), 1.0, node.const(1 - at), node.name, alone=self.reads[node.inputs[at]] == 1
        )

    def _sub(self, node: Node) -> int:
        if node.flows(0) and node.flows(1):
            minus = self.builder.add("scale", [node.flow(1)], node.name, value=-1.0)
            return self.builder.add("add", [node.flow(0), minus], node.name)
        if node.flows(0):
            return self.builder.affine(node.flow(0), 1.0, -node.const(1), node.name)
        return self.builder.affine(node.flow(1), -1.0, node.const(0), node.name)

    def _mul(self, node: Node) -> int:
        if node.flows(0) and node.flows(1):
            return self.builder.add("mul", [node.flow(0), node.flow(1)], node.name)
        at = 0 if node.flows(0) else 1
        return self.builder.affine(node.flow(at), node.const(1 - at), 0.0, node.name)

    def _div(self, node: Node) -> int:
        if not node.flows(0) or node.flows(1):
            raise unknown("a division by what flows", node.name)
        by = node.const(1).astype(np.float64)
        if (by == 0).any():
            raise unknown("a division by zero", node.name)
        return self.builder.affine(node.flow(0), 1 / by, 0.0, node.name)

    def _concat(self, node: Node) -> int:
        given = [node.flow(i) for i in range(len(node.inputs))]
        if node.get("axis", 1) % (len(self.builder.shape(given[0])) + 1) != 1:
            raise unknown("a concatenation along another axis than channels", node.name)
        return given[0] if len(given) == 1 else self.builder.add("concat", given, node.name)

    # --- shapes ---------------------------------------------------------------------------------

    def _pool(self, node: Node, op: str) -> int:
        of, kernel = node.flow(0), node.get("kernel_shape", [1, 1])
        stride = node.get("strides", [1] * len(kernel))
        if len(kernel) != 2 or any(d != 1 for d in node.get("dilations", [1, 1])):
            raise unknown("a pooling with dilation, or of other than two dimensions", node.name)
        return self.builder.pool(
            op,
            of,
            kernel=kernel,
            stride=stride,
            sides=self._sides(node, of, kernel, stride, [1, 1]),
            ceil=bool(node.get("ceil_mode", 0)),
            name=node.name,
            count_padding=bool(node.get("count_include_pad", 0)),
        )

    def _maxpool(self, node: Node) -> int:
        return self._pool(node, "max_pool")

    def _averagepool(self, node: Node) -> int:
        return self._pool(node, "avg_pool")

    def _globalaveragepool(self, node: Node) -> int:
        return self._each(node, "mean")

    def _globalmaxpool(self, node: Node) -> int:
        return self._each(node, "max")

    def _reducemean(self, node: Node, op: str = "mean") -> int:
        axes = node.const(1).tolist() if node.has(1) else node.get("axes", [])
        return self.builder.over_area(op, node.flow(0), axes, bool(node.get("keepdims", 1)), node.name)

    def _reducemax(self, node: Node) -> int:
        return self._reducemean(node, "max")

    def _flatten(self, node: Node) -> int:
        if node.get("axis", 1) != 1:
            raise unknown("a flattening of the batch", node.name)
        return self.builder.reshaped(node.flow(0), [-1], node.name)

    def _reshape(self, node: Node) -> int:
        target, shape = node.const(1).astype(int).tolist(), self.builder.shape(node.flow(0))
        rest = target[1:]
        if not node.get("allowzero", 0):
            rest = [shape[i] if side == 0 and i < len(shape) else side for i, side in enumerate(rest)]
        return self.builder.reshaped(node.flow(0), rest, node.name)

    def _squeeze(self, node: Node) -> int:
        shape = self.builder.shape(node.flow(0))
        axes = node.const(1).ravel().tolist() if node.has(1) else node.get("axes", [])
        gone = {axis % (len(shape) + 1) for axis in axes}
        return self.builder.reshaped(
            node.flow(0), [side for i, side in enumerate(shape, 1) if i not in gone], node.name
        )

    def _unsqueeze(self, node: Node) -> int:
        shape = self.builder.shape(node.flow(0))
        axes = node.const(1).ravel().tolist() if node.has(1) else node.get("axes", [])
        if len(shape) != 1 or sorted(axis % 4 for axis in axes) != [2, 3]:
            raise unknown("Unsqueeze", node.name)
        return self.builder.reshaped(node.flow(0), [shape[0], 1, 1], node.name)

    def _pad(self, node: Node) -> int:
        if node.get("mode", "constant") != "constant" or node.has(3):
            raise unknown("Pad by copies of the border", node.name)
        pads = node.const(1).astype(int).tolist() if node.has(1) else node.get("pads", [])
        value = node.number(2) if node.has(2) else node.get("value", 0.0)
        if len(pads) != 8 or any(pads[i] for i in (0, 1, 4, 5)) or min(pads) < 0:
            raise unknown("Pad of other axes than height and width", node.name)
        sides = [pads[3], pads[7], pads[2], pads[6]]
        if not any(sides):
            return node.flow(0)
        return self._each(node, "pad", sides=sides, value=value)

    def _identity(self, node: Node) -> int:
        return node.flow(0)

    _dropout = _cast = _identity

    def _softmax(self, node: Node) -> int:
        self.ended.add(node.out)
        self.builder.facts.append(f"The {node.op} at the end is left out: subnets answer with logits.")
        return node.flow(0)

    _logsoftmax = _softmax
