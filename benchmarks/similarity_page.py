"""From a click on the Front page to the first heatmap, and from one measure to the next, in a real browser.

A fresh server and a fresh Chromium each time; the click comes once the Front page has been still for some
seconds, as when a person reads it first (torch is loaded beside the page meanwhile). Goals: 2 s to the first
heatmap, 1 s for each further measure with pooled features.

    python benchmarks/similarity_page.py [rounds] [seconds of reading]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import sync_playwright

from core.similarity.base import MEASURES
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

GOAL_FIRST, GOAL_NEXT = 2.0, 1.0
DRAWN = ".st-key-similarity-heatmap .js-plotly-plot .scatterlayer"
SHOWS = """
label => {
  const plot = document.querySelector('.st-key-similarity-heatmap .js-plotly-plot');
  return plot && plot._fullData && plot._fullData[0].colorbar.title.text === label;
}
"""


def one_round(chromium: Any, reading: float) -> tuple[float, dict[str, float]]:
    """(seconds to the first heatmap, seconds to each further measure by label)."""
    with tempfile.TemporaryDirectory() as home, running_server(Path(home)) as address:
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.wait_for_selector(".st-key-front-chart .scatterlayer path.point", state="attached")
        page.wait_for_timeout(1000 * reading)
        start = time.perf_counter()
        page.get_by_role("button", name="Compare representations").click()
        page.wait_for_selector(DRAWN, state="attached")
        first = time.perf_counter() - start
        further = {}
        for info in MEASURES.describe():
            if MEASURES.get(info.name).of != "activations" or info.name == "cka":
                continue
            page.wait_for_timeout(700)
            page.locator(".st-key-sim-measure input").first.click()
            option = page.get_by_role("option", name=info.label, exact=True)
            option.wait_for()
            start = time.perf_counter()
            option.click()
            page.wait_for_function(SHOWS, arg=info.label)
            further[info.label] = time.perf_counter() - start
        page.close()
    return first, further


def main(rounds: int, reading: float) -> None:
    """Print medians over the rounds."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        found = [one_round(chromium, reading) for _ in range(rounds)]
        chromium.close()
    firsts = [first for first, _ in found]
    print(f"Front page to first heatmap, {rounds} fresh servers, {reading:g} s of reading before the click")
    print(f"  {median(firsts):.2f} s (from {min(firsts):.2f} to {max(firsts):.2f}), goal {GOAL_FIRST:g} s")
    print("each further measure, pooled, two subnets of digits-cnn")
    for label in found[0][1]:
        times = [further[label] for _, further in found]
        mark = "" if median(times) <= GOAL_NEXT else "   above the goal"
        print(f"  {label:<42} {median(times):.2f} s (from {min(times):.2f} to {max(times):.2f}){mark}")


if __name__ == "__main__":
    arguments = [float(a) for a in sys.argv[1:]]
    main(int(arguments[0]) if arguments else 3, arguments[1] if len(arguments) > 1 else 8.0)
