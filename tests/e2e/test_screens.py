"""Every page as eyes, fingers and screen readers meet it: wide and on a phone, light and dark, one browser, one visit each.

A home that holds runs of all kinds, so that no page is empty. What a page shows is looked at by `screens.js` and by
axe-core, which npm brings (`make setup-dev`); without npm its test is skipped. Nothing waits a fixed time where it can ask.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.first_load import SHIFTS
from core.library import kept_tables
from core.library.foreign_tables.decoding import decoded
from core.library.table_guessing import guessed
from core.store import RunStore
from pages.ui.menu import pages
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server
from tests.helpers.foreign_tables import ROWS, as_csv

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]
FOLDER = Path(__file__).resolve().parent
HOME = FOLDER.parent / "migration" / "home_0_1" / "home.tar.xz"
AXE = FOLDER / "axe" / "node_modules" / "axe-core" / "axe.min.js"
LOOK = (FOLDER / "screens.js").read_text(encoding="utf-8")
PRUNED = "subnet%3A71fac58e90ef4ea59a58c5210a3ff320%3A11111111"
# Pages that show more where a link says what.
ASKED = {
    "pruning": f"?parent={PRUNED}",
    "table": "?closer=several&rows=1,3",
    "front": f"?supernet=71fac58e90ef4ea59a58c5210a3ff320&pruned={PRUNED}",
}
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
STILL = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  return app?.dataset.testScriptState === 'notRunning' && !document.querySelector('[data-testid="stSkeleton"], [data-testid="stSpinner"]')
    && [...document.querySelectorAll('.stPlotlyChart')].every(e => !e.checkVisibility() || e.querySelector('.main-svg'));
}"""
RUN_AXE = """async () => {
  const found = await axe.run({resultTypes: ['violations']});
  return found.violations.filter(v => ['serious', 'critical'].includes(v.impact))
    .flatMap(v => v.nodes.map(n => `${v.id}: ${n.target.join(' ')}: ${n.html.slice(0, 160)}`));
}"""
STREAMLITS_OWN: Mapping[str, str] = {}
"""Start of a sentence of axe -> why it cannot be mended from outside. As few as possible."""


@dataclass
class Seen:
    """What was found, as sentences by kind; each begins with the page, the size and the theme."""

    themes: Mapping[str, tuple[str, ...]]
    in_turn: bool
    found: dict[str, list[str]] = field(default_factory=dict)
    shifts: dict[str, float] = field(default_factory=dict)
    looked: int = 0

    def add(self, kind: str, where: str, sentences: list[str]) -> None:
        self.found.setdefault(kind, []).extend(f"{where}: {sentence}" for sentence in sentences)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    with tarfile.open(HOME) as archive:
        archive.extractall(home, filter="data")
    found, columns = decoded(
        as_csv(ROWS.assign(latency_ms=[1.0, 2.0, 3.0, 2.0, 0.0, 6.0], energy_mj=[3.0, 2, 1, 3, 2, 1]))
    )
    with RunStore(f"sqlite:///{home / 'paretoscope.db'}", home) as store:
        kept_tables.add(store, "Results of others", found, columns, guessed(found), "0" * 64)
    with running_server(home) as address:
        yield address


@pytest.fixture(scope="module")
def chromium(server: str) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def open_page(chromium: Any, address: str, size: tuple[int, int], scale: float = 1) -> Any:
    """A new visitor on a page that is still."""
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, device_scale_factor=scale, color_scheme="light"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(SHIFTS)
    page.goto(address)
    page.wait_for_selector("h1")
    be_still(page)
    return page


def be_still(page: Any) -> None:
    page.wait_for_timeout(300)
    page.wait_for_function(STILL)
    page.wait_for_timeout(300)


@pytest.fixture(scope="module", params=["in turn", pytest.param("both", marks=pytest.mark.long)])
def seen(request: pytest.FixtureRequest, server: str, chromium: Any) -> Seen:
    """All pages, looked at once. Every look takes seconds: both sizes and themes of each are long, else they take turns."""
    whole = request.param == "both"
    found = Seen(
        themes={size: THEMES if whole else (THEMES[k],) for k, size in enumerate(SIZES)}, in_turn=not whole
    )
    for turn, name in enumerate(pages()):
        for size in SIZES if whole else [[*SIZES][turn % 2]]:
            pixels = SIZES[size]
            page = open_page(chromium, f"{server}/{name}{ASKED.get(name, '')}", pixels)
            found.shifts[f"{name}, {size}"] = page.evaluate("window.shifted")
            for theme in found.themes[size]:
                page.emulate_media(color_scheme=theme)
                page.wait_for_timeout(500)
                look(page, found, f"{name}, {size}, {theme}")
            page.context.close()
    return found


