"""A stand-in for a search: resumed by replaying its measurements, without checkpoints."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

from pydantic import BaseModel

from core.ledger import Ledger
from core.library.library import Library
from core.records import Measurement, Progress

LABEL = "Toy search"
WEIGHT_CLASS = "measuring"


class Request(BaseModel):
    steps: int = 20
    seconds_per_step: float = 0.0
    seed: int = 0


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Each proposal depends on all values measured before."""
    chain = hashlib.sha256(str(request.seed).encode())
    stored = ledger.measurements()
    for _, measurement in stored:
        chain.update(repr(measurement.values["accuracy"]).encode())
    for step in range(len(stored), request.steps):
        time.sleep(request.seconds_per_step)
        digest = chain.hexdigest()
        accuracy = int(digest[:12], 16) / 16**12
        ledger.add_measurements(
            step, [Measurement((int(digest[12], 16), step % 250), {"accuracy": accuracy})]
        )
        chain.update(repr(accuracy).encode())
        yield Progress((step + 1) / request.steps, f"evaluated {step + 1}")
    ledger.save_artifact("front.json", chain.hexdigest().encode(), "application/json")
    yield Progress(1.0, "search finished")
