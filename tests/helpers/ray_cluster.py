"""A Ray cluster of several nodes on this machine's loopback, inside a network namespace of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PORT = 6479


def alone() -> bool:
    """Whether this process sees no network but its own loopback: Ray listens on all there is."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


class RayCluster:
    """Nodes are added and killed; `close` ends all that it started, by process group."""

    def __init__(self) -> None:
        assert alone(), "run `make test-cluster`: Ray would listen on every network of this machine"
        self.address = f"127.0.0.1:{PORT}"
        self._folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self.environment = {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
        }
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}

    def start_head(self, cpus: int = 0) -> None:
        """The head, which computes nothing by default."""
        told = ["--head", f"--port={PORT}", f"--temp-dir={self._folder}", "--include-dashboard=false"]
        self._start("head", "127.0.0.1", cpus, told, {})

    def add(self, name: str, cpus: int = 1, *, project: Path = ROOT, extra: Mapping[str, str] = {}) -> None:
        """A node with so many cores that finds our code in `project`; returns when it has joined."""
        told = [f"--address={self.address}"]
        environment = {"PYTHONPATH": str(project), **extra}
        self._start(name, f"127.0.0.{len(self.nodes) + 1}", cpus, told, environment, project)

    def _start(
        self,
        name: str,
        address: str,
        cpus: int,
        told: list[str],
        extra: Mapping[str, str],
        project: Path = ROOT,
    ) -> None:
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *told),
            *(f"--num-cpus={cpus}", f"--node-ip-address={address}", f"--node-name={name}"),
            *("--object-store-memory=100000000", "--disable-usage-stats"),
        ]
        with (self._folder / f"{name}.log").open("wb") as log:
            self.nodes[name] = subprocess.Popen(
                command,
                cwd=project,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | self.environment | dict(extra),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # One after the other: two that start at once choose the same port.
        end = time.monotonic() + 60
        while "This command will now block" not in self.log(name):
            assert self.nodes[name].poll() is None, self.log(name)
            assert time.monotonic() < end, self.log(name)
            time.sleep(0.1)

    def kill(self, name: str) -> None:
        """SIGKILL to all processes of a node at once: as if its machine had lost power."""
        process = self.nodes.pop(name)
        for pid in [*_descendants(process.pid), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End everything."""
        for name in reversed([*self.nodes]):
            self.kill(name)
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self, name: str) -> str:
        """What a node said when it started."""
        return (self._folder / f"{name}.log").read_text(errors="replace")


def _descendants(pid: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, rest = [], [pid]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return found
