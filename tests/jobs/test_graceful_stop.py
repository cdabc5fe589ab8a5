"""SIGTERM to the real servers while a training runs: it is handed back within seconds, and nothing is left over."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from core.records import RunState
from core.store import RunStore
from core.store.signing import NOBODY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 10.0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found: int = free.getsockname()[1]
        return found


def commands(port: int) -> dict[str, list[str]]:
    flags = ["--server.port", str(port), "--server.headless", "true"]
    return {
        "pages": ["-m", "streamlit", "run", "app.py", *flags],
        "jobs": ["-m", "core", "work", "--metrics-port", str(port)],
    }


def browser_like(port: int) -> socket.socket:
    """A connection as an open tab holds it."""
    tab = socket.create_connection(("127.0.0.1", port), timeout=10)
    tab.sendall(
        f"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert tab.recv(1000).startswith(b"HTTP/1.1 101 ")
    return tab


@pytest.mark.parametrize("which", ["pages", "jobs"])
def test_what_runs_is_handed_back(which: str, tmp_path: Path, until: Callable[..., object]) -> None:
    port, log = free_port(), tmp_path / "log"
    visitor = None
    with RunStore(f"sqlite:///{tmp_path / 'paretoscope.db'}", tmp_path) as store:
        request = {"steps": 4000, "seconds_per_step": 0.05}
        run_id = store.create_run("train_toy", request, title="t", owner=NOBODY, session="s")
        with log.open("w") as err:
            server = subprocess.Popen(
                [sys.executable, *commands(port)[which]],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=err,
                env=os.environ | {"PARETOSCOPE_HOME": str(tmp_path), "PARETOSCOPE_LOG": "json"},
            )
        try:
            until(lambda: len(store.ledger(run_id).metrics()) > 3 or server.poll() is not None, 90)
            assert server.poll() is None, log.read_text()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
                assert json.loads(answer.read())["status"] == "ok"
            visitor = browser_like(port) if which == "pages" else None
            started = time.monotonic()
            server.send_signal(signal.SIGTERM)
            server.wait(3 * SECONDS)
            assert time.monotonic() - started < SECONDS
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()
            if visitor is not None:
                visitor.close()
        run = store.get_run(run_id)
        assert run.state is RunState.QUEUED, "for any server"
        assert store.servers.living() == []
        assert store.check() == []
        steps = len(store.ledger(run_id).metrics())
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert not [line for line in lines if line["level"] in ("error", "critical")]
    assert steps > 3
