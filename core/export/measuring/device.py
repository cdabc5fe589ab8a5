"""What every measure.py reads and says: its kit, this device, how far it is."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn


def fail(message: str) -> NoReturn:
    """End with one plain sentence and exit status 2."""
    print(f"measure.py: {message}", file=sys.stderr)
    raise SystemExit(2)


try:
    import numpy as np
except ImportError:
    fail("numpy is not installed; try: pip install numpy")

HERE = Path(__file__).resolve().parent

Answer = Callable[[], object]
"""Lets one subnet answer once; returns when the answer is there."""


@dataclass(frozen=True)
class Kit:
    """What kit.json says.

    Attributes:
        sha256: of kit.json.
        supernet: its identity, copied into the profile as it is.
        threads: that one answer may use, unless the command says otherwise.
        batch: samples of one answer.
        repeat: whether the samples of the kit are repeated to a batch; a graph is answered as it is.
        precision: of weights and activations.
        subnets: ids of the subnets to time, in the order of their files.
        anchors: positions of the few that are timed before and after everything else.
    """

    sha256: str
    supernet: Any
    threads: int
    batch: int
    repeat: bool
    precision: str
    subnets: tuple[str, ...]
    anchors: tuple[int, ...]


@dataclass(frozen=True)
class Runtime:
    """What runs the subnets here.

    Attributes:
        name, version, provider: as the profile names them.
        chip: name of what computes, if the system does not know it as its processor.
        answers: one per subnet of the kit.
        peaks: most bytes that each subnet's activations take at once, None where the runtime does not tell.
    """

    name: str
    version: str
    provider: str
    answers: Sequence[Answer]
    chip: str = ""
    peaks: Callable[[], list[int]] | None = None


def read_kit() -> Kit:
    """The kit that this file lies in."""
    try:
        data = (HERE / "kit.json").read_bytes()
        told = json.loads(data)
        return Kit(
            sha256=hashlib.sha256(data).hexdigest(),
            supernet=told["supernet"],
            threads=int(told["threads"]),
            batch=int(told["batch"]),
            repeat=bool(told["repeat"]),
            precision=str(told["precision"]),
            subnets=tuple(told["subnets"]),
            anchors=tuple(told["anchors"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        fail(f"kit.json is missing or damaged; keep the files of the kit together in {HERE}.")


def read_inputs(kit: Kit) -> list[Any]:
    """The samples that every subnet answers at once, one array per input."""
    try:
        with np.load(HERE / "inputs.npz", allow_pickle=False) as file:
            arrays = [file[name] for name in sorted(file.files)]
        rows = np.arange(kit.batch)
        return [array[rows % len(array)] if kit.repeat else array for array in arrays]
    except Exception:  # zipfile, zlib and numpy raise a dozen kinds over a damaged file; all mean the same
        fail(f"inputs.npz is missing or damaged; keep the files of the kit together in {HERE}.")


def write_whole(name: str, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = HERE / (name + ".part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(HERE / name)
    except OSError as error:
        fail(f"{name} could not be written: {error.strerror}. Put the kit where you may write.")


# --- this device ----------------------------------------------------------------------------------


def processor() -> str:
    """The processor's name, as the system says it."""
    for path in ("/proc/cpuinfo", "/proc/device-tree/model"):
        try:
            text = Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # Of the first: the entry that ends in "name" (on ARM there is none). The second is the board's name itself.
        lines = [line for line in text.splitlines() if line.partition(":")[0].strip().endswith(" name")]
        if lines or ":" not in text:
            return printable(lines[0].partition(":")[2] if lines else text)
    return printable(platform.processor() or platform.machine())


def printable(text: str) -> str:
    """One short line of plain text."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(kept.split())[:120]


def process_peak() -> int | None:
    """Most memory that this process took, None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


# --- progress -------------------------------------------------------------------------------------


class Line:
    """One line that is rewritten on a terminal; a line now and then elsewhere."""

    def __init__(self) -> None:
        self.due, self.open = 0.0, False
        self.terminal = sys.stderr.isatty()

    def say(self, text: str, last: bool = False) -> None:
        now = time.monotonic()
        if now < self.due and not last:
            return
        self.due = now + (0.2 if self.terminal else 10.0)
        if self.terminal:
            print("\r\x1b[K" + text, end="\n" if last else "", file=sys.stderr, flush=True)
            self.open = not last
        else:
            print(text, file=sys.stderr, flush=True)


def seconds_text(seconds: float) -> str:
    """A time in words."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(seconds, 1):.0f} s"
