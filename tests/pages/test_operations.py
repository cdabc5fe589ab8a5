"""/health and /metrics before the pages: who is answered, and what passes on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from core.operations.answering import Answers
from pages.ui import operations
from pages.ui.home_store import home_store
from pages.ui.server import OwnNamesOnly


async def streamlit(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"a page"})


STACK = operations.Health(OwnNamesOnly(operations.Metrics(streamlit), {"127.0.0.1"}))
"""In the order of the server's own (`pages.ui.server.middleware`)."""


@pytest.fixture(autouse=True)
def answered(own_installation: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARETOSCOPE_METRICS", raising=False)
    monkeypatch.setattr(operations, "_made", [Answers(home_store, lambda: None)])


def asked(
    path: str, client: str = "127.0.0.1", method: str = "GET", host: str = "127.0.0.1:8501", **headers: str
) -> tuple[int, bytes]:
    sent: list[Any] = []
    named = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "path": path,
        "method": method,
        "client": (client, 5),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(STACK(scope, None, send))  # type: ignore[arg-type]
    return sent[0]["status"], sent[1]["body"]


def test_health_is_for_all_who_reach_the_server_by_any_name() -> None:
    for host in ("127.0.0.1:8501", "10.0.0.7:8501", "health.example"):
        status, content = asked("/health", client="10.9.9.9", host=host)
        assert (status, json.loads(content)["status"]) == (200, "ok")
    assert asked("/health", method="HEAD") == (200, b"")


def test_numbers_are_for_this_machine_under_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    status, content = asked("/metrics")
    assert status == 200
    assert b"paretoscope_queue_length" in content
    assert asked("/metrics", client="10.9.9.9")[0] == 403
    assert asked("/metrics", x_forwarded_for="10.9.9.9")[0] == 403, (
        "a proxy on this machine asks for somebody else"
    )
    assert asked("/metrics", host="rebound.example")[0] == 400, (
        "a page of another site that names this address"
    )
    monkeypatch.setenv("PARETOSCOPE_METRICS", "10.9.0.0/16")
    assert asked("/metrics", client="10.9.9.9")[0] == 200
    assert asked("/metrics", client="10.9.9.9", forwarded="for=10.1.1.1")[0] == 403


@pytest.mark.parametrize("path", ["/", "/health/", "/healthy", "/metrics/x", "/_stcore/health"])
def test_all_else_passes_on(path: str) -> None:
    assert asked(path) == (299, b"a page")
    assert asked("/health", method="POST") == (299, b"a page")
