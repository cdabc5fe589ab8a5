"""The real search, acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.records import Progress
from core.workflows import search_front as real
from tests.reliability.acknowledged import Acknowledging

LABEL = "Acknowledged search"
WEIGHT_CLASS = "measuring"


class Request(real.Request):
    """As of the real one."""


def run(request: Request, ledger: Any, library: Any) -> Iterator[Progress]:
    told = Acknowledging(ledger)
    yield from real.run(request, told, library)
    told.tell(what="end")
