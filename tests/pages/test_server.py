"""The server around the pages: names and origins it knows, headers it sends, files it keeps packed."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import brotli
import pytest
from streamlit.file_util import get_static_dir

from core.errors import InvalidInput
from core.settings import ASSETS, settings
from pages.ui import first_visit
from pages.ui.look import Look
from pages.ui.packed import Packed, PackedFiles, named_ahead, pack_at_setup, pack_first
from pages.ui.server import OwnNamesOnly, SecurityHeaders, middleware
from tests.helpers import icons


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


def test_setting_up_packs_what_a_first_visit_asks_for(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bundle / "static" / "js" / "PlotlyChart.abc.js").write_text("draw();" * 5000)
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("pages.ui.packed.get_static_dir", lambda: str(bundle))
    pack_at_setup()
    kept = {path.name: path.read_bytes() for path in (tmp_path / "home" / "packed").iterdir()}
    assert kept, "what is worth it"
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0
    served = Packed(tmp_path / "home" / "packed")
    pack_first(bundle, served)
    assert set(kept.values()) <= set(served.bodies.values()), "the server sends it from the first visit on"


def test_files_are_packed_once_and_named_ahead(bundle: Path) -> None:
    packed = Packed()
    pack_first(bundle, packed)
    assert {(file.name, encoding) for file, encoding in packed.bodies} == {
        ("PlotlyChart.abc.js", "br"),
        ("index.def.js", "br"),
    }
    app = PackedFiles(Asked(), bundle, packed)
    start, body = ask(app, "/static/js/index.def.js", accept_encoding="gzip, br")
    assert brotli.decompress(body["body"]) == b"start();" * 1000
    assert dict(start["headers"])[b"content-encoding"] == b"br"
    start, body = ask(app, "/static/js/index.def.js", accept_encoding="gzip")
    assert gzip.decompress(body["body"]) == b"start();" * 1000
    assert dict(start["headers"])[b"content-encoding"] == b"gzip"
    assert dict(start["headers"])[b"vary"] == b"accept-encoding"
    (bundle / "static" / "js" / "index.def.js").write_text("changed")
    assert ask(app, "/static/js/index.def.js", accept_encoding="gzip")[1] == body, "kept"
    [start, _] = ask(app, "/")
    assert (b"link", b"</static/js/PlotlyChart.abc.js>; rel=modulepreload") in start["headers"]


def test_what_took_long_to_pack_is_kept_by_its_content(tmp_path: Path) -> None:
    """Random words, so that packing well beats packing soon."""
    words = [str(n * n % 9973) for n in range(20_000)]
    file, kept = tmp_path / "a.js", tmp_path / "packed"
    file.write_text(" ".join(words))
    first = Packed(kept)
    soon = first.body(file, "br")
    first.body(file, "gzip")
    first.pack_well()
    well = first.body(file, "br")
    assert len(well) < len(soon)
    assert brotli.decompress(well) == file.read_bytes()
    [place] = kept.iterdir()
    assert Packed(kept).body(file, "br") == well, "the next server has it at once"
    place.write_bytes(b"damaged")
    again = Packed(kept)
    assert again.body(file, "br") == soon
    again.pack_well()
    assert place.read_bytes() == well
    file.write_text("changed " * 4000)
    assert brotli.decompress(Packed(kept).body(file, "br")) == file.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a priority of its own on Linux")
def test_only_a_thread_beside_others_stands_back() -> None:
    here, aside = os.getpriority(os.PRIO_PROCESS, 0), []

    def pack() -> None:
        Packed().pack_well()
        aside.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    Packed().pack_well()
    thread = threading.Thread(target=pack)
    thread.start()
    thread.join()
    assert (os.getpriority(os.PRIO_PROCESS, 0), aside) == (here, [19])


def test_a_full_or_locked_disk_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "packed").write_text("a file where the folder should be")
    file = tmp_path / "a.js"
    file.write_text("start();" * 4000)
    packed = Packed(tmp_path / "packed")
    packed.body(file, "br")
    packed.pack_well()
    assert brotli.decompress(packed.body(file, "br")) == file.read_bytes()


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
    chart, html = named_ahead(Path(get_static_dir()))
    assert chart.stat().st_size > 1e6
    assert "stHtml" in html.read_text()


@pytest.mark.slow
def test_torch_is_loaded_once_and_when_browsers_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[float] = []
    others = set(threading.enumerate())  # A page that an earlier test ran may still wait for its browser.

    def load() -> None:
        if threading.current_thread() not in others:
            loaded.append(time.monotonic())

    monkeypatch.setattr(first_visit.runtime, "heavy_imports_in_background", load)
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
    text = gzip.decompress(body["body"])
    link = re.search(
        rb'<head><link rel="stylesheet" href="\.(/look\.css\?v=\w+)"><script defer src="\.(/charts\.js\?v=\w+)"></script>'
        rb'<script defer src="\.(/look\.js\?v=\w+)" '
        rb'data-later="\.(/later\.js\?v=\w+)"></script></head><body></body>',
        text,
    )
    assert link
    headers = dict(start["headers"])
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert b"etag" not in headers
    names = ("look.css", "charts.js", "look.js", "later.js")
    for address, name in zip(link.groups(), names, strict=True):
        content = (ASSETS / "look" / name).read_bytes()
        start, body = ask(Look(Page()), address.decode().partition("?")[0])
        assert body["body"] == content
        assert b"immutable" in dict(start["headers"])[b"cache-control"]
        start, body = ask(Look(Page()), address.decode().partition("?")[0], accept_encoding="br")
        assert brotli.decompress(body["body"]) == content
    start, body = ask(Look(Page()), "/front", accept="text/html")
    assert body["body"] == text


def test_fonts_come_cut_down_and_are_asked_for_each_time() -> None:
    place = Path(get_static_dir()) / "static" / "media"
    for pattern in ("SourceSansVF-Upright", "SourceSerifVariable-Roman", "MaterialSymbols-Rounded"):
        [whole] = place.glob(f"{pattern}*.woff2")
        start, body = ask(Look(Asked()), f"/static/media/{whole.name}")
        assert body["body"][:4] == b"wOF2"
        assert len(body["body"]) < whole.stat().st_size / 4
        headers = dict(start["headers"])
        assert headers[b"cache-control"] == b"no-cache"
        version = headers[b"etag"].decode()
        start, body = ask(Look(Asked()), f"/static/media/{whole.name}", if_none_match=version)
        assert (start["status"], body["body"]) == (304, b"")


def test_every_icon_is_in_the_font_that_was_cut_down() -> None:
    """Otherwise its name is shown: write .ci/fonts anew."""
    kept = set((ASSETS / "look" / "fonts" / "icons.txt").read_text().split())
    assert icons.of_pages() | icons.of_streamlit() <= kept


def test_other_answers_pass_as_they_are() -> None:
    class Script(Asked):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-type", b"text/javascript"), (b"etag", b"x")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"'</head>'"})

    start, body = ask(Look(Script()), "/static/js/x.js", accept="*/*", if_none_match="y")
    assert dict(start["headers"])[b"etag"] == b"x"
    assert body["body"] == b"'</head>'"
