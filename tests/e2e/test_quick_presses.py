"""Who presses twice before the first answer came gets both: the second press says nothing of what the first one changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import CHROMIUM, running_server
from tests.e2e.days import WHAT_IF
from tests.e2e.visitor import Visitor

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]
DRAWN = "() => !!document.querySelector('.st-key-front-chart .main-svg')"
CARD = "() => document.querySelector('.st-key-subnet-card code').innerText"
DELETE, REMOVE, BRING_BACK = ".st-key-bk-delete", ".st-key-bk-remove", ".st-key-bk-undo-delete"
UNDO, ADD, NEIGHBOR = ".st-key-what-if-undo", ".st-key-basket-add", '[class*="st-key-neighbor-"]'


class Line:
    """Between a page and its server: what the server says can be held back."""

    def __init__(self, page: Any) -> None:
        self._holds, self._held = False, []
        page.route_web_socket(re.compile("/_stcore/stream"), self._connect)

    def _connect(self, page_side: Any) -> None:
        self._page_side = page_side
        page_side.connect_to_server().on_message(self._answer)

    def _answer(self, message: Any) -> None:
        if self._holds or self._held:  # what comes while others are passed on comes after them
            self._held.append(message)
        else:
            self._page_side.send(message)

    def hold(self) -> None:
        self._holds = True

    def release(self) -> None:
        self._holds = False
        while self._held:
            self._page_side.send(self._held.pop(0))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with running_server(tmp_path) as address:
        yield address


def arrives(chromium: Any, server: str) -> tuple[Visitor, Line]:
    """Somebody on the Front page."""
    me = Visitor(chromium, server, size="1440", theme="light")
    line = Line(me.page)
    me.arrive("")
    me.until(DRAWN)
    me.still()
    return me, line


def presses_both(chromium: Any, server: str, first: str, second: str) -> tuple[Visitor, str]:
    """Somebody who tries another option of the first choice, then presses two buttons; the answer to the first is late.

    Returns:
        The visitor, and what was picked before.
    """
    me, line = arrives(chromium, server)
    me.choose_another("pick-if-")
    me.until(WHAT_IF)
    me.still()
    before = me.page.evaluate(CARD)
    while_nothing_is_heard(me, line, first, second)
    return me, before


def while_nothing_is_heard(me: Visitor, line: Line, *buttons: str) -> None:
    """Press them one after the other, before the first answer comes."""
    line.hold()
    for button in buttons:
        me.page.locator(f"{button} button:visible").last.click()
        me.page.wait_for_timeout(1500)
    line.release()
    me.page.wait_for_timeout(1500)
    me.still()


def all_is_well(me: Visitor) -> None:
    assert me.page.evaluate(DRAWN)
    assert not me.page.evaluate(WHAT_IF), "what was changed before is back"
    assert me.key("what-if-undo").count() == 0
    assert not me.said
    me.close()


def test_what_is_undone_stays_undone_and_what_is_pressed_next_is_done(chromium: Any, server: str) -> None:
    me, _ = presses_both(chromium, server, UNDO, ADD)
    assert "In the basket" in me.key("basket-add").inner_text()
    all_is_well(me)


def test_what_is_picked_stays_picked_and_unchanged_whatever_is_pressed_next(
    chromium: Any, server: str
) -> None:
    me, before = presses_both(chromium, server, NEIGHBOR, ADD)
    assert me.page.evaluate(CARD) != before, "the pick was taken back"
    assert "In the basket" in me.key("basket-add").inner_text()
    all_is_well(me)


def test_a_chart_that_the_browser_drops_with_the_first_answer_comes_with_the_second(
    chromium: Any, server: str
) -> None:
    """It came before the change that is undone; the second press says that it is still there."""
    me, _ = presses_both(chromium, server, ADD, UNDO)
    assert "In the basket" in me.key("basket-add").inner_text()
    all_is_well(me)


def test_a_basket_that_is_deleted_and_brought_back_by_two_presses_each_is_there(
    chromium: Any, server: str
) -> None:
    me, line = arrives(chromium, server)
    me.press("basket-add")
    me.go("Basket")
    while_nothing_is_heard(me, line, DELETE, REMOVE)
    me.look("deletes a basket, and what was in it")
    while_nothing_is_heard(me, line, BRING_BACK, BRING_BACK)
    me.look("brings it back")
    assert not me.problems
    assert me.key("bk-undo-delete").count() == 0
    assert me.page.locator(".st-key-basket-table tbody tr").count() == 1
    me.close()
