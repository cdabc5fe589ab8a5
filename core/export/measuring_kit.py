"""A measuring kit: some subnets of a supernet and a script that times them on any device, in one small zip.

How long a network takes depends on its structure and not on what its weights say, so a kit holds no weights of
anybody: every large tensor of every subnet is the beginning of one file of random numbers.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from numpy.typing import NDArray

from core.config import JsonObject
from core.errors import InvalidInput
from core.export import measuring
from core.export.onnx_parts import OnnxParts
from core.export.quantizing import can_quantize, quantized
from core.export.script_text import script_text
from core.export.source_code import write_blocks
from core.networks.chain import BlockDescription, blocks_of
from core.networks.trees import leaves
from core.seeding import stream, torch_seed
from core.spaces import Arch
from core.supernets.base import Supernet
from core.tasks.graph import GraphConfig

_FOLDER = Path(measuring.__file__).parent
_EPOCH = (1980, 1, 1, 0, 0, 0)
_POOL = "weights.bin"
_OUTSIDE = 256
"""Bytes from which a matrix or a kernel lies in the common file; vectors are those of norms, and stay."""
_WEIGHTS = (onnx.TensorProto.FLOAT, onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
_SPREAD = 0.1
"""Standard deviation of its numbers: what passes ten layers stays far from zero and from infinity."""
_ROWS = 4
"""Different samples in a kit; larger batches repeat them."""


@dataclass(frozen=True)
class Terms:
    """How a kit is to be measured.

    Attributes:
        runtime: "onnxruntime" or "torch".
        precision: "float32" or "int8".
        threads: that one answer may use.
        batch: samples of one answer.
    """

    runtime: str = "onnxruntime"
    precision: str = "float32"
    threads: int = 1
    batch: int = 1


class KitMaker:
    """Writes subnets of one supernet into a kit, one after the other.

    Args:
        supernet: whose subnets; not changed.
        terms: how the kit is to be measured.

    Raises:
        InvalidInput: int8 is asked of torch, or of an onnxruntime without quantization; several graphs at once.
    """

    def __init__(self, supernet: Supernet, terms: Terms) -> None:
        config = supernet.config
        self._whole = supernet.task.whole
        _require_possible(terms, whole=self._whole)
        self._supernet, self._terms = supernet, terms
        rows = config.nodes if isinstance(config, GraphConfig) else min(_ROWS, terms.batch)
        generator = torch.Generator().manual_seed(torch_seed(0, "measuring kit", "inputs"))
        self._random = supernet.task.random_inputs(config, rows, generator)
        self._inputs = [leaf.numpy() for leaf in leaves(self._random)]
        self._parts = OnnxParts(supernet) if terms.runtime == "onnxruntime" else None
        self._names: list[str] = []
        self._graphs: list[onnx.ModelProto] = []
        self._blocks: list[list[BlockDescription]] = []
        self._nets: dict[str, torch.nn.Module] = {}
        self._largest = 0

    def add(self, arch: Arch) -> None:
        """Write one more subnet.

        Raises:
            CoreError: it cannot be written for this runtime.
        """
        self._names.append(self._supernet.space.arch_id(arch))
        if self._parts is None:
            with torch.no_grad():
                net = self._supernet.extract(arch, self._supernet.calibrate(arch, self._random))
            self._blocks.append(blocks_of(net))
            self._nets |= {type(block).__name__: block for block in net}
            return
        graph = self._parts.file(arch)
        if self._terms.precision == "int8":
            graph = quantized(graph, self._inputs)
        model = onnx.load_model_from_string(graph)
        self._largest = max(self._largest, _put_outside(model))
        self._graphs.append(model)

    def zip(self, anchors: Sequence[int], supernet: JsonObject) -> bytes:
        """The kit; equal subnets give equal bytes.

        Args:
            anchors: positions of the subnets that are timed before and after everything else.
            supernet: its identity, which the profile will carry.
        """
        about = {
            "format": 1,
            "supernet": supernet,
            **asdict(self._terms),
            "repeat": not self._whole,
            "subnets": self._names,
            "anchors": [int(at) for at in anchors],
        }
        files = {
            "README.txt": readme(self._terms, len(self._names), str(supernet.get("title", ""))).encode(),
            "measure.py": measure_script(self._terms.runtime),
            "kit.json": json.dumps(about, indent=1).encode(),
            "inputs.npz": _arrays(self._inputs),
        }
        return _zip(files | (self._of_torch() if self._parts is None else self._of_onnx()))

    def _of_onnx(self) -> dict[str, bytes]:
        files = {
            f"subnets/{number:04d}.onnx": model.SerializeToString(deterministic=True)
            for number, model in enumerate(self._graphs)
        }
        numbers = stream(0, "measuring kit").standard_normal(-(-self._largest // 4)) * _SPREAD
        return files | {f"subnets/{_POOL}": numbers.astype("<f4").tobytes()}

    def _of_torch(self) -> dict[str, bytes]:
        blocks = write_blocks(torch.nn.Sequential(*self._nets.values()))
        return {"blocks.py": blocks.encode(), "networks.json": json.dumps(self._blocks).encode()}


def _require_possible(terms: Terms, *, whole: bool) -> None:
    if terms.precision == "int8" and terms.runtime == "torch":
        raise InvalidInput("A kit for torch measures float32; take onnxruntime for int8.")
    if terms.precision == "int8" and not can_quantize():
        raise InvalidInput("This installation's onnxruntime cannot quantize; measure float32.")
    if whole and terms.batch > 1:
        raise InvalidInput("A graph is answered as a whole; leave the batch at 1.")


def measure_script(runtime: str) -> bytes:
    """The text of measure.py; it needs numpy and the runtime, and nothing of ours."""
    later = {"core", "numpy", "onnxruntime", "torch"}
    return script_text(_FOLDER, f"measure_{runtime}", later, shared=("device", "common"))


def readme(terms: Terms, n: int, title: str) -> str:
    """What to do with a kit, in a few lines."""
    times = f"{n} subnets of {title}" if title else f"{n} subnets"
    return (
        f"Times {times} on this device ({terms.precision}, batch {terms.batch}).\n\n"
        f"    pip install {terms.runtime} numpy\n"
        f'    python measure.py --threads {terms.threads} --name "My device"\n\n'
        "Ctrl-C stops it, the same command goes on. Then load profile.json on the Front page,\n"
        'under "Your own device". The weights are random numbers: they do not change how long a subnet takes.\n'
    )


# --- onnxruntime ------------------------------------------------------------------------------------


def _put_outside(model: onnx.ModelProto) -> int:
    """Let large tensors of a model be beginnings of the common file; returns the bytes of the largest."""
    largest = 0
    for tensor in model.graph.initializer:
        size = onnx.numpy_helper.to_array(tensor).nbytes
        if size < _OUTSIDE or len(tensor.dims) < 2 or tensor.data_type not in _WEIGHTS:
            continue
        largest = max(largest, size)
        for form in ("raw_data", "float_data", "int32_data", "int64_data", "double_data"):
            tensor.ClearField(form)
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", _POOL), ("offset", "0"), ("length", str(size))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    return largest


# --- files ------------------------------------------------------------------------------------------


def _arrays(inputs: Sequence[NDArray[Any]]) -> bytes:
    """An .npz whose arrays are called by their place."""
    files = {}
    for number, array in enumerate(inputs):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
        files[f"{number:02d}.npy"] = buffer.getvalue()
    return _zip(files)


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
