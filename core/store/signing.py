"""Who executes runs: a process, as it signs what it owns, and whether it still lives."""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def process_started(pid: int) -> str:
    """When a process of this machine started, in kernel ticks; "" if none runs or we cannot know."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def this_host() -> str:
    """This machine since its start, and the process table we see; "" where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


@dataclass(frozen=True)
class Owner:
    """One server (a job manager or a command) as it signs its leases."""

    owner_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    host: str = field(default_factory=this_host)
    pid: int = field(default_factory=os.getpid)
    started: str = field(default_factory=lambda: process_started(os.getpid()))

    def alive_here(self) -> bool | None:
        """Whether the process lives; None if only its counter can tell (another machine)."""
        if not self.host or not self.started or self.host != this_host():
            return None
        return process_started(self.pid) == self.started

    def columns(self) -> dict[str, Any]:
        return {"owner": self.owner_id, "host": self.host, "pid": self.pid, "started": self.started}


NOBODY = Owner(owner_id="", host="", pid=0, started="")
"""Whose a queued run is until a server claims it."""
