"""Measure a front and its neighborhood on more samples than it was chosen by.

The numbers that a search saw stay as they are; what is measured here stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from core.chance.bits import CorrectBits, bits_column, dump_bits
from core.config import BaseConfig
from core.library import supernets
from core.library.closer import CloserRecord, more_samples
from core.library.supernets import BITS_FILE
from core.objectives.base import quality_of
from core.records import Progress
from core.runtime import heavy_imports
from core.workflows.evaluate_table import fill

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Closer measurement"
WEIGHT_CLASS = "measuring"


class Request(BaseConfig):
    """Which subnets to measure, and on how many samples."""

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    archs: list[str] = Field(min_length=1, max_length=5_000, description="Ids of the architectures")
    samples: int = Field(10_000, ge=1, le=100_000, description="Validation samples at most")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Measure the accuracy of the subnets on more validation samples.

    Artifacts: `closer.json` (how many each got right) and `correct.npz` (which).

    Raises:
        NotFound, InvalidInput: the supernet or an architecture does not exist, or there are no more samples.
        DataUnavailable: the data set is not here.
    """
    entry = library.supernet(request.supernet)
    quality = quality_of(["accuracy"])
    assert quality is not None
    yield Progress(0.0, f"Preparing {entry.title}.")
    rows = np.unique(entry.space.from_ids(request.archs), axis=0)
    heavy_imports()
    from core.evaluation import evaluator
    from core.tasks.base import evaluation_data

    dataset, before = more_samples(entry, request.samples)
    n, data, supernet = (
        dataset.validation.answers,
        evaluation_data(dataset, ("validation",)),
        supernets.load(entry),
    )
    yield Progress(0.0, f"Measuring {len(rows):,} subnets on {n:,} samples.")
    columns = yield from fill(
        rows,
        [quality],
        lambda left: evaluator.walk(supernet, left, [quality], data, keep_bits=True),
        f"{entry.sha256}/{n}",
        ledger,
        samples={quality: n},
    )
    bits = CorrectBits(columns[bits_column(quality)], n, "validation")
    ledger.save_artifact(BITS_FILE, dump_bits([bits]), "application/octet-stream")
    correct = dict(zip(entry.space.arch_ids(rows), bits.correct().tolist(), strict=True))
    CloserRecord(quality=quality, before=before, n=n, correct=correct).save(ledger)
    yield Progress(1.0, f"{len(rows):,} subnets measured on {n:,} samples.", {"evaluations": len(rows)})
