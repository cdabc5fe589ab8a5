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
      figure.layout.xaxis ??= {range: [0, 1]};  // as the real one does
      Object.assign(chart, {_fullLayout: {}, _context: figure.config, data: figure.data, layout: figure.layout});
      chart.heard ??= [];
      chart.on = (name, listener) => chart.heard.push([name, listener]);
      chart.removeListener = (name, listener) => { chart.heard = chart.heard.filter(each => each[1] !== listener); };
      chart.removeAllListeners = () => { chart.heard = []; };
      return chart;
    },
    purge: chart => { purged.push(chart); delete chart._fullLayout; },
  };
  // As Streamlit does it: an element leaves, another comes, is asked for hidden, then as it is seen, its title bold once more,
  // and then what the chart library made of it.
  window.come = async (key, {
    data = [{type: 'scattergl'}], layout = {}, frames = null, width = 500, measured = width, added = {}, click = () => {},
  } = {}) => {
    const place = document.createElement('div');
    place.className = `stPlotlyChart st-key-${key}`;
    place.style.cssText = `width: ${width}px; height: 300px`;
    const chart = place.appendChild(document.createElement('div'));
    chart.id = `chart-${document.querySelectorAll('[id^=chart-]').length}`;
    document.body.append(place);
    const figure = {data, layout, frames, config: {modeBarButtonsToAdd: [{name: 'Fullscreen', click}]}};
    const bold = layout.title && {title: {text: `<b>${layout.title.text}</b>`}};
    await Plotly.react(chart, figure);
    await Plotly.react(chart, {...figure, layout: {...layout, ...bold, ...added, width: measured, height: 300}});
    await Plotly.react(chart, {...figure, data: chart.data, layout: chart.layout});
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
WATCH = """(() => {
  // The script notes what it drew on the element that it drew into.
  window.drawings = [];
  Object.defineProperty(HTMLElement.prototype, 'drawn', {
    get() { return this.noted; },
    set(what) {
      drawings.push([...this.closest('[class*="st-key-"]').classList].find(c => c.startsWith('st-key-')).slice(7));
      this.noted = what;
    },
  });
})()"""
CONTEXTS = """
window.contexts = 0;
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  if (kind !== '2d') window.contexts += 1;
  return get.call(this, kind, ...more);
};
"""
ZOOM = """() => {
  const drawing = document.querySelector('.st-key-front-chart .js-plotly-plot');
  const [from, to] = drawing._fullLayout.yaxis.range;
  return Plotly.relayout(drawing, {'yaxis.range': [from, (from + to) / 2]});
}"""
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


def test_a_chart_whose_place_is_hidden_is_not_drawn_but_has_its_place_and_its_listeners(page: Any) -> None:
    page.evaluate("() => { document.getElementById('a').parentElement.style.display = 'none'; }")
    page.evaluate(FIRST, "a")
    assert page.evaluate("asked") == []
    page.evaluate("() => { document.getElementById('a').parentElement.style.display = ''; }")
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
    assert len(page.evaluate("asked")) == 2, "what is drawn is drawn anew when another figure is asked for"


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


@pytest.mark.parametrize("come", ["for the first time", "in another's place"])
@pytest.mark.parametrize(("measured", "times"), [(500, 1), (400, 2)])
def test_it_is_drawn_as_its_place_is_while_streamlit_still_measures(
    page: Any, come: str, measured: int, times: int
) -> None:
    """Once, where that was right, although Streamlit asks three times."""
    found = page.evaluate(
        """async ([isFirst, measured]) => {
          if (!isFirst) leave(await come('front'));
          asked.length = 0;
          const what = {data: [{type: 'scattergl', y: [1]}], layout: {title: {text: '<b>new</b>'}}};
          const {firstChild: drawing} = await come('front', {...what, measured});
          return [asked.map(each => each[1]), drawing.layout.title.text, drawing.data[0].y, drawing.style.visibility];
        }""",
        [come == "for the first time", measured],
    )
    (widths, title, *rest) = found
    # The first is left out where the second came before its turn.
    assert widths in ([500, measured][:times], [measured])
    assert title.replace("<b>", "").replace("</b>", "") == "new"
    assert rest == [[1], "visible"]


@pytest.mark.parametrize(
    ("touched", "other", "times"),
    [
        ("", "{}", 0),
        ("drawing.layout.xaxis.range[1] = 0.5", "{}", 1),
        ("drawing.data[0].selectedpoints = [0]", "{}", 1),
        ("drawing.data[0].visible = 'legendonly'", "{}", 1),
        ("", "{data: [{type: 'scattergl', y: [2]}]}", 1),
        ("", "{layout: {title: {text: 'other'}}}", 1),
        ("", "{width: 400}", 1),
    ],
)
def test_who_comes_back_to_the_same_chart_finds_it_drawn(
    page: Any, touched: str, other: str, times: int
) -> None:
    """Unless somebody zoomed in it, selected something or hid a trace, or something else is to be drawn."""
    found = page.evaluate(f"""async () => {{
      const pressed = [];
      const first = await come('front', {{click: () => pressed.push('first')}});
      const drawing = first.firstChild;
      {touched};
      leave(first);
      asked.length = 0;
      const second = await come('front', {{click: () => pressed.push('second'), ...{other}}});
      second.on('plotly_click', () => {{}});
      drawing._context.modeBarButtonsToAdd[0].click();
      return {{
        times: asked.length, same: second.firstChild === drawing, heard: drawing.heard.length, pressed,
        seen: drawing.style.visibility, kept: second.style.minHeight,
      }};
    }}""")
    assert found == {
        "times": times,
        "same": True,
        "heard": 1,
        "pressed": ["second"],
        "seen": "visible",
        "kept": "",
    }


def test_what_streamlit_adds_for_clicks_is_known_from_the_first_time(page: Any) -> None:
    found = page.evaluate("""async () => {
      const times = [];
      for (let turn = 0; turn < 2; turn++) {
        asked.length = 0;
        leave(await come('front', {added: {clickmode: 'event'}}));
        times.push(asked.length);
      }
      return times;
    }""")
    assert found == [2, 0]


def test_a_chart_that_could_not_be_drawn_while_hidden_is_drawn_when_it_is_seen(page: Any) -> None:
    found = page.evaluate("""async () => {
      const chart = document.getElementById('a');
      const place = chart.parentElement;
      place.style.cssText = 'width: 500px; height: 300px';
      Plotly.react(chart, {data: [], layout: {}});
      place.remove();
      await new Promise(done => setTimeout(done, 50));
      document.body.append(place);
      await Plotly.react(chart, {data: [], layout: {width: 500, height: 300}});
      return asked.map(each => each.slice(0, 2));
    }""")
    assert found == [["a", 500]]


def test_who_wants_the_old_figure_back_before_another_is_drawn_gets_it(page: Any) -> None:
    found = page.evaluate("""async () => {
      const chart = document.getElementById('a');
      const first = {data: [], layout: {width: 500}};
      await Plotly.react(chart, first);
      Plotly.react(chart, {data: [], layout: {width: 400}});
      await Plotly.react(chart, {data: chart.firstChild.data, layout: chart.firstChild.layout});
      return chart.firstChild.layout.width;
    }""")
    assert found == 500


def test_of_what_waits_for_its_turn_only_the_newest_is_drawn(page: Any) -> None:
    found = page.evaluate("""async () => {
      const [first, second] = ['a', 'b'].map(id => document.getElementById(id));
      for (const chart of [first, second]) chart.parentElement.style.cssText = 'width: 500px; height: 300px';
      const drawn = [Plotly.react(first, {data: [], layout: {width: 500}})];
      for (const width of [undefined, 400, 300]) drawn.push(Plotly.react(second, {data: [], layout: {width}}));
      await Promise.all(drawn);
      return asked.map(each => each.slice(0, 2));
    }""")
    assert found == [["a", 500], ["b", 300]]


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


@pytest.mark.parametrize("again", [False, True])
def test_a_chart_gets_its_drawing_back_from_one_that_leaves_before_it(page: Any, again: bool) -> None:
    """Or from one that had lost it itself and was asked for again: whoever stays is drawn, as it was, and is heard."""
    found = page.evaluate(
        """async again => {
          const what = y => ({data: [{type: 'scattergl', y: [y]}]});
          const first = await come('front', what(1));
          first.on('plotly_click', () => {});
          const second = await come('front', what(2));
          second.on('plotly_click', () => {});
          const [gone, stays] = again ? [first, second] : [second, first];
          if (again) await Plotly.react(first, {...what(1), layout: {width: 500, height: 300}});
          leave(gone);
          await new Promise(done => setTimeout(done, 300));
          const {firstChild: drawing} = stays;
          return [!!drawing?._fullLayout, drawing?.data[0].y, drawing?.heard.length, drawing?.style.visibility, stays.data[0].y];
        }""",
        again,
    )
    shown = [2 if again else 1]
    assert found == [True, shown, 1, "visible", shown]


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
      for (let key = 0; key < 14; key++) {
        const chart = await come(`chart${key}`);
        drawings.push(chart.firstChild);
        leave(chart);
      }
      const other = await come('other');
      return [drawings.includes(other.firstChild), purged.map(drawing => drawings.indexOf(drawing))];
    }""")
    assert found == [False, [0, 1]]


def test_fewer_are_kept_of_those_that_need_the_graphics_card(page: Any) -> None:
    found = page.evaluate("""async () => {
      const drawings = [];
      for (let key = 0; key < 6; key++) {
        const chart = await come(`chart${key}`);
        drawings.push(chart.firstChild);
        if (key % 5) drawings[key].append(Object.assign(document.createElement('canvas'), {className: 'gl-canvas'}));
        leave(chart);
      }
      return purged.map(drawing => drawings.indexOf(drawing));
    }""")
    assert found == [1]


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
        me.page.add_init_script(WATCH)
        me.arrive("")
        me.until("() => !!document.querySelector('.st-key-front-chart .main-svg')")
        me.still()
        assert dict(me.page.evaluate(DRAWINGS))["front-chart"] == "never"
        at_first = picture(me)
        me.page.evaluate("() => { drawings.length = 0; }")
        me.go("Similarity")
        me.until("() => window.drawings.length >= 3")
        me.still()
        assert me.page.evaluate("drawings") == ["similarity-heatmap", "unit-matrix", "unit-line"]
        redrawn = me.page.evaluate(DRAWINGS)
        assert {how for _, how in redrawn} == {"never"}, redrawn
        # Who comes back finds it drawn, unless it was zoomed.
        me.go("Front")
        assert (picture(me) == at_first).all()
        assert len(me.page.evaluate("drawings")) == 3
        me.page.evaluate(ZOOM)
        assert (picture(me) != at_first).mean() > 0.01
        me.page.evaluate("() => { drawings.length = 0; }")
        me.go("Similarity")
        me.until("() => !!document.querySelector('.st-key-unit-line .main-svg')")
        me.go("Front")
        assert (picture(me) == at_first).all()
        assert me.page.evaluate("drawings") == ["front-chart"]
        # A click is heard, although the page listened before the chart was there.
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
