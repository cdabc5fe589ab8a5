"""The real training of a supernet, watched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.records import Progress
from core.workflows import train_supernet as real
from tests.reliability.witness import Traced

LABEL = "Watched training"
WEIGHT_CLASS = "training"


class Request(real.Request):
    """As of the real one."""


def run(request: Request, ledger: Any, library: Any) -> Iterator[Progress]:
    yield from real.run(request, Traced(ledger), library)