def look(page: Any, found: Seen, where: str) -> None:
    found.looked += 1
    for kind, sentences in page.evaluate(LOOK).items():
        found.add(kind, where, sentences)
    if AXE.exists():
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found.add("axe", where, page.evaluate(RUN_AXE))


def listed(wanted: str, sentences: list[str]) -> str:
    return "\n".join([f"Wanted: {wanted}. Found:", *sentences])


WHAT = {
    "overflow": "nothing reaches beyond the window, and what is wider scrolls in a frame of its own",
    "targets": "what is pressed is at least 24 pixels wide and high",
    "graphics": "what charts draw stands out from the page by 3 to 1",
    "texts": "what charts write reads with 4.5 to 1",
    "icons": "no icon shows its name instead",
    "tables": "tables have captions and their heads a scope",
    "headings": "one h1, then headings in order",
    "labels": "no label runs into another, no button of a chart covers a legend or is cut off",
}


@pytest.mark.parametrize("kind", WHAT)
def test_every_page_in_both_sizes_and_themes(seen: Seen, kind: str) -> None:
    assert seen.looked == (1 if seen.in_turn else sum(map(len, seen.themes.values()))) * len(pages())
    assert not seen.found[kind], listed(WHAT[kind], seen.found[kind])


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci --prefix tests/e2e/axe")
def test_axe_finds_nothing_serious(seen: Seen) -> None:
    def excused(sentence: str) -> bool:
        return any(start in sentence for start in STREAMLITS_OWN)

    left = [s for s in seen.found["axe"] if not excused(s)]
    assert not left, listed("nothing serious or critical", left)
    for start in STREAMLITS_OWN:
        assert any(start in s for s in seen.found["axe"]), f"mended meanwhile, take it out: {start}"


def test_places_are_kept_while_pages_load(seen: Seen) -> None:
    assert {where: shift for where, shift in seen.shifts.items() if shift >= 0.1} == {}


PROJECTOR = (853, 480)
"""1280x720 at 150 %."""
ROOT_SIZE = "() => parseFloat(getComputedStyle(document.documentElement).fontSize)"
VISIBLE = """() => {
  const box = document.querySelector('.st-key-front-chart .js-plotly-plot').getBoundingClientRect();
  return (Math.min(box.bottom, innerHeight) - Math.max(box.top, 0)) / box.height;
}"""
SMALLEST_TEXT = """() => Math.min(...[...document.querySelectorAll('.st-key-front-chart svg text')]
  .filter(t => t.textContent.trim() && !t.closest('.modebar')).map(t => parseFloat(getComputedStyle(t).fontSize)))"""
MENU = "() => document.querySelector('[data-testid=\"stSidebar\"]').getBoundingClientRect().right > 50"


def test_most_of_the_chart_is_seen_on_a_projector(server: str, chromium: Any) -> None:
    page = open_page(chromium, server, PROJECTOR, 1.5)
    assert page.evaluate(VISIBLE) > 0.75
    assert page.evaluate(ROOT_SIZE) == 15
    page.get_by_text("Projector mode").first.click()
    page.wait_for_function(f"() => ({ROOT_SIZE})() === 18")
    page.wait_for_function("() => location.search.includes('projector=1')")
    be_still(page)
    assert page.evaluate(SMALLEST_TEXT) >= 16
    assert page.evaluate(VISIBLE) > 0.75
    page.context.close()


@pytest.mark.parametrize("name", ["front", "pruning"])
def test_a_chart_and_its_card_fit_a_window_of_1024_pixels(server: str, chromium: Any, name: str) -> None:
    page = open_page(chromium, f"{server}/{name}{ASKED[name]}", (1024, 768))
    card = ".st-key-subnet-card" if name == "front" else ".st-key-pruned-card"
    page.wait_for_selector(f"{card} .ps-metrics")
    found = page.evaluate(LOOK)
    assert found["overflow"] + found["labels"] == []
    edges = [page.locator(each).first.bounding_box() for each in (f"{card} .ps-metrics", card)]
    assert edges[0]["x"] + edges[0]["width"] <= edges[1]["x"] + edges[1]["width"]
    page.context.close()


