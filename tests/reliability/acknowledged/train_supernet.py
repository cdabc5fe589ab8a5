"""The real training of a supernet, acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.records import Progress
from core.workflows import train_supernet as real
from tests.reliability.acknowledged import Acknowledging

LABEL = "Acknowledged training"
WEIGHT_CLASS = "training"


class Request(real.Request):
    """As of the real one."""


def run(request: Request, ledger: Any, library: Any) -> Iterator[Progress]:
    told = Acknowledging(ledger)
    yield from real.run(request, told, library)
    told.tell(what="end")
