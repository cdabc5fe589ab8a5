"""An ONNX file of one fixed image classifier, made into a supernet."""

from __future__ import annotations

from typing import ClassVar

from core.supernets.loaders.base import LOADERS, Loaded, Loader
from core.supernets.reading.onnx_file import read_onnx

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
        given = read_onnx(data)
        from core.supernets.converting import convert
        from core.supernets.loaders.converted_card import loaded
        from core.supernets.reading.onnx_run import run_onnx

        return loaded(convert(given), lambda images: run_onnx(data, images), _ROWS, _TOLERANCE)
