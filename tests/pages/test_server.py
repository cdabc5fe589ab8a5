"""The server around the pages: names and origins it knows, headers it sends, files it keeps packed."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidInput
from core.settings import ASSETS, settings
from pages.ui import first_visit
from pages.ui.look import Look
from pages.ui.packed import PackedFiles, named_ahead, pack_first
from pages.ui.server import OwnNamesOnly, SecurityHeaders, middleware, security_headers


class Asked:
    """An application that notes what reached it."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        if scope["type"] == "http":
            headers = [(b"content-type", b"text/html"), (b"X-Frame-Options", b"ALLOWALL")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"page"})


def ask(app: Any, path: str = "/", kind: str = "http", **headers: str) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app({"type": kind, "method": "GET", "path": path, "headers": pairs}, receive, send))
    return sent


def built(monkeypatch: pytest.MonkeyPatch, **environment: str) -> tuple[Any, Asked]:
    """The app's own middleware around an application that notes."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    asked = Asked()
    app: Any = asked
    for one in reversed(middleware()):
        app = one.cls(app, *one.args, **one.kwargs)
    return app, asked


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "localhost/x",
        "localhost:x",
        "127.0.0.1:8501:1",
        "[::1",
    ],
)
def test_unknown_names_get_no_further(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, asked = built(monkeypatch)
    assert ask(app, host=host)[0]["status"] == 400
    assert ask(app, kind="websocket", host=host)[0]["type"] == "websocket.close"
    assert asked.paths == []


def test_two_host_headers_are_no_name() -> None:
    asked = Asked()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(b"host", b"localhost"), (b"host", b"localhost")]
    app = OwnNamesOnly(asked, {"localhost"})
    asyncio.run(app({"type": "http", "path": "/", "headers": pairs}, None, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 400


def test_a_class_server_lists_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    app, asked = built(monkeypatch, PARETOSCOPE_ALLOWED_HOSTS="nas.school.example, 10.0.0.7")
    for host in ("nas.school.example:8501", "NAS.school.example", "10.0.0.7", "localhost:8501"):
        assert ask(app, host=host)[0]["status"] == 200
    assert ask(app, host="school.example")[0]["status"] == 400
    assert len(asked.paths) == 4
    app, _ = built(monkeypatch, PARETOSCOPE_ALLOWED_HOSTS="*")
    assert ask(app, host="anything.example")[0]["status"] == 200


@pytest.mark.parametrize(
    ("host", "origin", "opened"),
    [
        ("localhost:8501", "http://localhost:8501", True),
        ("localhost:8501", "", True),
        ("localhost", "http://localhost:80", True),
        ("nas.example", "https://nas.example", True),
        ("localhost:8501", "http://localhost:8502", False),
        ("localhost:8501", "http://127.0.0.1:8501", False),
        ("localhost:8501", "http://localhost", False),
        ("localhost:8501", "null", False),
        ("localhost:8501", "http://localhost:x", False),
        ("localhost:8501", "https://nas.example", False),
    ],
)
def test_only_own_pages_open_a_socket(
    host: str, origin: str, opened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, asked = built(monkeypatch, PARETOSCOPE_ALLOWED_HOSTS="nas.example")
    ask(app, kind="websocket", host=host, **({"origin": origin} if origin else {}))
    assert bool(asked.paths) == opened


def test_headers_replace_what_the_app_said() -> None:
    [start, _] = ask(SecurityHeaders(Asked()), host="localhost")
    names = [name.lower() for name, _ in start["headers"]]
    assert len(names) == len(set(names))
    headers = dict(start["headers"])
    assert headers[b"x-frame-options"] == b"DENY"
    assert b"default-src 'self'" in headers[b"content-security-policy"]


def test_a_site_may_be_allowed_to_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = built(monkeypatch, PARETOSCOPE_FRAME_ANCESTORS="https://class.example 'self'")
    headers = dict(ask(app, host="localhost")[0]["headers"])
    assert b"frame-ancestors https://class.example 'self'" in headers[b"content-security-policy"]
    assert headers.get(b"x-frame-options") != b"DENY"
    monkeypatch.setenv("PARETOSCOPE_FRAME_ANCESTORS", "x; script-src *")
    with pytest.raises(InvalidInput, match="origins"):
        settings()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder like Streamlit's."""
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "PlotlyChart.abc.js").write_text("draw();" * 1000)
    (tmp_path / "static" / "js" / "index.def.js").write_text("start();" * 1000)
    (tmp_path / "index.html").write_text('<script src="./static/js/index.def.js"></script>')
    (tmp_path / "secret.js").write_text("no")
    return tmp_path


