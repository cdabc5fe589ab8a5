"""The main job in a real browser: arrive by a link, click a point, read the card, take the subnet home."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pages.ui.menu import pages
from tests.e2e.browser import CHROMIUM, PATIENCE_MS, POINT, running_server

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    # The server's pipes outlive a failing test; that is not what it is about.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("home")) as address:
        yield address


def wait_for_chart(page: Any) -> None:
    page.wait_for_selector(".st-key-front-chart .scatterlayer path.point", state="attached")
    # A rerun may still be replacing the chart.
    page.wait_for_selector("[data-testid='stStatusWidget']", state="detached")
    page.wait_for_function(
        "() => document.querySelector('[data-testid=\"stApp\"]')?.dataset.testScriptState === 'notRunning'"
    )


def click_point(page: Any, trace: str, index: int) -> str:
    spot = page.evaluate(POINT, [trace, index])
    page.mouse.move(spot["x"], spot["y"])
    page.mouse.click(spot["x"], spot["y"])
    return str(spot["id"])


def no_exception(page: Any) -> None:
    assert page.locator("[data-testid='stException']").count() == 0


def test_a_link_is_the_first_thing_a_fresh_server_sees(page: Any, tmp_path: Path) -> None:
    with running_server(tmp_path) as address:
        page.goto(f"{address}/front?supernet=digits-cnn&x=params&y=accuracy")
        wait_for_chart(page)
        no_exception(page)
        assert page.locator("h1").inner_text() == "Front"
        assert page.locator("text=Page not found").count() == 0
        menu = page.locator("[data-testid='stSidebarNavLink']").all_inner_texts()
        assert [text.split("\n")[-1] for text in menu] == [each.title for each in pages().values()]
        assert "Parameters" in page.locator(".st-key-front-chart .g-xtitle").text_content()


def test_the_front_answers_to_its_name_on_a_server_in_use(page: Any, server: str) -> None:
    page.goto(server)
    wait_for_chart(page)
    page.goto(f"{server}/front?supernet=fashion-cnn&x=params&y=accuracy")
    wait_for_chart(page)
    no_exception(page)
    assert page.locator("text=Page not found").count() == 0
    assert "Parameters" in page.locator(".st-key-front-chart .g-xtitle").text_content()
    assert "fashion-cnn" in page.url


def test_click_read_and_download(page: Any, server: str) -> None:
    page.goto(server)
    wait_for_chart(page)
    card = page.locator(".st-key-subnet-card")
    picked = click_point(page, "front", 6)
    page.wait_for_function(
        "id => document.querySelector('.st-key-subnet-card').innerText.includes(id)", arg=picked
    )
    text = card.inner_text()
    for word in (
        "Validation accuracy",
        "Test accuracy",
        "MACs",
        "Parameters",
        "measured",
        "counted",
        "Neighbors",
    ):
        assert word in text
    page.wait_for_url(f"**sid={picked}**")
    with page.expect_download() as caught:
        page.locator(".st-key-download-bundle button").click()
    data = Path(caught.value.path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        names = {Path(name).name for name in bundle.namelist()}
        assert {"model.safetensors", "model.py", "predict.py", "card.md", "architecture.json"} <= names
        [described] = [n for n in bundle.namelist() if n.endswith("architecture.json")]
        json.loads(bundle.read(described))
    assert picked in caught.value.suggested_filename
    no_exception(page)


@pytest.mark.slow
def test_a_click_keeps_the_zoom_and_moves_the_highlight(page: Any, server: str) -> None:
    page.goto(server)
    wait_for_chart(page)
    page.evaluate(
        "() => { const p = document.querySelector('.st-key-front-chart .js-plotly-plot');"
        " p.dispatchEvent(new Event('mousemove')); }"
    )
    before = page.evaluate(
        "() => document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullLayout?.yaxis.range"
    )
    spot = page.evaluate(POINT, ["front", 5])
    page.mouse.move(spot["x"], spot["y"])
    page.mouse.wheel(0, -240)
    page.wait_for_function(
        "b => document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullLayout?.yaxis.range[0] !== b[0]",
        arg=before,
    )
    page.wait_for_timeout(600)
    zoomed = page.evaluate(
        "() => document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullLayout?.yaxis.range"
    )
    picked = click_point(page, "front", 5)
    page.wait_for_function(
        "id => document.querySelector('.st-key-subnet-card').innerText.includes(id)", arg=picked
    )
    page.wait_for_timeout(400)
    after = page.evaluate(
        "() => document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullLayout?.yaxis.range"
    )
    assert after == pytest.approx(zoomed)
    chosen = page.evaluate(
        "() => document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullData?"
        ".filter(t => t.selectedpoints && t.selectedpoints.length).map(t => t.customdata[t.selectedpoints[0]])"
    )
    assert chosen == [picked]


def test_what_if_shows_a_ghost(page: Any, server: str) -> None:
    page.goto(server)
    wait_for_chart(page)
    chooser = page.locator("[class*='st-key-pick-if-'] [role='combobox']").first
    for _ in range(10):
        # A rerun may replace the chooser just as its list opens; a person would press again.
        chooser.focus()
        page.keyboard.press("ArrowDown")
        try:
            page.wait_for_selector("[role='option'][data-focused='true']", timeout=5_000)
            break
        except sync_api.TimeoutError:
            continue
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullData?.some(t => t.name === 'what-if')"
    )
    no_exception(page)


PLACES = """
window.places = [];
const look = () => {
  const below = document.querySelector('.st-key-front-facts');
  if (below) window.places.push(below.getBoundingClientRect().top);
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


@pytest.mark.slow
def test_what_stands_below_the_chart_does_not_jump_when_it_comes(page: Any, server: str) -> None:
    page.add_init_script(PLACES)
    page.goto(server)
    wait_for_chart(page)
    page.wait_for_timeout(1500)
    places = page.evaluate("window.places")
    assert len(places) > 10
    # Two rows of buttons may become one; the chart's 600 pixels are kept from the beginning.
    assert max(places) - min(places) < 150


@pytest.mark.parametrize(
    "path",
    ["", "similarity", *(pytest.param(p, marks=pytest.mark.long) for p in pages() if p != "similarity")],
)
def test_every_page_opens_by_its_address(page: Any, server: str, path: str) -> None:
    page.goto(f"{server}/{path}")
    page.wait_for_selector("h1")
    page.wait_for_timeout(1500)
    no_exception(page)


def entries(page: Any) -> int:
    return int(page.evaluate("history.length"))


def shows(page: Any, arch_id: str) -> None:
    """Card, address and the chart's highlight agree on a subnet."""
    page.wait_for_function(
        "id => document.querySelector('.st-key-subnet-card code')?.innerText === id"
        " && location.search.includes('sid=' + id)"
        " && (document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullData ?? []).some("
        "   t => (t.selectedpoints || []).some(i => t.customdata[i] === id))",
        arg=arch_id,
    )
    no_exception(page)


def pick(page: Any, index: int) -> str:
    picked = click_point(page, "front", index)
    shows(page, picked)
    wait_for_chart(page)
    return picked


@pytest.mark.slow
def test_back_undoes_a_pick_and_forward_does_it_again(page: Any, server: str) -> None:
    page.goto("about:blank")
    page.goto(server)
    wait_for_chart(page)
    page.wait_for_url("**sid=*")
    assert "replace" not in page.url
    opened, first = entries(page), page.locator(".st-key-subnet-card code").inner_text()
    one, two = pick(page, 4), pick(page, 8)
    assert entries(page) == opened + 2, "a pick is a step of its own"
    page.go_back()
    shows(page, one)
    page.go_back()
    shows(page, first)
    page.go_forward()
    shows(page, one)
    page.go_forward()
    shows(page, two)
    page.go_back()
    shows(page, one)
    # Another way on from here, by a chooser: the axis.
    across = page.locator(".st-key-axis-x [role='combobox']")
    across.click()
    page.get_by_role("option", name="Parameters", exact=True).click()
    page.wait_for_url("**x=params**")
    page.go_back()
    page.wait_for_function(
        "document.querySelector('.st-key-front-chart .g-xtitle')?.textContent.includes('MACs')"
    )
    shows(page, one)
    page.go_back()
    shows(page, first)
    page.go_back()
    assert page.url == "about:blank", "nothing was left to undo"


SECOND = "document.querySelector('.st-key-sim-b input')"


@pytest.mark.long
@pytest.mark.slow
def test_back_undoes_the_choice_of_a_network(page: Any, server: str) -> None:
    def settled() -> None:
        page.wait_for_selector("[data-testid='stStatusWidget']", state="detached")

    def compares_with(title: str) -> None:
        page.wait_for_function(f"title => {SECOND}?.value === title", arg=title)
        settled()
        no_exception(page)

    page.goto("about:blank")
    page.goto(f"{server}/similarity")
    page.wait_for_selector(".st-key-similarity-heatmap .js-plotly-plot .scatterlayer", state="attached")
    page.wait_for_url("**models=*")
    settled()
    opened, before = entries(page), page.evaluate(f"{SECOND}.value")
    page.locator(".st-key-sim-b [role='combobox']").click()
    page.get_by_role("option").first.click()
    page.wait_for_function("address => location.href !== address", arg=page.url)
    settled()
    assert entries(page) == opened + 1
    after = page.evaluate(f"{SECOND}.value")
    page.go_back()
    compares_with(before)
    page.go_forward()
    compares_with(after)
    page.go_back()
    compares_with(before)
    page.go_back()
    assert page.url == "about:blank"


THIRD = ".st-key-third-chart"
MEMBERS = f"""
() => {{
  const plot = document.querySelector('{THIRD} .js-plotly-plot');
  return plot._fullData[2].customdata.map(text => text.split('|'));
}}
"""
MEMBER = f"""
index => {{
  const plot = document.querySelector('{THIRD} .js-plotly-plot');
  const front = plot._fullData[2], layout = plot._fullLayout;
  const box = plot.querySelector('.nsewdrag').getBoundingClientRect();
  return {{
    x: box.left + layout.xaxis.d2p(front.x[index]),
    y: box.top + layout.yaxis.d2p(front.y[index]),
    id: front.customdata[index].split('|')[0],
  }};
}}
"""


def middle(page: Any, selector: str) -> tuple[float, float, float]:
    """(left end, middle, width) of an element across, its middle downwards is not moved."""
    box = page.locator(selector).bounding_box()
    return box["x"], box["y"] + box["height"] / 2, box["width"]


@pytest.mark.slow
def test_the_slider_moves_the_front_while_it_is_dragged_and_a_box_fills_the_basket(
    page: Any, server: str
) -> None:
    page.goto(f"{server}/front?closer=third&third=params")
    wait_for_chart(page)
    page.wait_for_selector(f"{THIRD} .slider-grip-rect", state="attached")
    # Stands still, which a person would wait for as well.
    page.locator(f"{THIRD} .slider-grip-rect").hover()
    whole = page.evaluate(MEMBERS)
    left, up, width = middle(page, f"{THIRD} .slider-grip-rect")
    rail, _, length = middle(page, f"{THIRD} .slider-rail-rect")
    page.mouse.move(left + width / 2, up)
    page.mouse.down()
    page.mouse.move(rail + 0.7 * length, up, steps=4)
    dragged = page.evaluate(MEMBERS)
    page.mouse.move(rail + 0.45 * length, up, steps=4)
    limited = page.evaluate(MEMBERS)
    page.mouse.up()
    assert len(whole) > len(dragged) > len(limited) > 4, "it is not let go of in between"
    assert {number for _, number in limited} != {number for _, number in whole}

    spot = page.evaluate(MEMBER, len(limited) - 2)
    page.mouse.click(spot["x"], spot["y"])
    page.wait_for_url(f"**sid={spot['id']}**third_limit=**")
    assert page.evaluate(MEMBERS) == limited, "a click leaves the slider where it is"

    page.locator(f"{THIRD} .modebar-btn[data-val='select']").dispatch_event("click")
    first, last = page.evaluate(MEMBER, 1), page.evaluate(MEMBER, 4)
    page.mouse.move(first["x"] - 6, first["y"] + 6)
    page.mouse.down()
    page.mouse.move((first["x"] + last["x"]) / 2, (first["y"] + last["y"]) / 2, steps=2)
    page.mouse.move(last["x"] + 6, last["y"] - 6, steps=2)
    page.mouse.up()
    page.wait_for_selector(".st-key-third-selected :text('4 of them on this front')")
    page.locator(".st-key-third-basket-front button").click()
    page.get_by_role("tab", name="Basket", exact=True).click()
    page.wait_for_selector("[data-testid='stTabs'] .ps-basket tbody tr")
    assert page.locator(".ps-basket tbody tr").count() == 4
    for arch_id, _ in limited[1:5]:
        assert page.locator(f".ps-basket :text('{arch_id}')").count()
