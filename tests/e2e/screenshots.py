"""Pictures of every page for the README, true to the app: `python -m tests.e2e.screenshots FOLDER`.

A fresh server; one search is run first, so that no page is empty.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

PAGES = ("front", "supernets", "search", "runs")


def run_a_search(page: Any, address: str) -> None:
    """Start the default search and wait until it is done."""
    page.goto(f"{address}/search")
    page.locator(".st-key-search-start button").click()
    page.wait_for_selector(".st-key-job-progress >> text=done")


def main(folder: Path) -> None:
    """One picture per page and color scheme at 1440 pixels, and the Front page at 800."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, running_server(Path(home)) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for scheme in ("light", "dark"):
            context = chromium.new_context(viewport={"width": 1440, "height": 1000}, color_scheme=scheme)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            if scheme == "light":
                run_a_search(page, address)
            for name in PAGES:
                page.goto(f"{address}/{'' if name == 'front' else name}")
                page.wait_for_selector("h1")
                page.wait_for_timeout(5000)
                page.screenshot(path=folder / f"{name}-{scheme}.png")
            context.close()
        narrow = chromium.new_page(viewport={"width": 800, "height": 1400})
        narrow.goto(address)
        narrow.wait_for_selector(".st-key-front-chart .scatterlayer path.point", state="attached", timeout=PATIENCE_MS)
        narrow.wait_for_timeout(2000)
        narrow.screenshot(path=folder / "front-800.png")
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
