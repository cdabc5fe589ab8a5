"""Waiting for the end of a run, for scripts and tests."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.records import Run


def wait_for(look: Callable[[str], Run], run_id: str, timeout: float) -> Run:
    """The run once it has ended, or as it is after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        run = look(run_id)
        if run.state.is_final or time.monotonic() > deadline:
            return run
        time.sleep(0.03)
