"""The toy search, acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.records import Progress
from tests.reliability.acknowledged import Acknowledging
from tests.reliability.toys import search_toy as real

LABEL = "Acknowledged toy search"
WEIGHT_CLASS = "measuring"


class Request(real.Request):
    """As of the real one."""


def run(request: Request, ledger: Any, library: Any) -> Iterator[Progress]:
    told = Acknowledging(ledger)
    yield from real.run(request, told, library)
    told.tell(what="end")
