"""A similarity matrix of up to forty networks, in the background; the result is kept.

Nothing but the measure decides the values, so a run that was stopped begins anew and ends with the same matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.library.matrices import Matrix, MatrixChoice, MatrixRecord, measure_matrix
from core.records import Progress
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Similarity matrix"
WEIGHT_CLASS = "light"


class Request(BaseConfig):
    """Which networks to compare, and how."""

    choice: MatrixChoice = Field(description="The networks, the place and the measure.")
    revision: str = Field(
        "",
        max_length=80,
        description="Of the supernets they come from; of other weights it is another matrix.",
    )


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Run every network once, then compare all pairs; the artifact is `matrix.json`.

    Raises:
        NotFound, InvalidInput, DataUnavailable: see `core.library.matrices.measure_matrix`.
    """
    count = len(request.choice.networks)
    for step in measure_matrix(library.store, request.choice):
        if isinstance(step, Matrix):
            MatrixRecord.of(step).save(ledger)
            left = f" {len(step.left_out)} could not be compared." if step.left_out else ""
            yield Progress(1.0, f"Similarity of {len(step.model_ids)} networks is ready.{left}")
        else:
            yield Progress(step, f"Comparing {count} networks: {format_share(step)}.")
