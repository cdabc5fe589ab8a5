"""A chart is drawn once: not while it is hidden, not again for its labels, and what is read first is seen first.

One that takes another's place goes on with its drawing, and looks as if it were drawn anew.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.browser import CHROMIUM, ROOT, running_server
from tests.e2e.visitor import Visitor

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]
SITE = "http://charts.test/"
SCRIPT = (ROOT / "assets" / "look" / "charts.js").read_text(encoding="utf-8")
PAGE = (
    '<html><head><script src="charts.js"></script></head><body>'
    '<div class="stPlotlyChart"><div id="a"></div></div><div class="stPlotlyChart"><div id="b"></div></div>'
    '<div id="other"></div></body></html>'
)
# What the chart library is, as far as this is about it: it tells what it was asked to draw, when, and has listeners then.
LIBRARY = """() => {
  window.asked = [];
  window.purged = [];
  let frame = 0;
  const tick = () => { frame += 1; requestAnimationFrame(tick); };
  tick();
  window.Plotly = {
    react: async (chart, figure) => {
      asked.push([chart.parentElement.id || chart.id, figure.layout.width ?? null, frame]);
      if (chart._fullLayout && figure.layout.breaks) throw new Error('cannot go on');
      Object.assign(chart, {_fullLayout: {}, _context: figure.config, data: figure.data, layout: figure.layout});
      chart.heard ??= [];
      chart.on = (name, listener) => chart.heard.push([name, listener]);
      chart.removeListener = (name, listener) => { chart.heard = chart.heard.filter(each => each[1] !== listener); };
      chart.removeAllListeners = () => { chart.heard = []; };
      return chart;
    },
    purge: chart => { purged.push(chart); delete chart._fullLayout; },
  };
  // As Streamlit does it: an element leaves, another comes, is asked for hidden, and then as it is seen.
  window.come = async (key, {data = [{type: 'scattergl'}], layout = {}, frames = null, width = 500, click = () => {}} = {}) => {
    const place = document.createElement('div');
    place.className = `stPlotlyChart st-key-${key}`;
    const chart = place.appendChild(document.createElement('div'));
    chart.id = `chart-${document.querySelectorAll('[id^=chart-]').length}`;
    document.body.append(place);
    const figure = {data, layout, frames, config: {modeBarButtonsToAdd: [{name: 'Fullscreen', click}]}};
    await Plotly.react(chart, figure);
    await Plotly.react(chart, {...figure, layout: {...layout, width}});
    return chart;
  };
  window.leave = chart => { chart.parentElement.remove(); Plotly.purge(chart); };
}"""
FIRST = "async id => { await Plotly.react(document.getElementById(id), {data: [], layout: {height: 321}}); }"
SEEN = "async ids => { await Promise.all(ids.map(id => Plotly.react(document.getElementById(id), {data: [], layout: {width: 500}}))); }"
DRAWINGS = """() => [...document.querySelectorAll('.stPlotlyChart .js-plotly-plot')].map(chart => [
  [...chart.closest('[class*="st-key-"]').classList].find(c => c.startsWith('st-key-')).slice(7),
  chart._fullLayout?._redrawFromAutoMarginCount ?? 'never',
])"""
WATCH = """() => {
  const react = Plotly.react;
  const before = new WeakSet();
  window.drawings = [];
  Plotly.react = async (chart, figure) => {
    const key = [...chart.closest('[class*="st-key-"]').classList].find(c => c.startsWith('st-key-')).slice(7);
    await react(chart, figure);
    if (figure.layout.width === undefined) return;
    drawings.push([key, before.has(chart) ? 'again' : 'first']);
    before.add(chart);
  };
}"""
CONTEXTS = """
window.contexts = 0;
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  if (kind !== '2d') window.contexts += 1;
  return get.call(this, kind, ...more);
};
"""
TITLE = "title => document.querySelector('.st-key-front-chart .g-xtitle')?.textContent.includes(title)"


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    page = chromium.new_page()
    page.route(
        f"{SITE}**",
        lambda route: route.fulfill(
            body=SCRIPT if route.request.url.endswith(".js") else PAGE,
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
    heard = (
        "document.getElementById('a').firstChild.heard.map(([name, listener]) => [name, listener === kept])"
    )
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
      window.Plotly = {react: chart => { asked.push([chart.parentElement.id]); return new Promise(() => {}); }};
    }""")
    page.evaluate(
        "() => { for (const id of ['a', 'b']) Plotly.react(document.getElementById(id), {data: [], layout: {width: 500}}); }"
    )
    page.wait_for_function("() => asked.length === 2", timeout=10_000)


def test_what_is_no_chart_of_the_page_is_left_alone(page: Any) -> None:
    page.evaluate(FIRST, "other")
    assert [each[0] for each in page.evaluate("asked")] == ["other"]


