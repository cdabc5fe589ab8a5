"""Ray nodes as a person starts them, each with an address of its own on the loopback, ended by the ids of its processes."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PORT = 6379
_START_SECONDS = 90
_SERVICES = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
_STORE_BYTES = 100 * 1024 * 1024
_RAY = "import sys; from ray.scripts.scripts import main; sys.exit(main())"


@dataclass
class RayNode:
    """One node: the `ray start` that we started, in a session of its own, and all that came of it."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def processes(self) -> list[tuple[int, str]]:
        """(id, command) of each of its processes that runs."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                state = folder.joinpath("stat").read_text().rpartition(")")[2].split()
                command = (
                    folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:  # it has ended meanwhile
                continue
            if int(state[3]) == self.process.pid and state[0] != "Z":
                found.append((int(folder.name), command.strip()))
        return found

    def workers(self, *, busy: bool = True) -> list[int]:
        """Ids of the processes that compute, or that could."""
        mine = [(pid, said) for pid, said in self.processes() if said.startswith("ray::")]
        return [
            p for p, s in mine if not s.startswith(_SERVICES) and not (busy and s.startswith("ray::IDLE"))
        ]

    def kill(self) -> None:
        """SIGKILL to everything of this node at once, as if its machine had gone."""
        for _ in range(100):
            left = self.processes()
            if not left:
                break
            for pid, _command in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.02)
        self.process.wait(10)


@dataclass
class RayCluster:
    """A head and the nodes beside it.

    Attributes:
        folder: where Ray keeps its logs and sockets; short, as sockets' names must be.
        environment: what a process needs that takes part, the driver as well as the nodes.
        port: of the head.
        of_head: more for `ray start` of the head, and for its environment; without what starts further machines.
    """

    folder: Path
    environment: dict[str, str]
    head: RayNode = field(init=False)
    nodes: list[RayNode] = field(default_factory=list)
    port: int = _PORT
    of_head: tuple[Sequence[str], Mapping[str, str]] = (("--no-monitor",), {})
    _made: int = 0
    _reaper: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        # Whoever ends this process, however hard, leaves nothing behind.
        self._reaper = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("reaper.py"))],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add_node(self, cores: int = 1, before: Sequence[str] = ()) -> RayNode:
        """Start one more; returns when it has joined.

        Args:
            cores: of it.
            before: a command that becomes the one it is given.
        """
        node = self._start(cores, before)
        _wait_until_started(node)
        return node

    def add_nodes(self, n: int) -> None:
        """Start so many of one core, the others while the head is on its way; returns when all have joined."""
        nodes = []
        for _ in range(n):
            nodes.append(self._start(1, ()))
            _wait_until_listening(nodes[0], self.port)
        for node in nodes:
            _wait_until_started(node)

    def _start(self, cores: int, before: Sequence[str]) -> RayNode:
        self._made += 1
        address = f"127.0.0.{self._made}"
        first = ["--head", f"--port={self.port}", "--include-dashboard=false", f"--temp-dir={self.folder}"]
        arguments, environment = self.of_head if self._made == 1 else ((), {})
        where = [*first, *arguments] if self._made == 1 else [f"--address={self.address}"]
        size = [f"--num-cpus={cores}", f"--object-store-memory={_STORE_BYTES}"]
        own = [
            f"--node-ip-address={address}",
            "--disable-usage-stats",
            "--block",
            "--include-log-monitor=false",
        ]
        log = self.folder / f"node{self._made}.log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                [*before, sys.executable, "-c", _RAY, "start", *where, *size, *own],
                cwd=ROOT,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                start_new_session=True,
            )
        assert self._reaper.stdin is not None
        print(process.pid, file=self._reaper.stdin, flush=True)
        node = RayNode(address, process, log)
        if self._made == 1:
            self.head = node
        self.nodes.append(node)
        return node

    def alive(self) -> list[RayNode]:
        """Those that were not killed."""
        return [node for node in self.nodes if node.process.poll() is None]

    def close(self) -> None:
        """Kill what is left."""
        for node in reversed(self.nodes):
            node.kill()
        self._reaper.communicate(timeout=30)


def _wait_until_listening(head: RayNode, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while head.process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.1)


def _wait_until_started(node: RayNode) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while "Ray runtime started" not in node.log.read_text(errors="replace"):
        if node.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"a Ray node did not start:\n{node.log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)


@contextmanager
def ray_cluster(
    folder: Path, nodes: int, environment: Mapping[str, str] = {}, port: int = _PORT
) -> Iterator[RayCluster]:
    """A cluster of so many nodes of one core each; whatever happens, nothing of it is left.

    Args:
        folder: empty; its name is short.
        nodes: with the head.
        environment: besides this process's.
        port: of the head.
    """
    own = {
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray asks for a token unless told not to; one for each cluster, kept nowhere.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(16),
        # A node that is gone is noticed within seconds.
        "RAY_health_check_initial_delay_ms": "1000",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "1000",
        "RAY_health_check_failure_threshold": "4",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    cluster = RayCluster(folder, {**os.environ, **own, **environment}, port=port)
    try:
        cluster.add_nodes(nodes)
        yield cluster
    finally:
        cluster.close()
