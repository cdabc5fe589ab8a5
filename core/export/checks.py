"""The proof that stands before every download: the bytes are read back and must compute the same."""

from __future__ import annotations

import torch
from torch import Tensor

from core.errors import CoreError
from core.export.base import EXPORTERS
from core.export.subnet import ExtractedSubnet

_SEVERAL = 5


def verify(subnet: ExtractedSubnet, data: bytes, format: str) -> None:
    """Read an export back and compare what it computes with the subnet, on several samples and on one.

    Args:
        subnet: what was exported.
        data: the export.
        format: name of the exporter that wrote it.

    Raises:
        NotFound: there is no such format.
        CoreError: the bytes are damaged, or compute something else.
    """
    exporter = EXPORTERS.create(format)
    with torch.no_grad():
        for n in (_SEVERAL, 1):
            batch = subnet.probe(n)
            truth = subnet.outputs(batch)
            if not bool(torch.isfinite(truth).all()):
                raise CoreError(
                    "This subnet's outputs are not finite, so it was not exported; choose another one."
                )
            compare(exporter.run(data, subnet, batch), truth, exporter.tolerance)


def compare(answer: Tensor, truth: Tensor, tolerance: float) -> None:
    """Check outputs (n, classes) against the true ones.

    Args:
        answer: from the exported bytes.
        truth: from the extracted subnet.
        tolerance: as a share of the largest true output, at least of 1; 0 demands equality.

    Raises:
        CoreError: they differ.
    """
    if answer.shape != truth.shape or answer.dtype != truth.dtype:
        raise CoreError(
            "The exported file answers in another form than the subnet, so it was not handed out."
        )
    allowed = tolerance * max(1.0, float(truth.abs().max()))
    if not bool(((answer - truth).abs() <= allowed).all()):
        raise CoreError(
            "The exported file does not compute what the subnet computes, so it was not handed out."
        )
