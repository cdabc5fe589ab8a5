"""Who presses twice before the first answer came gets both: the second press says nothing of what the first one changed."""

from __future__ import annotations

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
PRESS = """buttons => {
  for (const selector of buttons) [...document.querySelectorAll(`${selector} button`)].findLast(each => each.checkVisibility()).click();
}"""
UNDO, ADD, NEIGHBOR = ".st-key-what-if-undo", ".st-key-basket-add", '[class*="st-key-neighbor-"]'


@pytest.fixture
def me(chromium: Any, tmp_path: Path) -> Iterator[Visitor]:
    """Somebody who tries another option of the first choice."""
    with running_server(tmp_path) as address:
        me = Visitor(chromium, address, size="1440", theme="light")
        me.arrive("")
        me.until(DRAWN)
        me.still()
        me.choose_another("pick-if-")
        me.until(WHAT_IF)
        me.still()
        me.page.wait_for_timeout(500)
        yield me
        assert not me.said
        me.close()


def settled(me: Visitor, holds: str) -> None:
    """Both answers came; nothing follows that takes one back, and the chart is there."""
    me.until(holds)
    me.page.wait_for_timeout(1500)
    me.still()
    assert me.page.evaluate(DRAWN)
    assert not me.page.evaluate(WHAT_IF), "what was undone is back"


def test_what_is_undone_stays_undone_and_what_is_pressed_next_is_done(me: Visitor) -> None:
    me.page.evaluate(PRESS, [UNDO, ADD])
    settled(me, f"() => document.querySelector('{ADD}').innerText.includes('In the basket')")
    assert me.key("what-if-undo").count() == 0


def test_the_choosers_of_the_subnet_before_do_not_change_the_one_that_was_picked(me: Visitor) -> None:
    before = me.page.locator(".st-key-subnet-card code").inner_text()
    me.page.evaluate(PRESS, [NEIGHBOR, ADD])
    settled(me, f"() => document.querySelector('.st-key-subnet-card code').innerText !== '{before}'")
    assert me.key("what-if-undo").count() == 0
