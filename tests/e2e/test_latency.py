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
from tests.e2e.visitor import STILL
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
def browse(tmp_path: Path) -> Iterator[Any]:
    """Opens the Front page of a supernet."""
    with running_server(tmp_path) as address, sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)

        def opened(supernet_id: str) -> Any:
            page.goto(f"{address}/front?supernet={supernet_id}")
            page.wait_for_selector(".st-key-front-chart .scatterlayer path.point", state="attached")
            return page

        yield opened
        chromium.close()


def click_point(page: Any, trace: str, index: int) -> str:
    spot = page.evaluate(POINT, [trace, index])
    page.mouse.move(spot["x"], spot["y"])
    page.mouse.click(spot["x"], spot["y"])
    page.get_by_text(spot["id"], exact=True).first.wait_for()
    return str(spot["id"])


def time_this_machine(page: Any, title: str, patience_ms: float = PATIENCE_MS) -> Any:
    """Press the button, wait for the axis, switch the chart to it; returns the panel."""
    page.locator(".st-key-latency button").click()
    start = page.locator(".st-key-latency-start button")
    start.wait_for()
    panel = page.locator("[data-testid='stPopoverBody']")
    panel.get_by_text("subnets are timed").wait_for()
    start.click()
    page.locator(".st-key-latency-progress").get_by_text(f"Latency of {title}").wait_for()
    page.locator(".st-key-latency-show button").first.click(timeout=patience_ms)
    page.wait_for_function(
        "() => document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullLayout?.xaxis?.title?.text?.startsWith('Latency on')"
    )
    page.wait_for_function("() => location.search.includes('x=latency_ms.')")
    return panel


def download(page: Any) -> str:
    # The subnet is cut out, checked and written after the click: on a busy machine that takes a while.
    with page.expect_download(timeout=3 * PATIENCE_MS) as found:
        page.locator(".st-key-download-bundle button").click()
    return str(found.value.suggested_filename)


@pytest.mark.long
def test_time_this_machine_and_choose_by_it(browse: Any, supernet_id: str) -> None:
    page = browse(supernet_id)
    panel = time_this_machine(page, "Small")
    click_point(page, "front", 0)
    card = page.locator(".st-key-subnet-card")
    row = card.locator(".ps-metrics tr", has_text="Latency on")
    row.get_by_text("timed", exact=True).wait_for()

    page.locator(".st-key-latency button").click()
    panel.get_by_text("Rank correlation").wait_for()
    panel.get_by_text("(this machine)").wait_for()
    page.keyboard.press("Escape")
    panel.wait_for(state="detached")
    page.wait_for_function(STILL)
    assert download(page).endswith(".zip")


SHOWN = """() => Object.fromEntries(document.querySelector('.st-key-front-chart .js-plotly-plot')._fullData
  .filter(t => t.x?.length).map(t => [t.name, {n: t.x.length, symbol: t.marker?.symbol}]))"""


@pytest.mark.long
def test_the_whole_way_to_what_is_as_good_and_cheaper(browse: Any) -> None:
    """On the shipped supernet: half a minute of timing, so it is not in the suite."""
    page = browse("digits-cnn")
    time_this_machine(page, "digits-cnn", 180_000)
    page.wait_for_timeout(3000)
    page.keyboard.press("Escape")
    shown = page.evaluate(SHOWN)
    assert shown["predicted"]["n"] > 10 * shown["front"]["n"]
    assert shown["predicted"]["symbol"].endswith("-open")
    assert not str(shown["front"]["symbol"]).endswith("-open")
    card = page.locator(".st-key-subnet-card")
    cheaper = page.get_by_role("button", name="As good and cheaper")
    for index in range(-1, -1 - shown["front"]["n"], -1):
        member = click_point(page, "front", index)
        card.locator(".ps-metrics tr", has_text="Latency on").get_by_text("timed", exact=True).wait_for()
        assert " to " in card.locator(".ps-metrics tr", has_text="Validation accuracy").inner_text()
        page.wait_for_timeout(1500)
        if cheaper.count():
            break
    cheaper.click()
    page.wait_for_function(f"() => !location.search.includes('sid={member}')")
    assert download(page).endswith(".zip")
