"""A program of torch.export (.pt2) as a list of operations. Runs in the confined process: the file comes from a stranger.

The graph is read from its JSON; no operator is looked up by the name a file gives. Both forms of graph are known: with
the operators that modules call (conv2d, linear, ...), and decomposed into the core ones (convolution, addmm, ...).

Source: torch/_export/serde/schema.py, and the core ATen operators.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.supernets.reading.builder import Builder, GivenNetwork, image_shape, unknown
from core.supernets.reading.exported_archive import read_archive
from core.supernets.reading.exported_call import Call, names

Array = NDArray[Any]
_MOST_NODES = 20_000
_SAME = (
    "dropout",
    "feature_dropout",
    "alias",
    "detach",
    "clone",
    "contiguous",
    "_to_copy",
    "to",
    "lift_fresh_copy",
    "view_as_real",
)
_WRONG = (
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    ValueError,
    OverflowError,
    RuntimeError,
    StopIteration,
)
_BROKEN = "The graph in the torch.export file is not as torch writes it."


def read_exported(data: bytes) -> GivenNetwork:
    """The network in a .pt2 file.

    Raises:
        InvalidInput: it is damaged, no image classifier, or has an operation that cannot be converted.
    """
    archive = read_archive(data)
    try:
        return _Reader(archive.graph, archive.tensors).network()
    except (
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise InvalidInput(_BROKEN) from error


class _Reader:
    def __init__(self, module: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
        self.graph = module["graph"]
        self.constants: dict[str, Array] = {}
        images = []
        for spec in module["signature"]["input_specs"]:
            kind, said = next(iter(spec.items()))
            if kind == "user_input":
                images.append(said["arg"]["as_tensor"]["name"])
            elif kind in ("parameter", "buffer", "tensor_constant"):
                self.constants[said["arg"]["name"]] = tensors[said[f"{kind}_name"]]
        outputs = [
            spec["user_output"]["arg"]
            for spec in module["signature"]["output_specs"]
            if "user_output" in spec
        ]
        if len(images) != 1 or len(outputs) != 1:
            raise InvalidInput(
                f"This network has {len(images)} inputs and {len(outputs)} outputs; an image classifier has one of each."
            )
        self.output = str(outputs[0]["as_tensor"]["name"])
        self.builder = Builder(
            image_shape([each.get("as_int") for each in self.graph["tensor_values"][images[0]]["sizes"]])
        )
        self.values = {str(images[0]): 0}
        self.sizes: dict[str, int] = {}
        self.ended: set[str] = set()
        nodes = self.graph["nodes"]
        if len(nodes) > _MOST_NODES:
            raise InvalidInput(f"The torch.export file has more than {_MOST_NODES:,} operations.")
        self.reads = Counter(name for node in nodes for each in node["inputs"] for name in names(each["arg"]))
        self.reads[self.output] += 1

    def network(self) -> GivenNetwork:
        for node in self.graph["nodes"]:
            call = Call(node, self.values, self.constants, self.sizes, self.reads)
            if self.ended & {name for each in node["inputs"] for name in names(each["arg"])}:
                raise unknown("softmax before its end", call.name)
            self._node(call)
        if self.output not in self.values:
            raise InvalidInput("The output of this network does not depend on its input.")
        return self.builder.finished(self.values[self.output])

    def _node(self, call: Call) -> None:
        if call.op in (
            "sym_size",
            "_assert_tensor_metadata",
            "_assert_scalar",
            "sym_constrain_range_for_size",
        ):
            if call.op == "sym_size":
                at = call.get("dim", 0)
                shape = (-1, *self.builder.shape(call.flow("self")))
                self.sizes[call.out] = int(shape[at])
            return
        if not call.reads_flow():
            self.constants[call.out] = self._constant(call)
            return
        if call.op in _SAME:
            self.values[call.out] = call.flow(call.first)
            return
        special = getattr(self, f"_{call.op.strip('_')}", None)
        if special is None:
            raise unknown(f"aten.{call.op}", call.name)
        self.values[call.out] = special(call)

    def _constant(self, call: Call) -> Array:
        """Weights in another layout."""
        given = call.constant(call.first)
        if call.op == "t":
            return given.T
        if call.op == "permute":
            return given.transpose(call.get("dims", []))
        if call.op == "transpose":
            return np.swapaxes(given, call.get("dim0", 0), call.get("dim1", 1))
        if call.op in ("view", "reshape"):
            return given.reshape(call.get("size", call.get("shape", [-1])))
        if call.op in _SAME:
            return given
        raise unknown(f"aten.{call.op} of constants", call.name)

    # --- layers ---------------------------------------------------------------------------------

    def _conv2d(self, call: Call) -> int:
        weight = call.constant("weight")
        stride, dilation = call.two("stride", 1), call.two("dilation", 1)
        padding = call.get("padding", [0, 0])
        if padding == "same":
            totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
            (top, bottom), (left, right) = ((t // 2, t - t // 2) for t in totals)
        else:
            top, left = (0, 0) if padding == "valid" else call.two("padding", 0)
            bottom, right = top, left
        return self.builder.conv(
            call.flow("input"),
            weight,
            call.maybe("bias"),
            stride=stride,
            sides=(left, right, top, bottom),
            dilation=dilation,
            groups=call.get("groups", 1),
            name=call.name,
        )

    def _convolution(self, call: Call) -> int:
        if call.get("transposed", False):
            raise unknown("aten.convolution, transposed", call.name)
        return self._conv2d(call)

    def _batch_norm(self, call: Call) -> int:
        return self.builder.norm(
            call.flow("input"),
            call.maybe("weight"),
            call.maybe("bias"),
            call.maybe("running_mean"),
            call.maybe("running_var"),
            call.get("eps", 1e-5),
            call.name,
        )

    _native_batch_norm_legit_no_training = native_batch_norm_legit_no_training = _batch_norm

    def _linear(self, call: Call) -> int:
        return self.builder.linear(call.flow("input"), call.constant("weight"), call.maybe("bias"), call.name)

    def _addmm(self, call: Call) -> int:
        return self.builder.linear(
            call.flow("mat1"), call.constant("mat2").T, call.constant("self"), call.name
        )

    def _mm(self, call: Call) -> int:
        other = "mat2" if call.has("mat2") else "other"
        return self.builder.linear(call.flow("self"), call.constant(other).T, None, call.name)

    _matmul = _mm

    # --- numbers --------------------------------------------------------------------------------

    def _each(self, call: Call, op: str, **settings: Any) -> int:
        return self.builder.add(op, [call.flow(call.first)], call.name, **settings)

    def _relu(self, call: Call) -> int:
        return self._each(call, "relu")

    def _relu6(self, call: Call) -> int:
        return self._each(call, "relu6")

    def _sigmoid(self, call: Call) -> int:
        return self._each(call, "sigmoid")

    def _tanh(self, call: Call) -> int:
        return self._each(call, "tanh")

    def _erf(self, call: Call) -> int:
        return self._each(call, "erf")

    def _silu(self, call: Call) -> int:
        return self._each(call, "silu")

    def _mish(self, call: Call) -> int:
        return self._each(call, "mish")

    def _hardswish(self, call: Call) -> int:
        return self._each(call, "hard_swish")

    def _hardsigmoid(self, call: Call) -> int:
        return self._each(call, "hard_sigmoid")

    def _gelu(self, call: Call) -> int:
        return self._each(call, "gelu", tanh=call.get("approximate", "none") == "tanh")

    def _leaky_relu(self, call: Call) -> int:
        return self._each(call, "leaky_relu", slope=call.number("negative_slope", 0.01))

    def _elu(self, call: Call) -> int:
        return self._each(call, "elu", alpha=call.number("alpha", 1.0))

    def _hardtanh(self, call: Call) -> int:
        return self._between(call, call.number("min_val", -1.0), call.number("max_val", 1.0))

    def _clamp(self, call: Call) -> int:
        return self._between(call, call.number("min", -1e30), call.number("max", 1e30))

    def _clamp_min(self, call: Call) -> int:
        return self._between(call, call.number("min", 0.0), 1e30)

    def _between(self, call: Call, low: float, high: float) -> int:
        if (low, high) == (0.0, 6.0):
            return self._each(call, "relu6")
        return self._each(call, "clip", low=low, high=high)

    def _add(self, call: Call) -> int:
        if call.number("alpha", 1.0) != 1:
            raise unknown("aten.add with a factor", call.name)
        if call.flows("self") and call.flows("other"):
            return self.builder.add("add", [call.flow("self"), call.flow("other")], call.name)
        of, by = call.one_flows()
        return self.builder.affine(call.flow(of), 1.0, call.value(by), call.name, alone=call.read_once(of))

    def _sub(self, call: Call) -> int:
        if call.flows("self") and call.flows("other"):
            minus = self.builder.add("scale", [call.flow("other")], call.name, value=-1.0)
            return self.builder.add("add", [call.flow("self"), minus], call.name)
        of, by = call.one_flows()
        sign = 1.0 if of == "self" else -1.0
        return self.builder.affine(call.flow(of), sign, -sign * call.value(by), call.name)

    def _mul(self, call: Call) -> int:
        if call.flows("self") and call.flows("other"):
            return self.builder.add("mul", [call.flow("self"), call.flow("other")], call.name)
        of, by = call.one_flows()
        return self.builder.affine(call.flow(of), call.value(by), 0.0, call.name)

    def _div(self, call: Call) -> int:
        of, by = call.one_flows()
        if of != "self" or (call.value(by) == 0).any():
            raise unknown("aten.div by what flows, or by zero", call.name)
        return self.builder.affine(call.flow(of), 1 / call.value(by), 0.0, call.name)

    def _cat(self, call: Call) -> int:
        given = [self.values[name] for name in call.tensors("tensors")]
        if call.get("dim", 0) % (len(self.builder.shape(given[0])) + 1) != 1:
            raise unknown("aten.cat along another axis than channels", call.name)
        return given[0] if len(given) == 1 else self.builder.add("concat", given, call.name)

    # --- shapes ---------------------------------------------------------------------------------

    def _pool(self, call: Call, op: str) -> int:
        kernel = call.two("kernel_size", 1)
        stride = call.two("stride", 0)
        height, width = call.two("padding", 0)
        if any(d != 1 for d in call.two("dilation", 1)) or call.maybe("divisor_override") is not None:
            raise unknown(f"aten.{call.op} with dilation or a divisor", call.name)
        return self.builder.pool(
            op,
            call.flow("self"),
            kernel=kernel,
            stride=stride if all(stride) else kernel,
            sides=(width, width, height, height),
            ceil=bool(call.get("ceil_mode", False)),
            name=call.name,
            count_padding=bool(call.get("count_include_pad", True)),
        )

    def _max_pool2d(self, call: Call) -> int:
        return self._pool(call, "max_pool")

    _max_pool2d_with_indices = _max_pool2d

    def _avg_pool2d(self, call: Call) -> int:
        return self._pool(call, "avg_pool")

    def _adaptive_avg_pool2d(self, call: Call) -> int:
        return self.builder.pooled_to("avg_pool", call.flow("self"), call.two("output_size", 1), call.name)

    def _adaptive_max_pool2d(self, call: Call) -> int:
        return self.builder.pooled_to("max_pool", call.flow("self"), call.two("output_size", 1), call.name)

    def _mean(self, call: Call, op: str = "mean") -> int:
        axes = call.get("dim", [])
        return self.builder.over_area(op, call.flow("self"), axes, call.get("keepdim", False), call.name)

    def _amax(self, call: Call) -> int:
        return self._mean(call, "max")

    def _flatten(self, call: Call) -> int:
        of, end = call.flow("self"), call.get("end_dim", -1)
        if call.get("start_dim", 0) != 1 or end % (len(self.builder.shape(of)) + 1) != len(
            self.builder.shape(of)
        ):
            raise unknown("aten.flatten of the batch", call.name)
        return self.builder.reshaped(of, [-1], call.name)

    def _view(self, call: Call) -> int:
        return self.builder.reshaped(
            call.flow("self"), call.sizes("size" if call.has("size") else "shape")[1:], call.name
        )

    _reshape = _unsafe_view = _view

    def _squeeze(self, call: Call) -> int:
        shape = self.builder.shape(call.flow("self"))
        axes = call.get("dim", [])
        gone = {axis % (len(shape) + 1) for axis in (axes if isinstance(axes, list) else [axes])}
        kept = [side for at, side in enumerate(shape, 1) if at not in gone or side != 1]
        return self.builder.reshaped(call.flow("self"), kept, call.name)

    def _pad(self, call: Call) -> int:
        if call.get("mode", "constant") != "constant":
            raise unknown("aten.pad by copies of the border", call.name)
        sides = [*call.get("pad", []), 0, 0, 0, 0][:4]
        if any(call.get("pad", [])[4:]) or min(sides) < 0:
            raise unknown("aten.pad of other axes than height and width", call.name)
        return (
            self._each(call, "pad", sides=sides, value=call.number("value", 0.0))
            if any(sides)
            else call.flow("self")
        )

    _constant_pad_nd = _pad

    def _softmax(self, call: Call) -> int:
        self.ended.add(call.out)
        self.builder.facts.append("The softmax at the end is left out: subnets answer with logits.")
        return call.flow("self")

    _log_softmax = _softmax
