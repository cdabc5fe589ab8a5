"""How much memory a piece of code needed at its peak, counted by the kernel.

Python's own tracer sees only what Python allocates; Pillow and torch allocate for themselves.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _status(field: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", text)[1]) * 1024  # type: ignore[index]


@contextmanager
def growth() -> Iterator[Callable[[], int]]:
    """A function that gives the bytes by which this process grew at its peak since the block began."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the kernel's own count is read from /proc")
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    peak = 0

    def grown() -> int:
        return peak - before

    try:
        yield grown
    finally:
        peak = _status("VmHWM")
