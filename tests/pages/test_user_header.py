"""The header in which a proxy names who asks: nobody else is believed, in whatever spelling."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.ui.people.header import OWN_HEADER, UserHeader

PROXY, ELSEWHERE = ("10.0.0.2", 4000), ("10.0.0.3", 4000)
TRUSTED = (ip_network("10.0.0.2"), ip_network("fd00::/16"))


def ask(
    headers: list[tuple[bytes, bytes]],
    client: tuple[str, int] | None = PROXY,
    kind: str = "websocket",
    **scope: Any,
) -> str | None:
    """Whom the session sees; None where the request was refused."""
    seen: list[str | None] = []
    sent: list[dict[str, Any]] = []
    refusals: list[None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        own = [value for name, value in scope["headers"] if name == OWN_HEADER.encode()]
        assert len(own) <= 1
        assert not [
            name for name, _ in scope["headers"] if name.lower().replace(b"_", b"-") == b"x-remote-user"
        ]
        seen.append(unquote(own[0].decode()) if own else "")

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    gate = UserHeader(app, "X-Remote-User", TRUSTED, lambda: refusals.append(None))
    asyncio.run(gate({"type": kind, "headers": headers, "client": client, **scope}, receive, send))
    assert bool(seen) != bool(refusals)
    if not seen:
        assert sent[0].get("code") == 1008 or sent[0].get("status") == 400
        return None
    return seen[0]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_proxy_is_believed_and_nobody_else(kind: str) -> None:
    named = [(b"x-remote-user", b"ann"), (b"host", b"a")]
    assert ask(named, kind=kind) == "ann"
    assert ask(named, ("fd00::5", 1), kind=kind) == "ann"
    assert ask(named, ("::ffff:10.0.0.2", 1), kind=kind) == "ann"
    for client in (
        ELSEWHERE,
        ("127.0.0.1", 1),
        ("::1", 1),
        ("", 1),
        ("testclient", 1),
        ("10.0.0.2.", 1),
        None,
    ):
        assert ask(named, client, kind=kind) is None, client
        assert ask([(b"host", b"a")], client, kind=kind) == ""


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-remote-user", b"ann"), (b"x-remote-user", b"bob")],
        [(b"x-remote-user", b"ann"), (b"X-Remote-User", b"bob")],
        [(b"x-remote-user", b"ann"), (b"x_remote_user", b"bob")],
        [(b"x_remote_user", b"ann")],
        [(b"x-remote_user", b"ann")],
        [(b"x-remote-user", b"bob, ann")],
        [(b"x-remote-user", b"ann\x00")],
        [(b"x-remote-user", b"a\rb")],
        [(b"x-remote-user", b"\xff\xfe")],
        [(b"x-remote-user", "a\u202eb".encode())],
        [(b"x-remote-user", b"x" * 5000)],
    ],
)
def test_from_the_proxy_too_it_stands_once_in_one_spelling_with_one_name(
    headers: list[tuple[bytes, bytes]],
) -> None:
    assert ask(headers) is None
    assert ask(headers, ELSEWHERE) is None


def test_an_empty_one_is_nobody_and_any_name_arrives_as_it_was() -> None:
    assert ask([(b"x-remote-user", b"")]) == ""
    assert ask([(b"x-remote-user", b"  ")]) == ""
    for name in ("Zoë Ångström", "<b>ann</b>", "a%2Cb", "a=b&c", "李"):
        assert ask([(b"x-remote-user", name.encode())]) == name


def test_the_name_that_sessions_read_cannot_be_sent() -> None:
    assert ask([(OWN_HEADER.encode(), b"ann")]) == ""
    assert ask([(OWN_HEADER.upper().encode(), b"ann")], ELSEWHERE) == ""
    assert ask([(OWN_HEADER.encode(), b"ann"), (b"x-remote-user", b"bob")]) == "bob"
    assert len(OWN_HEADER) > 50, "long enough that nobody guesses it"


def test_who_really_connects_counts_not_what_was_forwarded() -> None:
    """The web server takes X-Forwarded-For of this machine for the client's address, before the gate sees it."""
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    seen: list[str | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])
        if scope["type"] == "http":
            seen.append("reached")

    async def nothing(*_: Any) -> Any:
        return {}

    gate = UserHeader(app, "X-Remote-User", TRUSTED, lambda: seen.append("refused"))
    whole = ProxyHeadersMiddleware(gate, trusted_hosts="127.0.0.1")
    headers = [(b"x-forwarded-for", b"10.0.0.2"), (b"x-remote-user", b"ann")]
    asyncio.run(whole({"type": "http", "headers": headers, "client": ("127.0.0.1", 5)}, nothing, nothing))
    assert seen == ["refused"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"x-remote-user",
                    b"X-REMOTE-USER",
                    b"x_remote_user",
                    b"x-remote-user ",
                    b"host",
                    OWN_HEADER.encode(),
                ]
            ),
            st.binary(max_size=20),
        ),
        max_size=4,
    )
)
def test_from_elsewhere_nobody_is_anybody(headers: list[tuple[bytes, bytes]]) -> None:
    assert ask(headers, ELSEWHERE) in ("", None)
