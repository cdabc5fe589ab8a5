"""A chart is drawn once: not while it is hidden, not again for its labels, and what is read first is seen first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import CHROMIUM, ROOT, running_server
from tests.e2e.visitor import Visitor

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]
SITE = "http://charts.test/"
LOOK = (ROOT / "assets" / "look" / "look.js").read_text(encoding="utf-8")
PAGE = (
    '<html><head><script src="look.js" data-later="later.js"></script></head><body>'
    '<div class="stPlotlyChart"><div id="a"></div></div><div class="stPlotlyChart"><div id="b"></div></div>'
    '<div id="other"></div></body></html>'
)
# What the chart library is, as far as this is about it: it tells what it was asked to draw, when, and has listeners then.
LIBRARY = """() => {
  window.asked = [];
  let frame = 0;
  const tick = () => { frame += 1; requestAnimationFrame(tick); };
  tick();
  window.Plotly = {react: async (chart, figure) => {
    asked.push([chart.id, figure.layout.width ?? null, frame]);
    chart._fullLayout = {};
    chart.heard = [];
    chart.on = (name, listener) => chart.heard.push([name, listener]);
    return chart;
  }};
}"""
FIRST = "async id => { await Plotly.react(document.getElementById(id), {data: [], layout: {height: 321}}); }"
SEEN = "async ids => { await Promise.all(ids.map(id => Plotly.react(document.getElementById(id), {data: [], layout: {width: 500}}))); }"
DRAWINGS = """() => [...document.querySelectorAll('.stPlotlyChart .js-plotly-plot')].map(chart => [
  [...chart.closest('[class*="st-key-"]').classList].find(c => c.startsWith('st-key-')).slice(7),
  chart._fullLayout?._redrawFromAutoMarginCount ?? 'never',
])"""
WATCH = """() => {
  const react = Plotly.react;
  window.drawings = [];
  Plotly.react = async (chart, figure) => {
    const key = [...chart.closest('[class*="st-key-"]').classList].find(c => c.startsWith('st-key-')).slice(7);
    const before = !!chart._fullLayout;
    await react(chart, figure);
    if (chart._fullLayout) drawings.push([key, before ? 'again' : 'first']);
  };
}"""


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    page = chromium.new_page()
    page.route(
        f"{SITE}**",
        lambda route: route.fulfill(
            body=LOOK if route.request.url.endswith(".js") else PAGE,
            content_type="text/javascript" if route.request.url.endswith(".js") else "text/html",
        ),
    )
    page.goto(SITE)
    page.evaluate(LIBRARY)
    yield page
    page.close()


def test_a_hidden_chart_is_not_drawn_but_has_its_place_and_its_listeners(page: Any) -> None:
    page.evaluate(FIRST, "a")
    assert page.evaluate("asked") == []
    assert page.evaluate("document.getElementById('a').offsetHeight") == 321
    page.evaluate("""() => {
      const chart = document.getElementById('a');
      window.kept = () => 1; window.gone = () => 2;
      chart.on('plotly_click', kept); chart.on('plotly_selected', gone); chart.removeListener('plotly_selected', gone);
    }""")
    page.evaluate(SEEN, ["a"])
    assert [each[:2] for each in page.evaluate("asked")] == [["a", 500]]
    assert page.evaluate("document.getElementById('a').style.minHeight") == ""
    heard = "document.getElementById('a').heard.map(([name, listener]) => [name, listener === kept])"
    assert page.evaluate(heard) == [["plotly_click", True]]
    page.evaluate(SEEN, ["a"])
    assert len(page.evaluate("asked")) == 2, "what is drawn is drawn anew when somebody asks for it"


def test_a_chart_is_seen_before_the_next_is_drawn(page: Any) -> None:
    page.evaluate(SEEN, ["a", "b"])
    (first, _, at), (second, _, later) = page.evaluate("asked")
    assert (first, second) == ("a", "b")
    assert later > at


def test_a_chart_that_left_meanwhile_is_not_drawn_and_stops_nobody(page: Any) -> None:
    page.evaluate(f"() => {{ window.both = ({SEEN})(['a', 'b']); document.getElementById('b').remove(); }}")
    page.evaluate("() => both")
    assert [each[0] for each in page.evaluate("asked")] == ["a"]


def test_a_chart_that_is_never_done_stops_nobody(page: Any) -> None:
    page.evaluate("""() => {
      const asked = window.asked;
      window.Plotly = {react: (chart, figure) => { asked.push([chart.id]); return new Promise(() => {}); }};
    }""")
    page.evaluate(
        "() => { for (const id of ['a', 'b']) Plotly.react(document.getElementById(id), {data: [], layout: {width: 500}}); }"
    )
    page.wait_for_function("() => asked.length === 2", timeout=10_000)


def test_what_is_no_chart_of_the_page_is_left_alone(page: Any) -> None:
    page.evaluate(FIRST, "other")
    assert [each[0] for each in page.evaluate("asked")] == ["other"]


def test_the_pages_charts_are_drawn_once(chromium: Any, tmp_path: Path) -> None:
    with running_server(tmp_path) as address:
        me = Visitor(chromium, address, size="1440", theme="light")
        me.arrive("")
        me.until("() => !!document.querySelector('.st-key-front-chart .main-svg')")
        me.still()
        assert dict(me.page.evaluate(DRAWINGS))["front-chart"] == "never"
        me.page.evaluate(WATCH)
        me.go("Similarity")
        me.until("() => window.drawings.length >= 3")
        me.still()
        assert me.page.evaluate("drawings") == [
            ["similarity-heatmap", "first"],
            ["unit-matrix", "first"],
            ["unit-line", "first"],
        ]
        redrawn = me.page.evaluate(DRAWINGS)
        assert {how for _, how in redrawn} == {"never"}, redrawn
        # A click is heard, although the page listened before the chart was there.
        me.go("Front")
        me.still()
        before = me.page.evaluate("document.querySelector('.st-key-subnet-card code').innerText")
        picked = me.click_point("front", 3)
        me.until("id => document.querySelector('.st-key-subnet-card code').innerText === id", arg=picked)
        assert picked != before
        assert not me.said
        me.close()
