"""Every way a job can end badly, by name."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator

from pydantic import BaseModel, Field

from core.errors import DataUnavailable
from core.ledger import Ledger
from core.library.library import Library
from core.records import Progress

LABEL = "Bad ending"
WEIGHT_CLASS = "measuring"


class Request(BaseModel):
    how: str
    size: int = Field(1, ge=1)


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    yield Progress(0.5, "half way")
    print("a line for the log", file=sys.stderr)
    ledger.checkpoint(b"half", fraction=0.5)
    if request.how == "expected":
        raise DataUnavailable("The data set is not here; download it first.")
    if request.how == "bug":
        raise RuntimeError("secret detail")
    if request.how == "memory":
        raise MemoryError
    if request.how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if request.how == "exit":
        os._exit(9)
    if request.how == "deaf":  # never yields again
        time.sleep(60)
    if request.how == "frozen":  # as in loading a library: no thread of Python gets its turn
        ctypes.PyDLL(None).sleep(60)
    if request.how == "greedy":  # as a network that is too large
        import torch

        yield Progress(0.6, f"{int(torch.zeros(3 * 2**30, dtype=torch.uint8)[-1])}")
    if request.how == "limited":  # the system stops giving memory
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))
        yield Progress(0.6, f"{len(bytearray(2 * 10**9))}")
    yield Progress(1.0, f"ended {request.how}")
