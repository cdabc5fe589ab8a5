"""A part of a run for tests: a chain of hashes, epoch by epoch, that says where every attempt began."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from core.errors import DataUnavailable
from core.executors import Desk
from core.ledger import Ledger
from core.library.parts import Part, Steps, at_desk
from core.records import Progress

FUNCTION = "tests.helpers.part_work:work"


def part(index: int, folder: Path, *, epochs: int = 4, **more: Any) -> Part:
    """A part that leaves a line in the folder for each attempt: where it began, and in which process.

    Args:
        index: which part.
        folder: for its traces.
        epochs: how long it is.
        more: `seconds` of an epoch, `waits_at` an epoch until the file "go" is there, `fails_at` one.
    """
    asked = {"index": index, "folder": str(folder), "epochs": epochs, **more}
    return Part(
        index=index,
        steps=lambda ledger: steps(asked, ledger),
        function=FUNCTION,
        payload=lambda: json.dumps(asked).encode(),
        work=float(epochs),
    )


def work(payload: bytes, desk: Desk) -> bytes:
    """The same as a call."""
    asked = json.loads(payload)
    return at_desk(desk, lambda ledger: steps(asked, ledger))


def steps(asked: dict[str, Any], ledger: Ledger) -> Steps:
    """The part itself."""
    index, folder, epochs = asked["index"], Path(asked["folder"]), asked["epochs"]
    kept = ledger.latest_checkpoint()
    state = json.loads(kept) if kept else {"epoch": 0, "hash": f"part {index}"}
    with (folder / f"{index}.begins").open("a") as file:
        file.write(f"{state['epoch']} {os.getpid()}\n")
    yield Progress(state["epoch"] / epochs, f"part {index} begins")
    while state["epoch"] < epochs:
        epoch = state["epoch"]
        if asked.get("fails_at") == epoch:
            raise DataUnavailable(f"Part {index} has no data.")
        until = time.monotonic() + asked.get("seconds", 0.0)
        while time.monotonic() < until or (asked.get("waits_at") == epoch and not (folder / "go").exists()):
            (folder / f"{index}.waits").touch()
            time.sleep(0.02)
            yield Progress(epoch / epochs, f"part {index}, epoch {epoch}")
        state = {"epoch": epoch + 1, "hash": hashlib.sha256(f"{state['hash']} {epoch}".encode()).hexdigest()}
        ledger.log_metrics(epoch, {"epoch": epoch + 1, "hash": state["hash"]})
        ledger.checkpoint(json.dumps(state).encode(), fraction=(epoch + 1) / epochs)
        yield Progress((epoch + 1) / epochs, f"part {index}, epoch {epoch + 1} done")
    ledger.save_artifact(f"part-{index}.txt", state["hash"].encode(), "text/plain")
    return json.dumps({**state, "rows": len(ledger.metrics())}).encode()


def begins(folder: Path, index: int) -> list[tuple[int, int]]:
    """(epoch, process) of every attempt at a part."""
    file = folder / f"{index}.begins"
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [(int(a), int(b)) for a, b in (line.split() for line in lines)]
