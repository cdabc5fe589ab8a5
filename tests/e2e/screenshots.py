"""Pictures of every page for the README, true to the app: `python -m tests.e2e.screenshots FOLDER`.

A fresh server; a search and a training are started first, so that no page is empty.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

LESSON = (
    'learn?lesson=sandwich&step=result&taken={"prediction":30.0,"revealed":true,"answers":[],"right":false}'
)
PAGES = ("supernets", "front", "search", "similarity", "pruning", "runs")


def make_something_to_see(page: Any, address: str) -> None:
    """Run the default race, and a short training until its curves have a shape."""
    race(page, address)
    page.goto(f"{address}/supernets")
    page.locator(".st-key-train-start button").click()
    page.wait_for_selector("text=/Epoch (2[5-9]|[3-9][0-9]) of/", timeout=4 * PATIENCE_MS)
    page.goto(f"{address}/pruning")
    page.locator(".st-key-prune-start button").click()
    page.wait_for_selector(".st-key-pruning-table", timeout=10 * PATIENCE_MS)
    page.wait_for_selector(".st-key-job-progress", state="detached", timeout=10 * PATIENCE_MS)


def race(page: Any, address: str) -> None:
    """NSGA-II against random search, six seeds each."""
    page.goto(f"{address}/search")
    page.locator(".st-key-race-start button").click()
    page.wait_for_function(
        "() => /done\\s*12 searches/.test(document.querySelector('.st-key-job-progress')?.innerText)",
        timeout=10 * PATIENCE_MS,
    )


def take(page: Any, address: str, name: str, file: Path) -> None:
    """One picture of one page, once it is still."""
    page.goto(f"{address}/{'' if name == 'front' else name}")
    page.wait_for_selector("h1")
    page.wait_for_timeout(6000)
    page.screenshot(path=file)


def panel(page: Any, address: str, name: str, tab: str, file: Path) -> None:
    """One picture of a tab of a page, the tab at the top."""
    page.goto(f"{address}/{name}")
    page.get_by_role("tab", name=tab, exact=True).first.click()
    page.wait_for_timeout(6000)
    page.get_by_role("tab", name=tab, exact=True).first.evaluate("tab => tab.scrollIntoView()")
    page.wait_for_timeout(1000)
    page.screenshot(path=file)


def main(folder: Path) -> None:
    """Every page at 1440 pixels, the Front page in the dark and at 800 pixels as well."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        running_server(Path(home)) as address,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1440, "height": 1000}, color_scheme="light")
        page.set_default_timeout(PATIENCE_MS)
        make_something_to_see(page, address)
        for name in PAGES:
            take(page, address, name, folder / f"{name}.png")
        take(page, address, LESSON, folder / "learn.png")
        panel(page, address, "pruning", "Geometry", folder / "pruning-geometry.png")
        panel(page, address, "similarity", "Equally good", folder / "similarity-equally-good.png")
        dark = chromium.new_page(viewport={"width": 1440, "height": 1000}, color_scheme="dark")
        take(dark, address, "front", folder / "front-dark.png")
        narrow = chromium.new_page(viewport={"width": 800, "height": 1400}, color_scheme="light")
        take(narrow, address, "front", folder / "front-narrow.png")
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
