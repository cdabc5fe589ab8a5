"""Functions that tests of executors call: each is told in JSON what it should do."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from core.errors import DataUnavailable, InvalidInput
from core.executors import Desk


def echo(payload: bytes, desk: Desk) -> bytes:
    """What it is told."""
    return payload


def read_shared(payload: bytes, desk: Desk) -> bytes:
    """The shared bytes of a name, and whether asking twice gives one object."""
    name = payload.decode()
    assert desk.shared[name] is desk.shared[name]
    return desk.shared[name]


def nap(payload: bytes, desk: Desk) -> bytes:
    """Sleep for so many seconds, in pieces; leave traces in a folder."""
    asked = json.loads(payload)
    folder = Path(asked["folder"])
    (folder / f"{asked['name']}.began").touch()
    end = time.monotonic() + asked["seconds"]
    while time.monotonic() < end:
        time.sleep(0.01)
        (folder / f"{asked['name']}.alive").write_text(str(time.time()))
    (folder / f"{asked['name']}.ended").touch()
    return asked["name"].encode()


def until_cancelled(payload: bytes, desk: Desk) -> bytes:
    """Wait until the driver wants no more, then leave a trace."""
    folder = Path(payload.decode())
    (folder / "began").touch()
    while not desk.cancelled:
        time.sleep(0.01)
    (folder / "cancelled").touch()
    return b""


def counts(payload: bytes, desk: Desk) -> bytes:
    """Count to a number, keep every step, and die once on the way if asked; the value is where it began each time."""
    asked = json.loads(payload)
    folder = Path(asked["folder"])
    begins = folder / f"{asked['name']}.begins"
    start = int(desk.checkpoint or b"0")
    with begins.open("a") as file:
        file.write(f"{start} ")
    for step in range(start, asked["to"]):
        if step == asked.get("dies_at") and len(begins.read_text().split()) <= asked.get("times", 1):
            given_up = time.monotonic() + 30
            while step > start and not (folder / f"kept {step}").exists() and time.monotonic() < given_up:
                time.sleep(0.01)  # until the driver has it
            os.kill(os.getpid(), signal.SIGKILL)
        desk.keep(str(step + 1).encode(), (step + 1) / asked["to"])
        time.sleep(asked.get("pause", 0.0))
    return begins.read_text().strip().encode()


def refuses(payload: bytes, desk: Desk) -> bytes:
    """An expected failure."""
    if payload == b"data":
        raise DataUnavailable("The data are on the moon.")
    raise _Special("Seven is no even number.")


class _Special(InvalidInput):
    """Of a class that `core.errors` does not have."""


def fails(payload: bytes, desk: Desk) -> bytes:
    """A failure nobody expected."""
    raise KeyError(payload.decode())


def prints(payload: bytes, desk: Desk) -> bytes:
    """Writes where answers would leave."""
    print("x" * 100_000, flush=True)
    os.write(1, b"not an answer\n")
    return payload


def gives_text(payload: bytes, desk: Desk) -> bytes:
    """What no function may return."""
    return payload.decode()  # type: ignore[return-value]


def threads(payload: bytes, desk: Desk) -> bytes:
    """How many threads torch computes with."""
    import torch

    return str(torch.get_num_threads()).encode()


def process_id(payload: bytes, desk: Desk) -> bytes:
    """Who computes."""
    return str(os.getpid()).encode()


def _hidden(payload: bytes, desk: Desk) -> bytes:
    return b""
