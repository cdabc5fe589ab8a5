"""Work on bytes from strangers, in a process of its own with limits on memory and time.

A file of a few kilobytes can ask for seconds of CPU or gigabytes of memory, and no check in advance knows
them all. So whatever decodes uploads runs here: a fresh interpreter that may use so much address space and
so many CPU seconds, one niced core, no terminal, and that answers with one JSON object and one file. The
server's own process only starts it and waits; what it cannot do within its limits is a refusal.

A decoder is a module that calls `serve` when it is run (`python -m core.datasets.decode_worker`). Started
with `subprocess`, never fork: see `core.jobs.supervisor`.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from core.config import JsonObject, Settings
from core.errors import Busy, CoreError, InvalidInput, StorageFailed

_log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[1]
_NICE = 10
_MOST_ANSWER = 2**20
_AT_ONCE = threading.BoundedSemaphore(2)
_PATIENCE_SECONDS = 300.0
_REFUSED = 2
_TOO_MUCH = "Reading the file needs more memory than an upload may use; upload a smaller one."
_SLOWEST = 20
"""A niced process on a busy machine may get one CPU second in so many."""


@dataclass(frozen=True)
class Limits:
    """What a confined process may use.

    Attributes:
        memory_bytes: address space; Python, NumPy and Pillow alone need about 0.3 GB of it.
        cpu_seconds: of the processor, the interpreter's start included.
        file_bytes: size of the file it writes.
    """

    memory_bytes: int = 2 * 2**30
    cpu_seconds: int = 20
    file_bytes: int = 2**30


def run_confined(
    module: str,
    data: bytes,
    options: JsonObject,
    target: Path | None = None,
    limits: Limits | None = None,
) -> Settings:
    """Let a decoder work on bytes; its file is moved to `target`, if there is one, when all went well.

    At most two run at a time in a server; others wait.

    Args:
        module: dotted name of a module that calls `serve` when it is run.
        data: the bytes; the decoder finds them on its standard input.
        options: JSON-able settings, passed on.
        target: where its file will lie; the folder is made. None: what it writes is dropped.
        limits: what it may use.

    Returns:
        What the decoder's function returned.

    Raises:
        InvalidInput: the decoder refused the bytes, or needed more than it may use.
        Busy: too many wait already, or the machine gave it no time.
        StorageFailed: there is no room for its file.
    """
    limits = limits or Limits()
    if not _AT_ONCE.acquire(timeout=_PATIENCE_SECONDS):
        raise Busy("Many uploads are being read right now; try again in a minute.")
    try:
        folder = None if target is None else target.parent
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(
            dir=folder, prefix=f".{target.name if target else 'upload'}.", suffix=".tmp"
        )
        os.close(handle)
        try:
            result = _ask(
                module, data, {"options": options, "target": temporary, "limits": asdict(limits)}, limits
            )
            if target is not None:
                Path(temporary).replace(target)
            return result
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise StorageFailed(f"The upload could not be read: {error.strerror or error}.") from error
    finally:
        _AT_ONCE.release()


def _ask(module: str, data: bytes, request: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    # Files, not pipes: nobody has to copy in small pieces, and no answer can fill a pipe.
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as answered,
        tempfile.TemporaryFile() as said,
    ):
        given.write(data)
        given.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module, json.dumps(request)],
            cwd=_ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=given,
            stdout=answered,
            stderr=said,
            start_new_session=True,
        )
        try:
            code = _wait(process, limits.cpu_seconds * _SLOWEST)
        except subprocess.TimeoutExpired as error:
            raise Busy("The machine is too busy to read the upload now; try again in a minute.") from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        answered.seek(0)
        answer = answered.read(_MOST_ANSWER)
        said.seek(0)
        complaint = said.read(_MOST_ANSWER).decode(errors="replace")
    with suppress(ValueError):
        if code == 0:
            result: dict[str, Any] = json.loads(answer)
            return result
    if code == _REFUSED:
        raise InvalidInput(answer.decode())
    if sys.platform != "win32" and code == -signal.SIGXCPU:
        raise InvalidInput(
            f"Reading the file takes more than {limits.cpu_seconds} seconds of computing; upload a smaller one."
        )
    if code < 0:  # what a library does that gets no memory is abort, or worse
        raise InvalidInput(_TOO_MUCH)
    _log.error("%s ended with status %s: %s", module, code, complaint)
    raise InvalidInput("The file cannot be read.")


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Exit status; `Popen.wait` with a timeout would look twenty times a second."""
    if sys.platform == "linux":
        end = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(end, select.POLLIN)
            if not poll.poll(seconds * 1000):
                raise subprocess.TimeoutExpired(process.args, seconds)
        finally:
            os.close(end)
        return process.wait()
    return process.wait(seconds)


def serve(work: Callable[[bytes, JsonObject, Path], JsonObject]) -> NoReturn:
    """Be the confined process: set the limits, read the bytes, do the work, answer, end.

    Args:
        work: gets the bytes, the options and the path of the file to write; returns JSON-able values.
            A `CoreError` of it is a refusal with its sentence.
    """
    request = json.loads(sys.argv[1])
    # Libraries print where they like; the answer goes where nothing else is written.
    answer_to = os.dup(1)
    os.dup2(2, 1)
    _confine(Limits(**request["limits"]))
    try:
        result = work(sys.stdin.buffer.read(), request["options"], Path(request["target"]))
        answer, code = json.dumps(result), 0
    except CoreError as error:
        answer, code = str(error), _REFUSED
    except MemoryError:
        answer, code = _TOO_MUCH, _REFUSED
    with os.fdopen(answer_to, "w", encoding="utf-8", errors="replace") as out:
        out.write(answer)
    # Without tidying up: nothing is left that this process owns.
    os._exit(code)


def _confine(limits: Limits) -> None:
    if hasattr(os, "nice"):
        os.nice(_NICE)
    if sys.platform == "win32":
        return
    import resource

    for kind, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS refuses some
            resource.setrlimit(kind, (allowed, hard))
