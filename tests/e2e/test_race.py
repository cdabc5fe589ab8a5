"""A race in a real browser: one click starts two algorithms over three seeds; watched to its end, decided and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    # The server's pipes outlive a failing test; that is not what it is about.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
DRAWN = """() => document.querySelector('.st-key-replay-chart .js-plotly-plot')?._fullData
  ?.filter(t => t.name.endsWith(', measured')).map(t => t.x.length)"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    with running_server(tmp_path) as address, sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1440, "height": 2600})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/search?supernet=digits-cnn")
        yield page
        chromium.close()


def fill(page: Any, key: str, value: str) -> None:
    field = page.locator(f".st-key-{key} input")
    field.fill(value)
    field.press("Enter")


@pytest.mark.long
def test_a_race_is_started_watched_decided_and_replayed(page: Any) -> None:
    fill(page, "search-budget", "60")
    fill(page, "race-seeds", "3")
    page.locator(".st-key-race-box").get_by_text("6 searches").wait_for()
    page.locator(".st-key-race-start button").click()
    page.locator(".st-key-job-progress").get_by_text("of 6 searches done").wait_for()
    # Six processes load torch, one after the other.
    page.locator(".st-key-job-progress").get_by_text("6 searches.", exact=False).wait_for(timeout=180_000)
    verdict = page.locator(".st-key-race-verdict")
    verdict.get_by_text("after 60 evaluations").first.wait_for()
    verdict.get_by_text("equal seeds").first.wait_for()
    page.get_by_text("Replay", exact=True).click()
    page.wait_for_function(f"() => ({DRAWN})()?.join() === '60,60'")
    slider = page.locator(".st-key-replay-step-evaluations input")
    slider.focus()
    for _ in range(10):
        slider.press("ArrowLeft")
    page.wait_for_function(f"() => ({DRAWN})()?.join() === '50,50'")
