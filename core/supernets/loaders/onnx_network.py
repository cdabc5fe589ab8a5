"""An ONNX file of one fixed image classifier, made into a supernet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import InvalidInput
from core.supernets.loaders.base import LOADERS, Loaded, Loader

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

_ROWS = 4
_TOLERANCE = 1e-4
_NEWEST_FORMAT = 32
_FIELDS = frozenset(b"\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2\xca")
"""What may follow the version of the format: texts, the graph, versions of operators, properties."""


@LOADERS.register("onnx_network")
class OnnxNetwork(Loader):
    """Convolutional networks; channels and residual blocks become elastic, the largest subnet is the given network."""

    label = "ONNX network"
    source = "ONNX, onnx.ai"
    suffixes: ClassVar[tuple[str, ...]] = ("onnx",)
    rank: ClassVar[int] = 60
    takes: ClassVar[str] = "an ONNX file of an image classifier, which becomes a supernet"

    def fits(self, name: str, data: bytes) -> bool:
        # A protocol buffer that begins with the version of the format, as every exporter writes it.
        return len(data) > 8 and data[0] == 8 and 1 <= data[1] <= _NEWEST_FORMAT and data[2] in _FIELDS

    def load(self, name: str, data: bytes) -> Loaded:
        from core.networks.operations.onnx_file import read_onnx

        given = read_onnx(data)
        from core.supernets.converting import convert
        from core.supernets.loaders.converted_card import loaded

        conversion = convert(given)
        return loaded(conversion, lambda images: _answers(data, images), _ROWS, _TOLERANCE)


def _answers(data: bytes, images: Tensor) -> Tensor:
    """What onnxruntime answers, without a softmax at the end."""
    import onnx
    import torch

    from core.objectives.timing import session

    model = onnx.load_model_from_string(data)
    _drop_softmax(model.graph)
    try:
        running = session(model.SerializeToString())
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