@pytest.mark.parametrize("name", ["front", "table"])
@pytest.mark.parametrize(("size", "scale"), [((800, 1000), 1), (PROJECTOR, 1.5)])
def test_buttons_stand_above_the_legend_where_both_have_no_room(
    server: str, chromium: Any, size: tuple[int, int], scale: float, name: str
) -> None:
    page = open_page(chromium, f"{server}/{name}", size, scale)
    page.locator(f".st-key-{name}-chart .js-plotly-plot").hover()
    button = page.locator(f".st-key-{name}-chart .modebar-btn[data-attr='zoom']").first
    assert button.evaluate(
        "e => { const {x, y, width, height} = e.getBoundingClientRect(); return e.contains(document.elementFromPoint(x + width / 2, y + 2)); }"
    )
    bar, legend = (
        page.locator(f".st-key-{name}-chart {each}").first.bounding_box() for each in (".modebar", ".legend")
    )
    assert bar["y"] + bar["height"] <= legend["y"] + 8, "beside each other is enough for a short legend only"
    assert page.evaluate(LOOK)["labels"] == []
    page.context.close()


@pytest.mark.parametrize("asked", ["", "?projector=1"])
def test_a_table_of_few_rows_shows_them_all_and_no_empty_ones(server: str, chromium: Any, asked: str) -> None:
    page = open_page(chromium, f"{server}/table{asked}", (1440, 900))
    inner, outer = page.locator(".st-key-tb-front-table .dvn-scroller").evaluate(
        "e => [e.querySelector('.dvn-scroll-inner').getBoundingClientRect().height, e.clientHeight]"
    )
    assert 0 <= outer - inner <= 3, (inner, outer)
    page.context.close()


def test_a_link_brings_the_projector_mode_and_one_key_hides_the_menu(server: str, chromium: Any) -> None:
    page = open_page(chromium, f"{server}/?projector=1", PROJECTOR, 1.5)
    assert page.evaluate(ROOT_SIZE) == 18
    assert page.evaluate(MENU)
    page.keyboard.press("m")
    page.wait_for_function(f"() => !({MENU})()")
    page.keyboard.press("m")
    page.wait_for_function(MENU)
    page.get_by_role("link", name="Runs").click()
    page.wait_for_function("() => document.querySelector('h1')?.textContent === 'Runs'")
    page.wait_for_function("() => location.search.includes('projector=1')")
    assert page.evaluate(ROOT_SIZE) == 18
    page.get_by_text("Projector mode").first.click()
    page.wait_for_function(f"() => ({ROOT_SIZE})() === 15")
    page.wait_for_function("() => !location.search.includes('projector')")
    page.keyboard.press("m")
    page.wait_for_timeout(500)
    assert page.evaluate(MENU), "a letter does nothing outside of the mode"
    page.context.close()


@pytest.mark.long
def test_what_if_reads_row_by_row(server: str, chromium: Any) -> None:
    for size in SIZES.values():
        page = open_page(chromium, server, size)
        page.wait_for_selector(".st-key-what-if-choices [data-testid='stSelectbox']")
        be_still(page)
        places = page.evaluate(
            "() => [...document.querySelectorAll('.st-key-what-if-choices [data-testid=\"stSelectbox\"]')]"
            ".map(e => e.getBoundingClientRect()).map(b => [Math.round(b.top), Math.round(b.left)])"
        )
        assert len(places) > 4
        assert places == sorted(places)
        page.context.close()


@pytest.mark.long
def test_running_and_done_are_announced(server: str, chromium: Any) -> None:
    page = open_page(chromium, f"{server}/search", SIZES["wide"])
    live = page.locator("#ps-live")
    assert (live.get_attribute("role"), live.get_attribute("aria-live")) == ("status", "polite")
    page.evaluate(
        "() => { window.said = []; new MutationObserver(() => window.said.push(document.querySelector('#ps-live').textContent))"
        ".observe(document.querySelector('#ps-live'), {childList: true, characterData: true, subtree: true}); }"
    )
    # Long enough that somebody who looks once a second sees it at work.
    budget = page.get_by_role("spinbutton", name="Budget (subnets)")
    budget.fill("6000")
    budget.press("Enter")
    be_still(page)
    page.locator(".st-key-search-start button:visible").first.click()
    page.wait_for_function("() => window.said.some(s => /: (done|finished)/.test(s))")
    said = page.evaluate("window.said")
    assert any("queued" in s or "running" in s for s in said), said
    page.context.close()


def test_the_link_to_a_view_is_copied(server: str, chromium: Any) -> None:
    page = open_page(chromium, server, SIZES["wide"])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_text("Link to this view").click()
    page.locator(".ps-copy").click()
    page.wait_for_function("() => document.querySelector('#ps-live').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator(".ps-link code").text_content()
    page.context.close()
