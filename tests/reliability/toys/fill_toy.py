"""Fills the disk piece by piece."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pydantic import BaseModel

from core.ledger import Ledger
from core.library.library import Library
from core.records import Progress

LABEL = "Filling"
WEIGHT_CLASS = "light"


class Request(BaseModel):
    pieces: int
    size: int


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    for piece in range(request.pieces):
        ledger.save_artifact(f"{piece}.bin", random.Random(piece).randbytes(request.size), "")
        yield Progress(piece / request.pieces, "filling")
    yield Progress(1.0, "filled")
