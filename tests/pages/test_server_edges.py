"""The middleware against written-out rules: which names are ours, which pages may ask, what is sent packed."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.ui.packed import PackedFiles
from pages.ui.server import OwnNamesOnly, SecurityHeaders, security_headers

OWN = {"localhost", "127.0.0.1", "::1", "nas.example"}
HOST = re.compile(r"((localhost|127\.0\.0\.1|nas\.example)\.?|\[::1\])(:[0-9]{0,5})?", re.IGNORECASE)


def ask(
    app: Any, kind: str = "http", method: str = "GET", path: str = "/", headers: Any = ()
) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app({"type": kind, "method": method, "path": path, "headers": list(headers)}, receive, send))
    return sent


async def page(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers everything with what it was asked."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept", "headers": []})
        return
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        return
    headers = [(b"content-type", b"text/plain"), (b"Content-Security-Policy", b"default-src *")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": f"{scope['method']} {scope['path']}".encode()})


pieces = st.lists(
    st.sampled_from(
        [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "nas.example",
            ".",
            ":",
            "8501",
            "0",
            "@",
            "#",
            "/",
            "?",
            "evil",
            "LOCALHOST",
            " ",
            "\\",
        ]
    ),
    max_size=4,
).map("".join)


spelled = pieces | st.builds(
    "{}{}".format, st.sampled_from(["localhost", "127.0.0.1", "[::1]"]), st.sampled_from(["", ":80", ":8501"])
)


@given(host=spelled)
def test_a_name_is_ours_if_it_is_spelled_out(host: str) -> None:
    answered = ask(OwnNamesOnly(page, OWN), headers=[(b"host", host.encode())])[0]["status"]
    assert answered == (200 if HOST.fullmatch(host) and port_of(host) <= 65535 else 400)


def port_of(host: str) -> int:
    found = re.search(r"(?<=[\w\].]):(\d+)$", host)
    return int(found[1]) if found else 0


@given(
    host=spelled,
    origin=st.sampled_from(["http://", "https://", "ftp://", "", "//"]).flatmap(
        lambda s: spelled.map(lambda p: s + p)
    ),
)
def test_a_socket_is_opened_for_pages_of_the_same_name_and_port_only(host: str, origin: str) -> None:
    headers = [(b"host", host.encode()), *([(b"origin", origin.encode())] if origin else [])]
    [answer] = ask(OwnNamesOnly(page, OWN), "websocket", headers=headers)
    if answer["type"] == "websocket.accept":
        assert HOST.fullmatch(host)
        if origin:
            scheme, _, asking = origin.partition("://")
            assert scheme in ("http", "https")
            usual = 443 if scheme == "https" else 80
            assert (port_of(asking) or usual) == (port_of(host) or usual)
            name = re.sub(r"(?<=[\w\].]):\d*$", "", host)
            assert re.fullmatch(re.escape(name) + r"(:\d*)?", asking, re.IGNORECASE)
    else:
        assert answer == {"type": "websocket.close", "code": 1008, "reason": "foreign origin"}


def test_two_origins_are_none_of_ours() -> None:
    pair = (b"origin", b"http://localhost")
    [answer] = ask(OwnNamesOnly(page, OWN), "websocket", headers=[(b"host", b"localhost"), pair, pair])
    assert answer["type"] == "websocket.close"


def test_the_refusal_is_plain_and_as_long_as_it_says() -> None:
    start, body = ask(OwnNamesOnly(page, OWN), headers=[(b"host", b"evil")])
    headers = dict(start["headers"])
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert headers[b"content-type"].startswith(b"text/plain")
    assert b"evil" not in body["body"]


def test_the_servers_own_start_passes_all_of_it(tmp_path: Path) -> None:
    app = SecurityHeaders(OwnNamesOnly(PackedFiles(page, tmp_path), OWN))
    assert ask(app, "lifespan") == [{"type": "lifespan.startup.complete"}]
    assert ask(app, "websocket", headers=[(b"host", b"localhost")]) == [
        {"type": "websocket.accept", "headers": []}
    ]


def test_a_refusal_carries_the_headers_too_and_there_is_one_policy() -> None:
    app = SecurityHeaders(OwnNamesOnly(page, OWN))
    for host, status in ((b"evil", 400), (b"localhost", 200)):
        start = ask(app, headers=[(b"host", host)])[0]
        policies = [value for name, value in start["headers"] if name.lower() == b"content-security-policy"]
        assert (start["status"], len(policies)) == (status, 1)
        assert b"default-src 'self'" in policies[0]
        assert dict(start["headers"])[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("ancestors", ["", "https://class.example"])
def test_nothing_is_loaded_from_elsewhere(ancestors: str) -> None:
    [policy] = [v.decode() for n, v in security_headers(ancestors) if n == b"content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("frame-ancestors") == (ancestors or "'none'")
    for name, sources in rules.items():
        for source in sources.split():
            assert re.fullmatch(
                r"'(self|none|unsafe-eval|unsafe-inline|sha256-[\w+/=]{44})'|data:|blob:", source
            )
            assert "data:" not in sources or name not in (
                "script-src",
                "default-src",
                "object-src",
                "frame-src",
            )
    assert "'unsafe-inline'" not in rules["script-src"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "static" / "css").mkdir(parents=True)
    (tmp_path / "static" / "css" / "a.css").write_text("x{}" * 100)
    (tmp_path / "static" / "a.png").write_bytes(b"png")
    (tmp_path / "outside.css").write_text("no")
    (tmp_path / "static" / "link.css").symlink_to(tmp_path / "outside.css")
    return tmp_path


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        (b"gzip", b"gzip"),
        (b"gzip, deflate, br", b"br"),
        (b"br;q=0.1, gzip", b"br"),
        (b"identity;q=1,GZIP", b"gzip"),
        (b"gzip;q=0", None),
        (b"br;q=0, gzip; q=0.000", None),
        (b"br; q=0.0, gzip", b"gzip"),
        (b"notgzip, brr", None),
        (b"", None),
    ],
)
def test_only_who_takes_it_packed_gets_it(bundle: Path, accepted: bytes, packed: bytes | None) -> None:
    start = ask(
        PackedFiles(page, bundle), path="/static/css/a.css", headers=[(b"accept-encoding", accepted)]
    )[0]
    assert dict(start["headers"]).get(b"content-encoding") == packed


def test_a_head_has_the_length_and_no_body(bundle: Path) -> None:
    app = PackedFiles(page, bundle)
    gzips = [(b"accept-encoding", b"gzip")]
    full, body = ask(app, path="/static/css/a.css", headers=gzips)
    head, nothing = ask(app, method="HEAD", path="/static/css/a.css", headers=gzips)
    assert head == full
    assert nothing["body"] == b""
    assert dict(full["headers"])[b"content-length"] == str(len(body["body"])).encode()
    assert gzip.decompress(body["body"]) == b"x{}" * 100
    assert b"text/css" in dict(full["headers"])[b"content-type"]


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("POST", "/static/css/a.css", ()),
        ("GET", "/static/css/a.css", ((b"range", b"bytes=0-3"),)),
        ("GET", "/static/a.png", ()),
        ("GET", "/static/link.css", ()),
        ("GET", "/outside.css", ()),
        ("GET", "//static/css/a.css", ()),
    ],
)
def test_all_else_is_streamlits(bundle: Path, method: str, path: str, more: Any) -> None:
    _, body = ask(
        PackedFiles(page, bundle), method=method, path=path, headers=[(b"accept-encoding", b"gzip"), *more]
    )
    assert body["body"] == f"{method} {path}".encode()
