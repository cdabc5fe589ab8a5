"""The toy training, acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.records import Progress
from tests.reliability.acknowledged import Acknowledging
from tests.reliability.toys import train_toy as real

LABEL = "Acknowledged toy training"
WEIGHT_CLASS = "training"


class Request(real.Request):
    """As of the real one."""


def run(request: Request, ledger: Any, library: Any) -> Iterator[Progress]:
    told = Acknowledging(ledger)
    yield from real.run(request, told, library)
    told.tell(what="end")
