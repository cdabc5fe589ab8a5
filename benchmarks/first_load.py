"""What a first visit moves, and how long it takes to the first front, over a line of 2 Mbit/s with 50 ms of delay.

    python benchmarks/first_load.py [--repeats 3]

Real Chromium on a server in a home of its own, twice: as on its first day (files packed while somebody waits), and
later (packed well, see `pages.ui.packed`). Each visit starts with an empty cache and is repeated with a full one.
Goals: the first chart within 15 s and 3 MB, a second visit under 100 kB, layout shift under 0.1. Bytes are those on
the wire, messages of the WebSocket included as they are packed; seconds are medians.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from streamlit.file_util import get_static_dir

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pages.ui.packed import Packed, pack_first
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

MBIT = 2
DELAY_MS = 50
DRAWN = ".st-key-front-chart .scatterlayer path.point, .st-key-front-chart .gl-canvas"
SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: 'layout-shift', buffered: true });
"""
CHART_FILES = (
    "() => performance.getEntriesByType('resource').filter(e => e.name.includes('PlotlyChart')).length"
)


@dataclass(frozen=True)
class Visit:
    """One visit to the Front page.

    Attributes:
        bytes: moved to the browser, once the page is still.
        seconds: from asking for the page until the front's points are there.
        layout_shift: sum of Chromium's layout shifts.
        chart_files: how often the chart library was asked for.
    """

    bytes: int
    seconds: float
    layout_shift: float
    chart_files: int


class Meter:
    """Counts what a page's connections bring."""

    def __init__(self, page: Any, slow: bool) -> None:
        self.bytes = 0
        self._deflate = zlib.compressobj(6, wbits=-15)
        self.client = page.context.new_cdp_session(page)
        self.client.send("Network.enable")
        if slow:
            rate = MBIT * 1e6 / 8
            conditions = {"latency": DELAY_MS, "downloadThroughput": rate, "uploadThroughput": rate}
            self.client.send("Network.emulateNetworkConditions", {"offline": False, **conditions})
        self.client.on("Network.loadingFinished", lambda e: self._add(e["encodedDataLength"]))
        self.client.on("Network.webSocketFrameReceived", lambda e: self._message(e["response"]))

    def _add(self, amount: float) -> None:
        self.bytes += int(amount)

    def _message(self, response: dict[str, Any]) -> None:
        """Chromium tells a message's content, not what moved: packed here as the server packs it."""
        content = base64.b64decode(response["payloadData"]) if response["opcode"] == 2 else b""
        packed = self._deflate.compress(content) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self._add(len(packed))


def visit(page: Any, address: str, meter: Meter) -> Visit:
    """Open the page and wait until it is still."""
    meter.bytes = 0
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(DRAWN, state="attached")
    seconds = time.perf_counter() - began
    page.wait_for_timeout(1500)
    return Visit(meter.bytes, seconds, page.evaluate("window.shifted"), page.evaluate(CHART_FILES))


def measure(address: str, *, repeats: int, slow: bool = True, path: str = "") -> list[tuple[Visit, Visit]]:
    """First and second visits of as many newcomers."""
    found = []
    with sync_playwright() as playwright:
        for _ in range(repeats):
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = chromium.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(2 * PATIENCE_MS)
            page.add_init_script(SHIFTS)
            meter = Meter(page, slow)
            first = visit(page, f"{address}/{path}", meter)
            page.goto("about:blank")
            found.append((first, visit(page, f"{address}/{path}", meter)))
            chromium.close()
    return found


def report(name: str, visits: Sequence[Visit]) -> None:
    """One line: medians."""
    seconds = statistics.median(v.seconds for v in visits)
    shift = max(v.layout_shift for v in visits)
    print(f"{name:28s} {visits[-1].bytes / 1e6:6.3f} MB {seconds:6.1f} s   layout shift {shift:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    for day in ("first day", "later"):
        with tempfile.TemporaryDirectory() as home:
            if day == "later":
                packed, folder = Packed(Path(home) / "packed"), Path(get_static_dir())
                pack_first(folder, packed)
                packed.pack_well()
            with running_server(Path(home)) as address:
                found = measure(address, repeats=repeats)
        report(f"{day}, first visit", [first for first, _ in found])
        report(f"{day}, second visit", [second for _, second in found])


if __name__ == "__main__":
    main()
