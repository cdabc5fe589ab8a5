"""ONNX files of many subnets of one supernet in about a millisecond each: every stage is exported once, and put together.

A stage's graph depends only on what the stage depends on, so a whole space is made of a few hundred pieces. Put one
behind the other they are the graph that exporting the subnet as a whole gives; the first one is compared with the subnet.
What such files are for is timing: BatchNorm statistics come from a few random inputs instead of training data, which
changes constants and no operation. For a subnet to keep and use, see `core.export.onnx_file`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import CoreError
from core.export.tracing import TRACED, onnx_bytes
from core.networks.onnx_tracing import LOCK, OPSET
from core.networks.trees import leaves, map_leaves, rows_of
from core.objectives.timing import session
from core.quiet import quiet
from core.spaces import Arch
from core.supernets.base import Supernet

_CALIBRATION_ROWS = 16
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class _Piece:
    """One stage's graph, its tensors under names of its own."""

    graph: onnx.GraphProto
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxParts:
    """Makes ONNX files of a supernet's subnets for timing.

    Args:
        supernet: whose; not changed.
    """

    def __init__(self, supernet: Supernet) -> None:
        self._supernet = supernet
        self._names = supernet.task.inputs
        self._columns = [
            [supernet.space.position[name] for name in stage.depends_on] for stage in supernet.chain
        ]
        self._pieces: dict[tuple[int, tuple[int, ...]], _Piece] = {}
        self._linked: dict[tuple[int, tuple[int, ...], int, bool], bytes] = {}
        self._by_block: dict[tuple[int, str], _Piece] = {}
        self._compared = False
        # The rows of a graph belong together: nothing in it can be tried on a few of them.
        self._whole = supernet.task.whole
        generator = torch.Generator().manual_seed(0)
        self._inputs = supernet.task.random_inputs(supernet.config, _CALIBRATION_ROWS, generator)
        self._head = self._inputs_of_the_graph()

    def sample(self, rows: int = 1) -> list[NDArray[Any]]:
        """Random inputs, as arrays in the order the files take them; not for graphs, which are taken as they are.

        Args:
            rows: samples, at most 16 different ones; they are repeated beyond that.
        """
        at = torch.arange(rows) % _CALIBRATION_ROWS
        return [leaf.numpy() for leaf in leaves(rows_of(self._inputs, at))]

    def file(self, arch: Arch) -> bytes:
        """The ONNX file of a subnet: any batch size, output "logits".

        Raises:
            CoreError: it uses an operation that ONNX cannot express.
        """
        if not self._whole:
            try:
                found = self._assembled(arch)
            except _CannotBeCut:
                self._whole = True
            else:
                if self._compared or self._answers_alike(arch, found):
                    return found
        return onnx_bytes(self._extracted(arch), self._supernet.config.input_shape, self._names)

    def _answers_alike(self, arch: Arch, found: bytes) -> bool:
        """Whether the first assembled file answers as the subnet does; if not, nothing is assembled any more."""
        x = rows_of(self._inputs, slice(TRACED))
        self._compared = True
        expected = self._extracted(arch)(x).numpy()
        feed = dict(zip(self._names, (leaf.numpy() for leaf in leaves(x)), strict=True))
        [answered] = session(found).run(["logits"], feed)
        self._whole = not np.allclose(answered, expected, rtol=_TOLERANCE, atol=_TOLERANCE)
        return not self._whole

    def _assembled(self, arch: Arch) -> bytes:
        stages = self._supernet.chain
        present = [k for k, stage in enumerate(stages) if stage.key(arch) is not None]
        keys = {k: tuple(int(arch[c]) for c in self._columns[k]) for k in present}
        if any((k, keys[k]) not in self._pieces for k in present):
            self._add_pieces(arch, present, keys)
        parts, before = [self._head], -1
        for k in present:
            last = k == present[-1]
            linked = self._linked.get((k, keys[k], before, last))
            if linked is None:
                linked = self._link(k, keys[k], before, last, present)
            parts.append(linked)
            before = k
        # Messages of protocol buffers written one after the other are one message with all their entries.
        return _model_of(b"".join(parts))

    def _add_pieces(self, arch: Arch, present: Sequence[int], keys: dict[int, tuple[int, ...]]) -> None:
        net, x = self._extracted(arch), rows_of(self._inputs, slice(TRACED))
        for k, block in zip(present, net, strict=True):
            if (k, keys[k]) not in self._pieces:
                # Different keys may mean one block: how deep a group is changes nothing in its first block.
                described = f"{type(block).__name__}{getattr(block, 'arguments', keys[k])}"
                if (k, described) not in self._by_block:
                    self._by_block[k, described] = _exported(block, x, f"s{k}/")
                self._pieces[k, keys[k]] = self._by_block[k, described]
            x = block(x)

    def _link(self, k: int, key: tuple[int, ...], before: int, last: bool, present: Sequence[int]) -> bytes:
        """A piece behind another one, ready to be written down."""
        piece = self._pieces[k, key]
        if before < 0:
            given = list(self._names)
        else:
            # Which piece stands there does not matter: all pieces of a stage name their outputs alike.
            given = [f"h{before}.{i}" for i in range(len(piece.inputs))]
        if len(given) != len(piece.inputs) or (last and len(piece.outputs) != 1):
            raise _CannotBeCut
        made = ["logits"] if last else [f"h{k}.{i}" for i in range(len(piece.outputs))]
        rename = dict(zip(piece.inputs, given, strict=True))
        passed = {name: new for name, new in zip(piece.outputs, made, strict=True) if name in rename}
        rename |= {n: new for n, new in zip(piece.outputs, made, strict=True) if n not in rename}
        graph = onnx.GraphProto()
        graph.CopyFrom(piece.graph)
        for node in graph.node:
            node.input[:] = [rename.get(name, name) for name in node.input]
            node.output[:] = [rename.get(name, name) for name in node.output]
        for name, new in passed.items():  # an input that is handed on as it is
            graph.node.append(onnx.helper.make_node("Identity", [rename[name]], [new]))
        if last:
            graph.output.append(
                onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", None])
            )
        self._linked[k, key, before, last] = graph.SerializeToString()
        return self._linked[k, key, before, last]

    def _extracted(self, arch: Arch) -> nn.Sequential:
        with torch.no_grad():
            statistics = self._supernet.calibrate(arch, self._inputs)
        return self._supernet.extract(arch, statistics)

    def _inputs_of_the_graph(self) -> bytes:
        graph = onnx.GraphProto(name="subnet")
        for name, leaf in zip(self._names, leaves(self._inputs), strict=True):
            shape = ["batch", *leaf.shape[1:]]
            graph.input.append(onnx.helper.make_tensor_value_info(name, _TYPES[leaf.dtype], shape))
        return cast(bytes, graph.SerializeToString())


