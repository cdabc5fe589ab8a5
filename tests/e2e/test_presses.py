"""A press on a chart takes what is under it: at once after a movement, held for long or not, by mouse or finger.

And a finger that swipes over a chart moves the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import CHROMIUM, POINT, running_server
from tests.e2e.visitor import Visitor

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]
CHART = "() => !!document.querySelector('.st-key-front-chart .main-svg')"
TAKEN = "id => document.querySelector('.st-key-subnet-card code')?.innerText === id"
DOTS = """() => {
  const {_fullData: data} = document.querySelector('.st-key-front-chart .js-plotly-plot');
  return data.find(trace => trace.name === 'front').x.length;
}"""
RANGE = "document.querySelector('.st-key-front-chart .js-plotly-plot')._fullLayout.yaxis.range.map(v => Math.round(1000 * v))"
SCROLLED = "document.querySelector('[data-testid=\"stMain\"]').scrollTop"
HIGHLIGHTED = """() => document.querySelector('.st-key-front-chart .js-plotly-plot')._fullData.flatMap(
  trace => (trace.selectedpoints ?? []).map(index => trace.customdata[index]))"""
CORNER = """() => {
  const {right, bottom} = document.querySelector('.st-key-front-chart .nsewdrag').getBoundingClientRect();
  return [right - 24, bottom];
}"""
PLACE = """key => {
  const {left, top, width, height} = document.querySelector(`.st-key-${key} .nsewdrag`).getBoundingClientRect();
  return [left + width / 2, top + height / 2];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("home")) as address:
        yield address


def visitor(chromium: Any, server: str, size: str) -> Visitor:
    me = Visitor(chromium, server, size=size, theme="light")
    me.arrive("")
    me.until(CHART)
    me.still()
    me.key("front-chart").scroll_into_view_if_needed()
    me.page.wait_for_timeout(300)
    return me


@pytest.mark.parametrize("held_ms", [0, 120])
def test_what_is_pressed_right_after_a_movement_is_taken(chromium: Any, server: str, held_ms: int) -> None:
    me = visitor(chromium, server, "1440")
    mouse = me.page.mouse
    for index in range(5, 9):
        before, spot = (me.page.evaluate(POINT, ["front", at]) for at in (2, index))
        mouse.move(before["x"], before["y"])
        me.page.wait_for_timeout(200)
        # The second movement comes before the chart library looks again.
        mouse.move(spot["x"], spot["y"], steps=2)
        mouse.down()
        me.page.wait_for_timeout(held_ms)
        mouse.up()
        me.until(TAKEN, arg=spot["id"])
        me.still()
    assert not me.said
    me.close()


def stays_taken(me: Visitor, arch_id: str) -> None:
    """Card and highlight come to a subnet, and nothing takes it back."""
    me.until(TAKEN, arg=arch_id)
    me.page.wait_for_timeout(1000)
    me.still()
    assert me.page.evaluate(TAKEN, arch_id)
    assert me.page.evaluate(HIGHLIGHTED) == [arch_id]
    me.close()


def test_two_dots_pressed_soon_after_each_other_are_two_picks(chromium: Any, server: str) -> None:
    me = visitor(chromium, server, "1440")
    one, two = (me.page.evaluate(POINT, ["front", index]) for index in (4, 9))
    for spot in (one, two):
        me.page.mouse.click(spot["x"], spot["y"])
    stays_taken(me, two["id"])


def test_a_double_click_on_a_dot_takes_it(chromium: Any, server: str) -> None:
    me = visitor(chromium, server, "1440")
    spot = me.page.evaluate(POINT, ["front", 9])
    me.page.mouse.dblclick(spot["x"], spot["y"])
    stays_taken(me, spot["id"])


def test_a_double_click_beside_the_dots_still_zooms_out(chromium: Any, server: str) -> None:
    me = visitor(chromium, server, "1440")
    before = me.page.evaluate(RANGE)
    me.page.mouse.move(*me.page.evaluate(PLACE, "front-chart"))
    me.page.mouse.wheel(0, -300)
    me.until(f"before => {RANGE}.join() !== before.join()", arg=before)
    me.page.wait_for_timeout(500)
    left, bottom = me.page.evaluate(CORNER)
    me.page.mouse.dblclick(left + 12, bottom - 12)
    me.until(f"before => {RANGE}.join() === before.join()", arg=before)
    me.close()


def test_a_drag_still_moves_the_chart_and_takes_nothing(chromium: Any, server: str) -> None:
    me = visitor(chromium, server, "1440")
    taken = me.page.evaluate("document.querySelector('.st-key-subnet-card code').innerText")
    spot = me.page.evaluate(POINT, ["front", 5])
    before = me.page.evaluate(RANGE)
    me.page.mouse.move(spot["x"], spot["y"])
    me.page.mouse.down()
    me.page.mouse.move(spot["x"] + 30, spot["y"] + 60, steps=5)
    me.page.mouse.up()
    me.page.wait_for_timeout(800)
    me.still()
    assert me.page.evaluate(RANGE) != before
    assert me.page.evaluate(TAKEN, taken)
    me.close()


def test_every_tap_takes_what_it_is_on(chromium: Any, server: str) -> None:
    me = visitor(chromium, server, "390")
    for index in (5, 8, 3, me.page.evaluate(DOTS) - 2):
        spot = me.page.evaluate(POINT, ["front", index])
        me.page.touchscreen.tap(spot["x"], spot["y"])
        me.until(TAKEN, arg=spot["id"])
        me.still()
    assert not me.said
    me.close()


def swipe(me: Visitor, key: str, up: int) -> None:
    """A finger from the middle of a chart upwards."""
    x, y = me.page.evaluate(PLACE, key)
    touch = me.page.context.new_cdp_session(me.page)
    steps = [{"x": x, "y": y - up * step / 10} for step in range(11)]
    for kind, points in [
        ("touchStart", steps[:1]),
        *[("touchMove", [at]) for at in steps[1:]],
        ("touchEnd", []),
    ]:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        me.page.wait_for_timeout(16)
    me.page.wait_for_timeout(800)


def test_a_swipe_over_a_chart_moves_the_page_until_the_chart_is_zoomed(chromium: Any, server: str) -> None:
    me = visitor(chromium, server, "390")

    def after_swipe(up: int) -> tuple[bool, bool]:
        scrolled, seen = me.page.evaluate(SCROLLED), me.page.evaluate(RANGE)
        swipe(me, "front-chart", up)
        return me.page.evaluate(SCROLLED) != scrolled, me.page.evaluate(RANGE) != seen

    def press(button: str) -> None:
        me.page.locator(f".st-key-front-chart .modebar-btn[data-val='{button}']").dispatch_event("click")
        me.page.wait_for_timeout(500)

    assert after_swipe(150) == (True, False)
    press("in")
    assert after_swipe(-80) == (False, True)
    press("reset")
    assert after_swipe(-80) == (True, False)
    me.key("front-chart").locator(".modebar-btn").last.dispatch_event("click")
    me.page.wait_for_timeout(1000)
    assert after_swipe(80) == (False, True), "nothing else moves where the chart fills the screen"
    assert not me.said
    me.close()
