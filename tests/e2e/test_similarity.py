"""The Similarity page in a real browser: from the Front page to a cell, to a pair of units, to their images."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pages.ui.similarity.panels import _NUMBERS, _PANELS
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    # The server's pipes outlive a failing test; that is not what it is about.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TWO = "models=subnet:digits-cnn:000000000000,subnet:digits-cnn:311131113111"
PLACE = """
([chart, index]) => {
  const plot = document.querySelector(`.st-key-${chart} .js-plotly-plot`);
  const data = plot._fullData.find(t => t.type === 'scatter' && t.customdata);
  const box = plot.querySelector('.nsewdrag').getBoundingClientRect();
  const layout = plot._fullLayout;
  return {x: box.left + layout.xaxis.d2p(data.x[index]), y: box.top + layout.yaxis.d2p(data.y[index]), id: data.customdata[index]};
}
"""


SELECTED_FILL = """
chart => [...document.querySelectorAll(`.st-key-${chart} .scatterlayer path.point`)]
  .filter(point => point.style.opacity === '1' && point.style.stroke === 'rgb(213, 94, 0)').map(point => point.style.fill)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture
def page() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = chromium.new_context(viewport={"width": 1440, "height": 2200})
        context.set_default_timeout(PATIENCE_MS)
        yield context.new_page()
        chromium.close()


def still(page: Any) -> None:
    page.wait_for_selector("[data-testid='stStatusWidget']", state="detached")
    assert page.locator("[data-testid='stException']").count() == 0


def heatmap(page: Any) -> None:
    page.wait_for_selector(".st-key-similarity-heatmap .js-plotly-plot .scatterlayer", state="attached")
    still(page)


def click(page: Any, chart: str, index: int) -> str:
    spot = page.evaluate(PLACE, [chart, index])
    page.mouse.move(spot["x"], spot["y"])
    page.mouse.click(spot["x"], spot["y"])
    return str(spot["id"][0] if isinstance(spot["id"], list) else spot["id"])


@pytest.mark.long
def test_front_opens_the_comparison_of_two_subnets(page: Any, server: str) -> None:
    page.goto(server)
    page.wait_for_selector(".st-key-front-chart .scatterlayer path.point", state="attached")
    still(page)
    page.get_by_role("button", name="Compare representations").click()
    heatmap(page)
    assert page.locator("h1").inner_text() == "Similarity"
    assert "models=subnet" in page.url
    card = page.locator(".st-key-similarity-card").inner_text()
    for word in ("shuffled samples", "When to distrust it", "Does not notice", "359 samples"):
        assert word in card


def test_a_cell_then_a_pair_of_units_then_their_images(page: Any, server: str) -> None:
    page.goto(f"{server}/similarity?{TWO}")
    heatmap(page)
    picked = click(page, "similarity-heatmap", 9)
    layer_a, layer_b = picked.split("|")
    page.wait_for_url(f"**la={layer_a}&lb={layer_b}**")
    # Outlined, not filled: the number in the cell stays readable.
    assert page.evaluate(SELECTED_FILL, "similarity-heatmap") == ["none"]
    page.wait_for_selector(".st-key-unit-matrix .js-plotly-plot .scatterlayer", state="attached")
    page.wait_for_selector(".st-key-unit-images img")
    still(page)
    units = click(page, "unit-matrix", 3)
    a, b = units.removeprefix("u").split("-")
    page.wait_for_selector(f".st-key-unit-images :text('unit {a} and B')")
    page.wait_for_selector(f'.st-key-unit-images :text("B\'s unit {b},")')
    images = page.locator(".st-key-unit-images img")
    assert images.count() == 18
    assert all(s.startswith("data:image/png") for s in images.evaluate_all("e => e.map(i => i.src)"))
    assert images.first.evaluate("i => i.naturalWidth") == 8
    still(page)


def test_another_measure_redraws_and_the_numbers_can_be_taken_home(page: Any, server: str) -> None:
    page.goto(f"{server}/similarity?{TWO}&measure=procrustes")
    heatmap(page)
    assert page.locator(".st-key-similarity-card").inner_text().count("Procrustes") > 0
    page.get_by_role("tab", name="Numbers", exact=True).click()
    with page.expect_download() as caught:
        page.locator(".st-key-similarity-csv button").first.click()
    rows = list(csv.DictReader(io.StringIO(Path(caught.value.path()).read_text())))
    assert len(rows) == 40
    assert {row["measure"] for row in rows} == {"procrustes"}
    still(page)


@pytest.mark.long
def test_every_tab_opens_without_an_error(page: Any, server: str) -> None:
    page.goto(f"{server}/similarity?{TWO}")
    heatmap(page)
    for name in (*_PANELS, _NUMBERS):
        page.get_by_role("tab", name=name, exact=True).first.click()
        page.wait_for_timeout(300)
        still(page)