_TYPES = {
    torch.float32: onnx.TensorProto.FLOAT,
    torch.int64: onnx.TensorProto.INT64,
    torch.bool: onnx.TensorProto.BOOL,
}


class _CannotBeCut(Exception):
    """A stage's graph cannot stand alone: subnets are exported as a whole."""


class _Flat(nn.Module):
    """A block whose inputs and outputs are tensors beside each other, whatever tree they were."""

    def __init__(self, block: nn.Module, example: Any) -> None:
        super().__init__()
        self.block, self._example = block, example

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        given = iter(tensors)
        return tuple(leaves(self.block(map_leaves(lambda _: next(given), self._example))))


def _exported(block: nn.Module, x: Any, prefix: str) -> _Piece:
    tensors = tuple(leaves(x))
    made = leaves(block(x))
    if any(leaf.shape[:1] != (TRACED,) for leaf in (*tensors, *made)):
        raise _CannotBeCut  # a graph's edges do not lie along the rows
    names = [f"in{i}" for i in range(len(tensors))], [f"out{i}" for i in range(len(made))]
    buffer = io.BytesIO()
    try:
        with LOCK, quiet():
            torch.onnx.export(
                _Flat(block, x).eval(),
                tensors,
                buffer,  # type: ignore[arg-type]  # the older exporter also writes to memory
                dynamo=False,
                opset_version=OPSET,
                input_names=names[0],
                output_names=names[1],
                dynamic_axes={name: {0: "batch"} for name in (*names[0], *names[1])},
                verbose=False,
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise CoreError("This supernet uses an operation that ONNX cannot express.") from error
    graph = onnx.load_from_string(buffer.getvalue()).graph
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        raise _CannotBeCut  # names inside a branch are not renamed
    return _renamed(graph, names, prefix)


def _renamed(graph: onnx.GraphProto, names: tuple[list[str], list[str]], prefix: str) -> _Piece:
    there = {i.name for i in graph.input}

    def new(name: str) -> str:
        return f"{prefix}{name}" if name else name

    kept = onnx.GraphProto()
    for node in graph.node:
        node.name = new(node.name)
        node.input[:] = [new(name) for name in node.input]
        node.output[:] = [new(name) for name in node.output]
        kept.node.append(node)
    for tensor in graph.initializer:
        tensor.name = new(tensor.name)
        kept.initializer.append(tensor)
    if not set(names[0]) <= there:
        raise _CannotBeCut
    return _Piece(kept, tuple(map(new, names[0])), tuple(map(new, (o.name for o in graph.output))))


def _model_of(graph: bytes) -> bytes:
    """A model around the bytes of a graph: what `onnx.ModelProto` writes, without reading the graph."""
    return _MODEL + _field(7, graph)


def _field(number: int, content: bytes) -> bytes:
    """A field of a message that holds bytes, as protocol buffers write it."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _empty_model() -> bytes:
    model = onnx.ModelProto(ir_version=9, producer_name="paretoscope")
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    return cast(bytes, model.SerializeToString())


_MODEL = _empty_model()