def test_who_takes_a_charts_place_goes_on_with_its_drawing(page: Any) -> None:
    found = page.evaluate("""async () => {
      const pressed = [];
      const first = await come('front', {click: () => pressed.push('first')});
      first.on('plotly_click', () => {});
      const drawing = first.firstChild;
      const [button] = drawing._context.modeBarButtonsToAdd;
      leave(first);
      const second = await come('front', {click: () => pressed.push('second')});
      const now = drawing._context.modeBarButtonsToAdd[0];
      now.click();
      return {
        same: second.firstChild === drawing, heard: drawing.heard.length, button: button.click === now.click, pressed,
        purged: purged.length, told: second.data === drawing.data,
      };
    }""")
    assert found == {
        "same": True,
        "heard": 0,
        "button": True,
        "pressed": ["second"],
        "purged": 0,
        "told": True,
    }


@pytest.mark.parametrize(("width", "times"), [(500, 1), (400, 2)])
def test_it_is_drawn_as_wide_as_before_while_streamlit_still_measures(
    page: Any, width: int, times: int
) -> None:
    """Once, where that was right."""
    found = page.evaluate(
        """async width => {
          const first = await come('front');
          leave(first);
          asked.length = 0;
          const second = await come('front', {width, data: [{type: 'scattergl', y: [1]}], layout: {title: 'new'}});
          const drawing = second.firstChild;
          return [asked.map(each => each[1]), drawing.layout.title, drawing.data[0].y, drawing.style.visibility];
        }""",
        width,
    )
    assert found == [[500, width][:times], "new", [1], ""]


def test_it_does_so_when_the_old_one_has_not_left_yet(page: Any) -> None:
    found = page.evaluate("""async () => {
      const first = await come('front');
      const drawing = first.firstChild;
      const second = await come('front');
      second.on('plotly_click', () => {});
      first.removeListener('plotly_click', () => {});
      leave(first);
      return [second.firstChild === drawing, !!drawing._fullLayout, drawing.heard.length, drawing.isConnected];
    }""")
    assert found == [True, True, 1, True]


@pytest.mark.parametrize(
    "other",
    [
        "{data: [{type: 'heatmap'}]}",
        "{frames: [{name: '1'}]}",
        "{data: [{type: 'scattergl'}, {type: 'scatter3d'}]}",
    ],
)
def test_another_kind_of_chart_is_drawn_anew(page: Any, other: str) -> None:
    found = page.evaluate(f"""async () => {{
      const first = await come('front');
      const drawing = first.firstChild;
      leave(first);
      const second = await come('front', {other});
      return second.firstChild === drawing;
    }}""")
    assert found is False


def test_charts_of_other_keys_are_not_mixed_up_and_few_drawings_are_kept(page: Any) -> None:
    found = page.evaluate("""async () => {
      const drawings = [];
      for (let key = 0; key < 8; key++) {
        const chart = await come(`chart${key}`);
        drawings.push(chart.firstChild);
        leave(chart);
      }
      const other = await come('other');
      return [drawings.includes(other.firstChild), purged.map(drawing => drawings.indexOf(drawing))];
    }""")
    assert found == [False, [0, 1]]


def test_a_drawing_that_cannot_go_on_begins_anew(page: Any) -> None:
    found = page.evaluate("""async () => {
      const first = await come('front');
      const drawing = first.firstChild;
      leave(first);
      const second = await come('front', {layout: {breaks: true}});
      return [second.firstChild === drawing, !!second.firstChild._fullLayout, second.children.length, purged[0] === drawing];
    }""")
    assert found == [False, True, 1, True]


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


def test_the_fronts_other_axis_is_drawn_into_the_same_canvas_and_looks_as_if_it_were_new(
    chromium: Any, tmp_path: Path
) -> None:
    with running_server(tmp_path) as address:
        me = Visitor(chromium, address, size="1440", theme="light")
        me.page.add_init_script(CONTEXTS)
        me.arrive("")
        me.until("() => !!document.querySelector('.st-key-front-chart .main-svg')")
        me.still()
        before = me.page.evaluate("contexts")
        assert before > 0, "the cloud is drawn with WebGL"
        me.click_point("front", 3)
        me.still()
        for wanted in ("Parameters", "MACs", "Parameters"):
            me.open_chooser("axis-x")
            me.page.get_by_role("option").filter(has_text=wanted).first.click()
            me.until(TITLE, arg=wanted)
            me.still()
        assert me.page.evaluate("contexts") == before
        gone_on = picture(me)
        me.page.reload()
        me.until(TITLE, arg="Parameters")
        me.still()
        anew = picture(me)
        # The selected subnet alone is some 0.05 % of them.
        assert (gone_on != anew).mean() < 0.0002, "share of the pixels that differ"
        me.close()


def picture(me: Visitor) -> Any:
    """Pixels of the front's chart once it tells how sure its steps are, the pointer elsewhere."""
    me.page.mouse.move(5, 5)
    me.until(
        "() => document.querySelector('.st-key-front-chart .js-plotly-plot')?.data?.some(trace => trace.name === 'sure steps')"
    )
    me.still()
    me.page.wait_for_timeout(500)
    content = me.page.locator(".st-key-front-chart").screenshot()
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).max(axis=2) // 8
