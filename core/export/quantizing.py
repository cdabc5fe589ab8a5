"""ONNX with weights and activations of 8 bits, by onnxruntime's own quantization where it is installed."""

from __future__ import annotations

import importlib.util
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from core.quiet import quiet


def can_quantize() -> bool:
    """Whether onnxruntime's quantization is here; it needs onnx as well."""
    try:
        return all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime.quantization"))
    except ModuleNotFoundError:
        return False


def quantized(graph: bytes, inputs: Sequence[NDArray[Any]]) -> bytes:
    """A model quantized statically (QDQ).

    Args:
        graph: ONNX file.
        inputs: samples that the ranges of the activations are taken from.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    names = [entry.name for entry in onnx.load_model_from_string(graph).graph.input]

    class Samples(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.left = iter([dict(zip(names, inputs, strict=True))])

        def get_next(self) -> Any:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.onnx", Path(folder) / "out.onnx"
        source.write_bytes(graph)
        with quiet(), _unlogged():
            quantize_static(str(source), str(target), Samples(), quant_format=QuantFormat.QDQ)
        return target.read_bytes()


@contextmanager
def _unlogged() -> Iterator[None]:
    """Without the advice that onnxruntime logs for every file, under nobody's name."""
    root, nobody = logging.getLogger(), logging.NullHandler()

    def others(record: logging.LogRecord) -> bool:
        return "onnxruntime" not in record.pathname

    # Were there no handler at all, its call would set up logging for the whole process.
    root.addHandler(nobody)
    root.addFilter(others)
    try:
        yield
    finally:
        root.removeFilter(others)
        root.removeHandler(nobody)
