"""This machine, as the profile of a latency describes it."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from functools import cache
from pathlib import Path

from core.evaluation.latency.profile import Device


def this_device(*, name: str = "", threads: int = 1, batch: int = 1) -> Device:
    """What times networks here: onnxruntime on the processor.

    Args:
        name: what a person calls the machine; the processor's name if left out.
        threads: that one answer may use.
        batch: samples of one answer.
    """
    processor = _processor()
    return Device(
        name=name or processor[:60].strip() or "this machine",
        processor=processor[:120],
        threads=threads,
        runtime="onnxruntime",
        version=importlib.metadata.version("onnxruntime"),
        batch=batch,
        system=f"{platform.uname()[0]} {platform.machine()}"[:120],
    )


@cache
def _processor() -> str:
    """The processor's name where the system says it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^(?:[m]odel name|[M]odel|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    said = found[1] if found else platform.processor() or platform.machine()
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())