def test_files_are_packed_once_and_named_ahead(bundle: Path) -> None:
    kept: dict[Path, bytes] = {}
    pack_first(bundle, kept)
    assert {file.name for file in kept} == {"PlotlyChart.abc.js", "index.def.js"}
    app = PackedFiles(Asked(), bundle, kept)
    start, body = ask(app, "/static/js/index.def.js", accept_encoding="gzip, br")
    assert gzip.decompress(body["body"]) == b"start();" * 1000
    assert dict(start["headers"])[b"content-encoding"] == b"gzip"
    assert dict(start["headers"])[b"vary"] == b"accept-encoding"
    (bundle / "static" / "js" / "index.def.js").write_text("changed")
    assert ask(app, "/static/js/index.def.js", accept_encoding="gzip")[1] == body, "kept"
    [start, _] = ask(app, "/")
    assert (b"link", b"</static/js/PlotlyChart.abc.js>; rel=modulepreload") in start["headers"]


@pytest.mark.parametrize(
    ("path", "encoding"),
    [
        ("/static/../secret.js", "gzip"),
        ("/static/js/../../secret.js", "gzip"),
        ("/secret.js", "gzip"),
        ("/static/js/none.js", "gzip"),
        ("/static/js/\x00.js", "gzip"),
        ("/static/" + "x" * 5000 + ".js", "gzip"),
        ("/static/js", "gzip"),
        ("/static/js/index.def.js", "identity"),
    ],
)
def test_everything_else_goes_to_streamlit(bundle: Path, path: str, encoding: str) -> None:
    asked = Asked()
    ask(PackedFiles(asked, bundle), path, accept_encoding=encoding)
    assert asked.paths == [path]


def test_streamlit_has_the_named_ahead_where_it_is_looked_for() -> None:
    from streamlit.file_util import get_static_dir

    chart, html = named_ahead(Path(get_static_dir()))
    assert chart.stat().st_size > 1e6
    assert "stHtml" in html.read_text()


def test_torch_is_loaded_once_and_when_browsers_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[float] = []
    monkeypatch.setattr(
        first_visit.runtime, "heavy_imports_in_background", lambda: loaded.append(time.monotonic())
    )
    monkeypatch.setattr(first_visit, "_QUIET_SECONDS", 0.3)
    monkeypatch.setattr(first_visit, "_started", threading.Event())
    first_visit.somebody_came()
    for _ in range(5):
        time.sleep(0.1)
        first_visit.asked()
        assert loaded == []
    last = time.monotonic()
    first_visit.somebody_came()
    deadline = last + 10
    while not loaded and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.4)
    assert len(loaded) == 1
    assert loaded[0] >= last + 0.25


def test_the_styles_are_named_in_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    class Page(Asked):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            assert b"if-none-match" not in dict(scope["headers"])
            # Packed, as Streamlit does for addresses of pages, the head could not be found.
            assert b"accept-encoding" not in dict(scope["headers"])
            headers = [
                (b"content-type", b"text/html; charset=utf-8"),
                (b"content-length", b"26"),
                (b"etag", b"x"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"<head></he", "more_body": True})
            await send({"type": "http.response.body", "body": b"ad><body></body>"})

    start, body = ask(Look(Page()), "/front", accept="text/html", if_none_match="x", accept_encoding="gzip")
    link = re.search(
        rb'<head><link rel="stylesheet" href="\.(/look\.css)(\?v=\w+)"><script>(.+)</script></head><body></body>',
        body["body"],
        re.DOTALL,
    )
    assert link
    # The very script the policy allows: a digest of anything else would have the browser refuse it.
    digest = base64.b64encode(hashlib.sha256(link[3]).digest()).decode()
    assert f"'sha256-{digest}'" in dict(security_headers())[b"content-security-policy"].decode()
    headers = dict(start["headers"])
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert b"etag" not in headers
    start, body = ask(Look(Page()), link[1].decode())
    assert body["body"] == (ASSETS / "look" / "look.css").read_bytes()
    assert b"immutable" in dict(start["headers"])[b"cache-control"]


def test_other_answers_pass_as_they_are() -> None:
    class Script(Asked):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-type", b"text/javascript"), (b"etag", b"x")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"'</head>'"})

    start, body = ask(Look(Script()), "/static/js/x.js", accept="*/*", if_none_match="y")
    assert dict(start["headers"])[b"etag"] == b"x"
    assert body["body"] == b"'</head>'"
