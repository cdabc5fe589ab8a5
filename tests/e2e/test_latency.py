"""From no latency to a choice by it, in a real browser: start the timing, watch the axis come, click, download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.library.supernets import TABLE_FILE
from core.records import RunState
from core.store import RunStore
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, POINT, running_server
from tests.helpers.small_entry import small_entry

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    # The server's pipes outlive a failing test; that is not what it is about.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def supernet_id(tmp_path: Path) -> str:
    """A small supernet with its table, as somebody uploaded and measured it."""
    entry = small_entry()
    assert entry.read_table is not None
    with RunStore(f"sqlite:///{tmp_path / 'paretoscope.db'}", tmp_path) as store:
        found = store.add_supernet("Small", entry.read(), {"family": entry.family})
        run_id = store.create_run(
            "evaluate_table", {"supernet": found}, title="All of it", state=RunState.DONE
        )
        store.ledger(run_id).save_artifact(TABLE_FILE, entry.read_table(), "application/vnd.apache.parquet")
    return found


@pytest.fixture
def page(supernet_id: str, tmp_path: Path) -> Iterator[Any]:
    with running_server(tmp_path) as address, sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        found = chromium.new_page(viewport={"width": 1440, "height": 1000})
        found.set_default_timeout(PATIENCE_MS)
        found.goto(f"{address}/front?supernet={supernet_id}")
        yield found
        chromium.close()


def click_point(page: Any, trace: str, index: int) -> str:
    spot = page.evaluate(POINT, [trace, index])
    page.mouse.move(spot["x"], spot["y"])
    page.mouse.click(spot["x"], spot["y"])
    page.get_by_text(spot["id"], exact=True).first.wait_for()
    return str(spot["id"])


def test_time_this_machine_and_choose_by_it(page: Any, supernet_id: str) -> None:
    page.wait_for_selector(".st-key-front-chart .scatterlayer path.point", state="attached")
    page.locator(".st-key-latency button").click()
    start = page.locator(".st-key-latency-start button")
    start.wait_for()
    panel = page.locator("[data-testid='stPopoverBody']")
    panel.get_by_text("subnets are timed").wait_for()
    start.click()
    page.locator(".st-key-latency-progress").get_by_text("Latency of Small").wait_for()

    show = page.locator(".st-key-latency-show button").first
    show.click()
    page.wait_for_function(
        "() => document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullLayout?.xaxis?.title?.text?.startsWith('Latency on')"
    )
    page.wait_for_function("() => location.search.includes('x=latency_ms.')")
    click_point(page, "front", 0)
    card = page.locator(".st-key-subnet-card")
    row = card.locator(".ps-metrics tr", has_text="Latency on")
    row.get_by_text("timed", exact=True).wait_for()

    page.locator(".st-key-latency button").click()
    panel.get_by_text("Rank correlation").wait_for()
    panel.get_by_text("(this machine)").wait_for()
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.locator(".st-key-download-bundle button").click()
    assert download.value.suggested_filename.endswith(".zip")
