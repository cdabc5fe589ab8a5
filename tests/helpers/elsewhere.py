"""What tests of work on executors share: the processes of one, and records by hash without what the clock decides."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from core.executors import EXECUTORS
from core.executors.session import Session
from core.records import Progress

_CLOCK = ("seconds", "proposing_seconds")


class InCalls:
    """An executor whose calls run in this process, one after the other: all that travels travels."""

    name = "in calls"

    def opened(self, shared: Mapping[str, bytes]) -> AbstractContextManager[Session]:
        """See `Executor.opened`."""
        # Copies: nothing may be found again because it is the same object.
        return EXECUTORS.create("here").opened(
            {name: bytes(bytearray(data)) for name, data in shared.items()}
        )


def workers() -> list[int]:
    """Processes that this one has started to perform calls."""
    return children("process_worker")


def children(said: str) -> list[int]:
    """Processes that this one has started with this in their command."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            ours = parent == os.getpid() and said.encode() in (folder / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if ours:
            found.append(int(folder.name))
    return sorted(found)


def advance(steps: Iterator[Progress], happened: Callable[[], Any], seconds: float = 120) -> None:
    """Go on until something has happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        next(steps)


def record(ledger: Any) -> dict[str, Any]:
    """What a run wrote down: measurements, numbers and files, without seconds."""
    rows = [{n: v for n, v in row.items() if n not in _CLOCK} for row in ledger.metrics()]
    files = {a.name: _plain(ledger.artifact(a.name)) for a in ledger.artifacts()}
    measured = [(step, list(m.arch), dict(m.values), str(m.obtained)) for step, m in ledger.measurements()]
    return {"measured": measured, "rows": rows, "files": files}


def digest(ledger: Any) -> str:
    """SHA-256 of `record`."""
    return hashlib.sha256(json.dumps(record(ledger), sort_keys=True).encode()).hexdigest()


def _plain(data: bytes) -> Any:
    try:
        return _without_clock(json.loads(data))
    except ValueError:
        return hashlib.sha256(data).hexdigest()


def _without_clock(value: Any) -> Any:
    if isinstance(value, dict):
        return {n: _without_clock(v) for n, v in value.items() if n not in _CLOCK}
    return [_without_clock(v) for v in value] if isinstance(value, list) else value
