"""/health and /metrics, answered before Streamlit sees them: no session, no page, no visitor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.people import own_work
from pages.ui.asgi import Application, Receive, Scope, Send

if TYPE_CHECKING:
    from core.operations.answering import Answers

PATHS = ("/health", "/metrics")


class Health:
    """Answers /health, also to whom the server's name is not known: what watches machines asks for addresses."""

    path = "/health"

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self.path or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        # In a thread: a database may take its time, and the pages go on.
        status, kind, content = await asyncio.to_thread(self._answer, scope)
        await send({"type": "http.response.start", "status": status, "headers": _headers(kind, content)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    def _answer(self, scope: Scope) -> tuple[int, str, bytes]:
        return answers().health()


class Metrics(Health):
    """Answers the machines that may read numbers for Prometheus."""

    path = "/metrics"

    def _answer(self, scope: Scope) -> tuple[int, str, bytes]:
        from core.operations.answering import FORWARDED

        forwarded = any(name.decode("latin-1").lower() in FORWARDED for name, _ in scope["headers"])
        asking = (scope.get("client") or ("", 0))[0]
        with own_work():
            return answers().metrics(str(asking), forwarded)


def _headers(kind: str, content: bytes) -> list[tuple[bytes, bytes]]:
    from core.operations.answering import headers

    return headers(kind, content)


_made: list[Answers] = []


def answers() -> Answers:
    """Made when somebody asks first: nobody else pays for it."""
    if not _made:
        from core.operations.answering import Answers
        from pages.ui import resources
        from pages.ui.home_store import home_store

        _made.append(Answers(home_store, resources.manager_if_made))
    return _made[0]
