"""The published tables through the page as a person imports them: two files, joined by their cells, a front per device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server
from tests.e2e.test_screens import be_still

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "tables"
ACCURACY, HARDWARE = (REAL / f"nas_bench_201_{name}.parquet" for name in ("accuracy", "hardware"))
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    pytest.mark.skipif(not REAL.exists(), reason="the published tables are not on this machine"),
]
# Members of the front of CIFAR-10 accuracy against each latency, and rows that were never measured; by brute force.
FRONTS = {
    "edgegpu": ("29", "0"),
    "raspi4": ("43", "0"),
    "edgetpu": ("33", "4,699"),
    "pixel3": ("44", "0"),
    "eyeriss": ("22", "0"),
    "fpga": ("16", "0"),
}


def upload(page: Any, file: Path) -> None:
    page.locator(".st-key-tb-upload input[type=file]").set_input_files(str(file))
    page.get_by_text("The first rows:").wait_for()
    be_still(page)


def test_nas_bench_201_and_hw_nas_bench_through_the_page(tmp_path: Path) -> None:
    with running_server(tmp_path) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/table")
        page.get_by_text("No table is here yet").wait_for()
        upload(page, ACCURACY)
        page.locator(".st-key-table-import-start button").click()
        page.get_by_text("was imported: 15,625 rows").wait_for()
        be_still(page)
        page.locator(".st-key-import-table summary").click()
        page.locator(".st-key-tb-upload input[type=file]").wait_for(state="attached")
        upload(page, HARDWARE)
        page.get_by_role("combobox", name="Import as").click()
        page.get_by_role("option", name="more columns of nas_bench_201_accuracy").click()
        be_still(page)
        page.locator(".st-key-table-import-start button").click()
        page.get_by_text("15,625 of 15,625 rows have a row in the file").wait_for()
        page.get_by_text("cifar10__edgetpu_latency: 4,699 rows are left off").first.wait_for()
        be_still(page)
        page.get_by_text("Several fronts", exact=True).click()
        sizes = page.locator(".st-key-look-several table").first
        sizes.wait_for()
        be_still(page)
        rows = [[cell.strip() for cell in row.split("\t")] for row in sizes.inner_text().splitlines()[1:]]
        found = {row[0].partition(" / ")[0]: (row[1], row[3]) for row in rows if row[0] != "front"}
        assert found == {f"cifar10__{device}_latency": told for device, told in FRONTS.items()}
        browser.close()
