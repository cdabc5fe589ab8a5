"""A stand-in for training: a chain of hashes, a checkpoint per step, an artifact at the end."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from core.ledger import Ledger
from core.library.library import Library
from core.records import Measurement, Progress

LABEL = "Toy training"
WEIGHT_CLASS = "training"


class Request(BaseModel):
    steps: int = 20
    seconds_per_step: float = 0.0
    payload: int = 10_000
    acknowledged: str = ""
    seed: int = 0


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Every step mixes the state, measures, logs, checkpoints, then tells the outside world."""
    stored = ledger.latest_checkpoint()
    state = json.loads(stored[: stored.index(b"\n")]) if stored else {"step": 0, "chain": str(request.seed)}
    known = {step for step, _ in ledger.measurements()}
    while state["step"] < request.steps:
        step = state["step"] + 1
        chain = hashlib.sha256(f"{state['chain']}/{step}".encode()).hexdigest()
        time.sleep(request.seconds_per_step)
        if step not in known:
            archs = [(int(chain[i], 16), step % 250) for i in range(4)]
            values = [{"accuracy": int(chain[i : i + 8], 16) / 2**32, "macs": float(step)} for i in range(4)]
            ledger.add_measurements(step, [Measurement(a, v) for a, v in zip(archs, values, strict=True)])
        ledger.log_metrics(step, {"loss": int(chain[:6], 16)})
        state = {"step": step, "chain": chain}
        padding = hashlib.shake_256(chain.encode()).digest(request.payload)
        ledger.checkpoint(json.dumps(state).encode() + b"\n" + padding, fraction=step / request.steps)
        if request.acknowledged:
            _acknowledge(Path(request.acknowledged) / ledger.run_id, step)
        yield Progress(step / request.steps, f"step {step}", {"step": step})
    ledger.save_artifact("weights.bin", state["chain"].encode() * 100, "application/octet-stream")
    yield Progress(1.0, f"finished with {state['chain'][:8]}")


def _acknowledge(path: Path, step: int) -> None:
    """One line per acknowledged step; a kill cannot lose what the kernel has."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{step}\n".encode())
    os.close(descriptor)
