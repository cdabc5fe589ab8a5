"""ONNX: one graph that runs in browsers, phones and any language, without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from core.errors import CoreError
from core.export.base import EXPORTERS, Exporter
from core.export.safetensors_file import Safetensors
from core.export.subnet import ExtractedSubnet
from core.export.tracing import feed, onnx_bytes
from core.tasks.registry import TASKS


@EXPORTERS.register("onnx")
class Onnx(Exporter):
    """One graph with its weights (.onnx), for onnxruntime and other programs; any batch size."""

    label = "ONNX"
    source = "ONNX, onnx.ai"
    suffix = "onnx"
    media_type = "application/octet-stream"
    tolerance = 1e-4

    def export(self, subnet: ExtractedSubnet) -> bytes:
        try:
            graph = onnx_bytes(subnet.net, subnet.input_shape, subnet.input_names)
            return _described(graph, metadata(subnet))
        except RuntimeError as error:
            raise CoreError(
                "This subnet uses an operation that ONNX cannot express; take another format."
            ) from error

    def run(self, data: bytes, subnet: ExtractedSubnet, inputs: Any) -> Tensor:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            outputs = session.run(["logits"], feed(session, inputs))
        except Exception as error:  # onnxruntime's errors have no common base of their own
            raise CoreError("onnxruntime refused the exported ONNX model.") from error
        if dict(session.get_modelmeta().custom_metadata_map) != metadata(subnet):
            raise CoreError("The exported ONNX model does not say what it is.")
        return torch.from_numpy(outputs[0])


def metadata(subnet: ExtractedSubnet) -> dict[str, str]:
    """What the file says about itself, for programs that have nothing but the file; lists are JSON.

    `weights_sha256` is the hash of the model.safetensors that holds the same weights.
    """
    task = TASKS.create(subnet.task)
    return {
        "classes": json.dumps(list(subnet.classes)),
        "inputs": json.dumps(list(subnet.input_names)),
        "input_shape": json.dumps(list(subnet.input_shape)),
        "input": task.describe_input(subnet.input_shape),
        "input_range": task.takes,
        "task": subnet.task,
        "supernet": subnet.supernet,
        "architecture": subnet.arch_id,
        "data": subnet.data["title"],
        "weights_sha256": hashlib.sha256(Safetensors().export(subnet)).hexdigest(),
    }


def _described(graph: bytes, about: Mapping[str, str]) -> bytes:
    import onnx

    model = onnx.load_model_from_string(graph)
    onnx.helper.set_model_props(model, dict(about))
    return bytes(model.SerializeToString(deterministic=True))
