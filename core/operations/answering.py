"""The two addresses of a server for whoever runs it: /health for all who reach it, /metrics for machines that may read it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

from core.errors import CoreError, InvalidInput
from core.jobs import JobManager
from core.logs import without_secrets
from core.operations.exposition import CONTENT_TYPE, text
from core.operations.health import Doctor
from core.operations.metrics import families
from core.settings import settings
from core.store import RunStore

HEALTH, METRICS = "/health", "/metrics"
_PLAIN = "text/plain; charset=utf-8"
_REFUSED = b"These numbers are for this machine; PARETOSCOPE_METRICS lists further ones. See the README.\n"
_MAPPED = "::ffff:"
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers with which a proxy says that it asks for somebody else."""


class Answers:
    """What is answered under both addresses.

    Args:
        store: opens the store, or gives the open one.
        manager: the server's jobs; None while it has not needed any.
    """

    def __init__(self, store: Callable[[], RunStore], manager: Callable[[], JobManager | None]) -> None:
        self._doctor, self._store, self._manager = Doctor(store, manager), store, manager

    def health(self) -> tuple[int, str, bytes]:
        """Status, type and content."""
        found = self._doctor.look()
        return found.status, "application/json", found.line()

    def metrics(self, asking: str, forwarded: bool) -> tuple[int, str, bytes]:
        """Status, type and content.

        Args:
            asking: address of the machine that asks.
            forwarded: whether it asks for another one, which it may not.
        """
        if forwarded or not may_read(asking):
            return 403, _PLAIN, _REFUSED
        if not (found := self._doctor.look()).works:
            return 503, _PLAIN, f"{found.store}\n".encode()
        try:
            return 200, CONTENT_TYPE, text(families(self._store(), self._manager())).encode()
        except CoreError as error:
            return 503, _PLAIN, f"{without_secrets(str(error))}\n".encode()


def may_read(asking: str) -> bool:
    """Whether a machine may read metrics: this one, and those of PARETOSCOPE_METRICS."""
    try:
        address = ip_address(asking.removeprefix(_MAPPED))
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in settings().metrics_for)


@contextmanager
def answering(answers: Answers, port: int) -> Iterator[int]:
    """Answer under both addresses, for a server without pages; the port comes back.

    It listens on this machine alone, and on all addresses where PARETOSCOPE_METRICS lists who else may read.

    Raises:
        InvalidInput: the port cannot be listened on.
    """

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "paretoscope", ""
        timeout = 10

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == HEALTH:
                status, kind, content = answers.health()
            elif path == METRICS:
                forwarded = any(name in self.headers for name in FORWARDED)
                status, kind, content = answers.metrics(str(self.client_address[0]), forwarded)
            else:
                status, kind, content = (
                    404,
                    _PLAIN,
                    b"Nothing is here but /health, and numbers for Prometheus.\n",
                )
            self.send_response(status)
            for name, value in headers(kind, content):
                self.send_header(name.decode(), value.decode())
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody wants a line for each look."""

    address = "0.0.0.0" if settings().metrics_for else "127.0.0.1"
    try:
        server = ThreadingHTTPServer((address, port), Handler)
    except (OSError, OverflowError) as error:
        raise InvalidInput(
            f"Port {port} cannot be listened on: {error}. Choose another --metrics-port."
        ) from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(2)


def headers(kind: str, content: bytes) -> list[tuple[bytes, bytes]]:
    """Headers of an answer."""
    return [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
