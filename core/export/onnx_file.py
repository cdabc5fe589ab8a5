"""ONNX: one graph that runs in browsers, phones and any language, without torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from core.errors import CoreError
from core.export.base import EXPORTERS, Exporter
from core.export.subnet import ExtractedSubnet
from core.export.tracing import feed, onnx_bytes


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
            return onnx_bytes(subnet.net, subnet.input_shape, subnet.input_names)
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
        return torch.from_numpy(outputs[0])
