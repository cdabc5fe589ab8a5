"""What an ONNX file answers, computed by onnxruntime, to compare a converted network with. Runs in the confined process."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.errors import InvalidInput


def run_onnx(data: bytes, images: Tensor) -> Tensor:
    """(n, classes) what onnxruntime answers, without a softmax at the end; fewer rows where the file takes no more.

    Raises:
        InvalidInput: it cannot be run.
    """
    import onnx
    import onnxruntime

    model = onnx.load_model_from_string(data)
    _drop_softmax(model.graph)
    try:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        running = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        [given] = [i for i in running.get_inputs() if i.name not in {t.name for t in model.graph.initializer}]
        rows = given.shape[0] if isinstance(given.shape[0], int) else len(images)
        # A file for one fixed number of images takes no other.
        parts = images.repeat(-(-rows // len(images)), 1, 1, 1)[:rows].split(rows)
        if rows < len(images):
            parts = images[: len(images) // rows * rows].split(rows)
        answered: list[np.ndarray[Any, Any]] = [
            running.run(None, {given.name: part.numpy()})[0] for part in parts
        ]
    except Exception as error:  # onnxruntime's errors have no common base of their own
        raise InvalidInput("onnxruntime cannot run this network, so it cannot be compared.") from error
    return torch.cat([torch.from_numpy(each) for each in answered]).flatten(1)[: len(images)]


def _drop_softmax(graph: Any) -> None:
    """Let the graph end before a softmax that is its last operation."""
    made = {node.output[0]: node for node in graph.node if node.output}
    last = made.get(graph.output[0].name)
    while last is not None and last.op_type in ("Identity", "Softmax", "LogSoftmax"):
        graph.output[0].name = last.input[0]
        last = made.get(last.input[0])
