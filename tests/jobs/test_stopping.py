"""A worker's end: what its pipe says, what a shortage of memory is called, how long is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.jobs.memory import is_shortage
from core.jobs.stopping import GONE_STATUS

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, time
from core.jobs.stopping import StopSignal
stop = StopSignal()
stop.on_overdue = lambda: print("overdue", flush=True)
stop.listen()
print("heavy" if {"numpy", "torch", "sqlalchemy"} & set(sys.modules) else "light", flush=True)
given_up = time.monotonic() + 10
while not stop.reason and time.monotonic() < given_up:
    time.sleep(0.005)
print(stop.reason, flush=True)
if "finish" in sys.argv:
    stop.finished.set()
    time.sleep(1.2)
    print("finished", stop.reason, flush=True)
else:
    time.sleep(20)
"""


@pytest.fixture
def start() -> Iterator[object]:
    started: list[subprocess.Popen[bytes]] = []

    def one(*arguments: str) -> subprocess.Popen[bytes]:
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"light\n", "set up before anything else is loaded"
        return worker

    yield one
    for worker in started:
        worker.kill()
        worker.wait()
        for pipe in (worker.stdin, worker.stdout):
            assert pipe is not None
            pipe.close()


def said(worker: subprocess.Popen[bytes]) -> bytes:
    assert worker.stdout is not None
    return worker.stdout.readline().strip()


def tell(worker: subprocess.Popen[bytes], text: bytes) -> None:
    assert worker.stdin is not None
    worker.stdin.write(text)
    worker.stdin.flush()


@pytest.mark.slow
def test_a_word_in_two_pieces_is_heard_and_nothing_else_is(start) -> None:
    worker = start("finish")
    tell(worker, b"cancelled? no\ncan")
    time.sleep(0.1)
    tell(worker, b"cel\n")
    assert said(worker) == b"cancelled"
    # The first reason stays, and a worker that has finished may take its time.
    worker.stdin.close()
    assert said(worker) == b"finished cancelled"
    assert worker.wait(10) == 0


def test_a_signal_interrupts(start) -> None:
    worker = start("finish")
    os.kill(worker.pid, signal.SIGTERM)
    assert said(worker) == b"interrupted"


@pytest.mark.slow
def test_a_worker_whose_server_is_gone_ends_by_itself(start) -> None:
    worker = start()
    before = time.monotonic()
    worker.stdin.close()
    assert said(worker) == b"interrupted"
    assert said(worker) == b"overdue"
    assert worker.wait(10) == GONE_STATUS
    assert 0.7 < time.monotonic() - before < 5


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to it")
def test_a_process_held_to_a_limit_fails_with_a_shortage() -> None:
    code = (
        "from core.jobs.memory import is_shortage, limit_memory\n"
        "limit_memory(1 << 70)\n"
        "kept = bytearray(80 << 20)\n"
        "limit_memory(160 << 20)\n"
        "try:\n    more = bytearray(240 << 20)\n"
        "except MemoryError as error:\n    print('short', is_shortage(error))\n"
        "limit_memory(1 << 62)\n"
        "print(len(bytearray(240 << 20)) >> 20)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "short True\n240\n", done.stderr


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), True),
        (RuntimeError("std::bad_alloc"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("CUDA Out Of Memory."), True),
        (RuntimeError("shapes do not match"), False),
        (KeyError("memory"), False),
        (OSError(28, "No space left on device"), False),
    ],
)
def test_memory_that_ran_out_is_known_by_its_words(error: Exception, short: bool) -> None:
    assert is_shortage(error) is short
