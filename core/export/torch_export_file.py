"""A saved torch.export program: the graph with its weights, loaded by torch without any code."""

from __future__ import annotations

import zipfile
from typing import Any

from torch import Tensor

from core.errors import CoreError
from core.export.base import EXPORTERS, Exporter
from core.export.subnet import ExtractedSubnet
from core.export.tracing import program_bytes, run_program


@EXPORTERS.register("torch_export")
class TorchExport(Exporter):
    """A saved torch program (.pt2): `torch.export.load("file.pt2").module()` is the network."""

    label = "Torch program (pt2)"
    source = "torch.export, pytorch.org"
    suffix = "pt2"
    media_type = "application/octet-stream"

    def export(self, subnet: ExtractedSubnet) -> bytes:
        try:
            return program_bytes(subnet.net, subnet.input_shape)
        except (RuntimeError, ValueError) as error:
            raise CoreError("torch cannot write this subnet as a program; take another format.") from error

    def run(self, data: bytes, subnet: ExtractedSubnet, inputs: Any) -> Tensor:
        try:
            return run_program(data, inputs)
        except (RuntimeError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise CoreError("torch refused the program it has just written.") from error
