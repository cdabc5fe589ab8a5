"""A class server started by one command: where it listens, what it prints, how it ends. On this machine's own address."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from core.cli.class_serving import environment, invitation, local_address

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_picture_is_the_printed_address() -> None:
    link = "http://192.168.1.20:8501/classroom"
    said = invitation(link)
    assert said.count(link) == 1
    other = invitation(link.replace("20", "21"))
    blocks = [line for line in said.splitlines() if "█" in line]
    assert len(blocks) > 10
    assert blocks != [line for line in other.splitlines() if "█" in line]
    assert "same Wi-Fi" in said
    assert "only this machine" in invitation(link, alone=True)


def test_the_server_listens_at_one_address_and_knows_that_it_is_shared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARETOSCOPE_ALLOWED_HOSTS", "class.example")
    found = environment("192.168.1.20")
    assert found["STREAMLIT_SERVER_ADDRESS"] == "192.168.1.20"
    assert found["PARETOSCOPE_ALLOWED_HOSTS"] == "class.example 192.168.1.20"
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", local_address())


def serve(home: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "core", "class", "serve", "--no-browser", *more]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PARETOSCOPE_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def answer(url: str, host: str) -> int:
    request = urllib.request.Request(url, headers={"Host": host})
    try:
        return int(urllib.request.urlopen(request, timeout=2).status)
    except urllib.error.HTTPError as error:
        return error.code


def test_it_serves_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    at = f"http://127.0.0.1:{port}"
    with serve(tmp_path, "--address", "127.0.0.1", "--port", str(port)) as server:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    urllib.request.urlopen(f"{at}/_stcore/health", timeout=1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    assert server.poll() is None
                    time.sleep(0.1)
            assert answer(f"{at}/classroom", f"127.0.0.1:{port}") == 200
            assert answer(f"{at}/classroom", "evil.example") == 400
            busy = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "core",
                    "class",
                    "serve",
                    "--address",
                    "127.0.0.1",
                    "--port",
                    str(port),
                ],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (busy.returncode, "--port takes another port" in busy.stderr) == (2, True)
        finally:
            os.killpg(server.pid, signal.SIGINT)
        said = server.stdout.read() if server.stdout else ""
        assert server.wait(30) == 0
    assert f"{at}/classroom" in said
    assert "█" in said
    assert "everything is there as it was" in said
