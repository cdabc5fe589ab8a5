"""People on a real server: a log-in at a local issuer, in a browser; a proxy's header, over the WebSocket itself."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
oidc = pytest.importorskip(
    "oidc_provider_mock", reason="there is no local issuer: pip install oidc-provider-mock"
)
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
with_browser = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}")

FILE = """
default = "look"
help = "Ann"
[people]
"bob@example.org" = "run"
"bob" = "run"
"""
SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "{secret}"
client_id = "paretoscope"
client_secret = "a secret between two tests"
server_metadata_url = "http://localhost:{port}/.well-known/openid-configuration"
"""
BIDI = "Bob\u202e<b>\u2066x"


@contextmanager
def environment(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(home / "paretoscope.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server whose visitors log in at a local issuer."""
    home = tmp_path_factory.mktemp("home")
    (home / "people.toml").write_text(FILE)
    users = [
        oidc.User(sub="b", claims={"email": "Bob@example.org", "email_verified": True, "name": BIDI}),
        oidc.User(sub="l", claims={"email": "bob@example.org", "email_verified": False, "name": "Leo"}),
    ]
    with oidc.run_server_in_thread(user_claims=users) as issuer:
        secrets = home / "secrets.toml"
        secrets.write_text(SECRETS.format(secret="s" * 40, port=issuer.server_port))
        people = {"PARETOSCOPE_PEOPLE": str(home / "people.toml"), "STREAMLIT_SECRETS_FILES": str(secrets)}
        with environment(**people), running_server(home) as address:
            yield address, home


def log_in(page: Any, address: str, who: str, then: str) -> None:
    """Through the closed door of a page, the issuer's own page and back; then to another page."""
    page.goto(f"{address}/words")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name=who, exact=True).click()
    page.wait_for_url(f"{address}/**", wait_until="commit")
    page.goto(f"{address}/{then}")
    page.get_by_role("button", name="Log out").wait_for()


@with_browser
def test_log_in_start_be_refused_and_log_out(served: tuple[str, Path]) -> None:
    address, home = served
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = chromium.new_context()
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        log_in(page, address, "b", "search")
        shown = page.locator("[data-testid='stSidebar']").inner_text()
        assert "Bob<b>x" in shown, "the name is text, without marks of direction"
        assert "run" in shown
        page.get_by_role("button", name="Start the search").click()
        page.get_by_text("number 1 in the queue").or_(
            page.get_by_role("button", name="Cancel")
        ).first.wait_for()
        bob = f"http://localhost:{_issuer(home)}#b"
        done = {tuple(each) for each in rows(home, "SELECT person, action, outcome FROM audit")}
        assert {(bob, "log in", "done"), (bob, "start a run", "done")} <= done
        assert rows(home, "SELECT person FROM owners") == [(bob,)]
        cookie = next(each for each in context.cookies() if each["name"] == "_streamlit_user")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/oauth2/end_session**", wait_until="commit")
        assert not [each for each in context.cookies() if each["name"] == "_streamlit_user"]

        # A cookie that somebody has changed is nobody's.
        value = cookie["value"]
        changed = value[:20] + ("A" if value[20] != "A" else "B") + value[21:]
        context.add_cookies([{"name": "_streamlit_user", "value": changed, "url": address}])
        page.goto(f"{address}/words")
        page.get_by_role("button", name="Log in").wait_for()
        assert page.get_by_text("Nobody may look here without logging in").count() == 1
        context.close()

        # The same address, which this provider has not verified, gives no right.
        context = chromium.new_context()
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        log_in(page, address, "l", "runs")
        assert "look" in page.locator("[data-testid='stSidebar']").inner_text()
        assert page.get_by_role("button", name="Check for damage").is_disabled()
        chromium.close()


def _issuer(home: Path) -> str:
    return (home / "secrets.toml").read_text().split("localhost:")[1].split("/")[0]


PROXY = "127.0.0.3"


@pytest.fixture(scope="module")
def behind_a_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    home = tmp_path_factory.mktemp("home")
    (home / "people.toml").write_text(FILE)
    names = {
        "PARETOSCOPE_PEOPLE": str(home / "people.toml"),
        "PARETOSCOPE_USER_HEADER": "X-Remote-User",
        "PARETOSCOPE_TRUSTED_PROXIES": PROXY,
    }
    with environment(**names), running_server(home) as address:
        yield address, home


class Visit:
    """A visit over the WebSocket: what a browser sends and gets, without one, so that anything can be sent."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.ids: dict[str, str] = {}
        self.texts: list[str] = []

    async def run(self, press: str = "") -> None:
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        message = BackMsg()
        message.rerun_script.SetInParent()
        message.rerun_script.page_name = "search"
        if press:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = self.ids[press], True
        await self.socket.send(message.SerializeToString())
        while True:
            got = ForwardMsg()
            got.ParseFromString(await asyncio.wait_for(self.socket.recv(), 60))
            kind = got.WhichOneof("type")
            if kind == "script_finished":
                return
            if kind == "delta" and got.delta.WhichOneof("type") == "new_element":
                element = got.delta.new_element
                which = element.WhichOneof("type")
                if which == "button":
                    self.ids[
                        element.button.id.rsplit("-", 2)[-2] + "-" + element.button.id.rsplit("-", 1)[-1]
                    ] = element.button.id
                self.texts.append(str(element)[:2000])


async def visit(
    address: str,
    source: str,
    headers: dict[str, str],
    press: str = "",
    before: Callable[[], None] = lambda: None,
) -> Visit | None:
    """Open the Search page from an address, and press a button there; None where the server hangs up.

    Args:
        address: of the server.
        source: address that connects.
        headers: of the handshake.
        press: key of a button.
        before: done while the page is open, before the button is pressed.
    """
    import websockets

    url = address.replace("http", "ws") + "/_stcore/stream"
    try:
        async with websockets.connect(
            url,
            additional_headers=headers,
            local_addr=(source, 0),
            subprotocols=["streamlit"],
            max_size=None,
            proxy=None,
        ) as socket:
            made = Visit(socket)
            await made.run()
            if press:
                before()
                await made.run(press)
            return made
    except (websockets.exceptions.ConnectionClosed, websockets.exceptions.InvalidStatus):
        return None


def test_only_the_proxy_says_who_asks_and_an_open_tab_keeps_no_right(
    behind_a_proxy: tuple[str, Path],
) -> None:
    address, home = behind_a_proxy
    started = "SELECT count(*) FROM runs"

    def go(source: str, headers: dict[str, str], *more: Any) -> Visit | None:
        return asyncio.run(visit(address, source, headers, *more))

    # Whoever is not the proxy is refused, also with what a proxy would add.
    for source, headers in (
        ("127.0.0.2", {"X-Remote-User": "bob"}),
        ("127.0.0.1", {"X-Remote-User": "bob"}),
        ("127.0.0.1", {"X-Remote-User": "bob", "X-Forwarded-For": PROXY}),
        ("127.0.0.1", {"x_remote_user": "bob", "X-Forwarded-For": f"{PROXY}:80"}),
        (PROXY, {"X-Remote-User": "bob", "X-Remote_User": "ann"}),
    ):
        assert go(source, headers) is None, (source, headers)
    nobody = go("127.0.0.2", {})
    assert nobody is not None
    assert "search-start" not in nobody.ids

    assert go(PROXY, {"X-Remote-User": "leo"}, "search-start") is not None
    assert rows(home, started) == [(0,)]

    # A role that is taken away while the page is open.
    def demote() -> None:
        (home / "people.toml").write_text(FILE.replace('"run"', '"look"'))
        time.sleep(1.2)

    assert go(PROXY, {"X-Remote-User": "bob"}, "search-start", demote) is not None
    assert rows(home, started) == [(0,)]
    (home / "people.toml").write_text(FILE)
    time.sleep(1.2)
    assert go(PROXY, {"X-Remote-User": "bob"}, "search-start") is not None
    assert rows(home, started) == [(1,)]
    assert rows(home, "SELECT person FROM owners") == [("bob",)]
