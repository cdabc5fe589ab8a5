"""What a browser asks for while a person looks around: everything comes from this server, nothing is refused by its policy."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import websockets.exceptions
import websockets.sync.client

from benchmarks.first_load import measure
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
WATCH = """
window.refused = [];
document.addEventListener('securitypolicyviolation', e => window.refused.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
PAGES = ("", "supernets", "search", "similarity", "pruning", "runs")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}")
def test_no_page_asks_another_host_and_none_is_refused_anything(server: str) -> None:
    own = urlsplit(server).netloc
    asked: list[str] = []
    said: list[str] = []
    refused: list[str] = []
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(WATCH)
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.on("console", lambda message: said.append(message.text))
        for path in PAGES:
            page.goto(f"{server}/{path}")
            page.wait_for_selector("h1")
            page.wait_for_timeout(700)
            for tab in page.get_by_role("tab").all():
                if tab.is_visible():
                    tab.click()
                    page.wait_for_timeout(250)
            refused += page.evaluate("window.refused")
            icon = page.locator("link[rel~='icon']").first.get_attribute("href") or ""
            assert icon.startswith("data:") or urlsplit(icon).netloc in ("", own), icon
            assert page.locator("[data-testid='stException']").count() == 0
        chromium.close()
    foreign = [u for u in asked if urlsplit(u).scheme not in ("data", "blob") and urlsplit(u).netloc != own]
    assert foreign == []
    assert refused == []
    assert [text for text in said if "Content Security Policy" in text] == []
    assert len(asked) > 20, "the browser was watched"


def get(server: str, path: str = "/", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def test_only_its_own_names_are_served(server: str) -> None:
    port = urlsplit(server).port
    for path in ("/", "/_stcore/health", "/static/none.js", "/media/x"):
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
        ):
            assert get(server, path, Host=host).status == 400
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "LOCALHOST.", f"[::1]:{port}"):
        assert get(server, "/", Host=host).status == 200
    answer = get(server)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "http:" not in answer.headers["Content-Security-Policy"]


def test_only_its_own_pages_open_its_socket(server: str) -> None:
    address = server.replace("http", "ws") + "/_stcore/stream"
    port = urlsplit(server).port
    with websockets.sync.client.connect(address, origin=server) as socket:
        assert socket.protocol.state.name == "OPEN"
    for origin in (
        f"http://127.0.0.1:{port + 1}",
        "http://127.0.0.1",
        f"http://localhost:{port}",
        "https://evil.example",
        "null",
        f"file://127.0.0.1:{port}",
    ):
        with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
            websockets.sync.client.connect(address, origin=origin)


@pytest.mark.long
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}")
def test_a_first_visit_moves_little_and_a_second_next_to_nothing(server: str) -> None:
    first, second = measure(server, repeats=1, slow=False)[0]
    # 8 MB as Streamlit sends it. The chart library is packed soon here, and 0.3 MB smaller after the first day.
    assert first.bytes < 2.5e6, first
    assert second.bytes < 100e3, second
    assert first.chart_files == 1, "the chart library is fetched once, although it is named ahead"
