"""Ends what a test run started when the run itself ends, however it does: python reaper.py, its input is the run's.

Each line of input is the number of a session (`setsid`). When the input ends, everything in these sessions is killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path


def processes_of(sessions: set[int]) -> list[int]:
    """Ids of what runs in these sessions."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            state = folder.joinpath("stat").read_text().rpartition(")")[2].split()
            if int(state[3]) in sessions and state[0] != "Z":
                found.append(int(folder.name))
    return found


def main() -> None:
    """Wait, then end them."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    sessions = {int(line) for line in sys.stdin}
    for _ in range(100):
        left = processes_of(sessions)
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
