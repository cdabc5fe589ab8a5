"""How long a newcomer waits: from starting the server to the first front on the screen, in real Chromium.

    python benchmarks/startup.py [--repeats 5]

Each repeat is a fresh server in an empty home. Measured is the time until the chart's points are in the page; the
browser itself is running already. Goal: at most 5 s on 2 cores. Then every page is opened and must show no error.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import sync_playwright

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

POINTS = ".st-key-front-chart .scatterlayer path.point"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    seconds, errors = [], 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for _ in range(repeats):
            page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
            page.set_default_timeout(PATIENCE_MS)
            started = time.perf_counter()
            with tempfile.TemporaryDirectory() as home, running_server(Path(home)) as address:
                page.goto(address)
                page.wait_for_selector(POINTS, state="attached")
                seconds.append(time.perf_counter() - started)
                for path in ("supernets", "search", "runs"):
                    page.goto(f"{address}/{path}")
                    page.wait_for_selector("h1")
                    errors += page.locator("[data-testid='stException']").count()
            page.context.close()
        browser.close()
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    print(
        f"server start to first front: {low:.1f} / {middle:.1f} / {high:.1f} s (min / median / max of {repeats}; goal 5 s)"
    )
    print(f"exceptions on the other pages: {errors}; load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
