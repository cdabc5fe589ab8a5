"""How long a newcomer waits: from starting the server to the first front on the screen, in real Chromium.

    python benchmarks/startup.py [--repeats 5]

In turn, in one browser: this app in a home that `make run` just made, and the least Streamlit page that draws 10,000 points
with the same chart library. Goal: at most 1.3 times as long. For both it prints where the time goes:

    server    from starting the process until it answers (Python, imports of Streamlit and of the app)
    scripts   from opening the address until the page has loaded its scripts and opens its socket
    run       from there until the message with the chart arrives (the first script run, and its delivery)
    painting  from there until the points are on the screen

Nothing of the browser is cached between repeats.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import sync_playwright

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, ROOT, running_server

LEAST = """
import numpy as np
import plotly.graph_objects as go
import streamlit as st

x, y = np.random.default_rng(0).random((2, 10_000))
st.plotly_chart(go.Figure(go.Scattergl(x=x, y=y, mode="markers")))
"""
# A chart of nearly all points, laid out (its ticks come last) and not hidden, and the frame after that shown.
PAINTED = """
() => [...document.querySelectorAll('.js-plotly-plot')].some(plot =>
  (plot._fullData || []).reduce((sum, trace) => sum + (trace.x ? trace.x.length : 0), 0) >= 9900 &&
  plot.querySelector('.xtick text')?.checkVisibility({visibilityProperty: true})) && new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))
"""
_CHART_BYTES = 100_000
PARTS = ("server", "scripts", "run", "painting")


def made_home(folder: Path) -> Path:
    """What the first `make run` leaves behind: the packed scripts, in `folder`."""
    environment = os.environ | {"PARETOSCOPE_HOME": str(folder)}
    subprocess.run([sys.executable, "-m", "pages.ui.packed"], cwd=ROOT, env=environment, check=True)
    return folder


def one_start(browser: Any, script: Path, made: Path) -> dict[str, float]:
    """Seconds of each part of one start, in a copy of the home `made`."""
    at: dict[str, float] = {}

    def note(name: str) -> None:
        at.setdefault(name, time.perf_counter())

    def watch(socket: Any) -> None:
        note("scripts")
        socket.on("framereceived", lambda data: len(data) > _CHART_BYTES and note("run"))

    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("websocket", watch)
    with tempfile.TemporaryDirectory() as home:
        shutil.copytree(made, home, dirs_exist_ok=True)
        note("start")
        with running_server(Path(home), script) as address:
            note("server")
            page.goto(address, wait_until="commit")
            page.wait_for_function(PAINTED)
            note("painting")
            assert page.locator("[data-testid='stException']").count() == 0
    context.close()
    moments = [at[name] for name in ("start", *PARTS)]
    seconds = {name: b - a for name, a, b in zip(PARTS, moments, moments[1:], strict=False)}
    return seconds | {"all": moments[-1] - moments[0]}


def main() -> None:
    """Start both in turn and print medians and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    found: dict[str, list[dict[str, float]]] = {"app": [], "least": []}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        least = Path(folder) / "least.py"
        least.write_text(LEAST, encoding="utf-8")
        made = made_home(Path(folder) / "home")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for script in (ROOT / "app.py", least):
            one_start(browser, script, made)  # files into the system's memory, byte code onto the disk
        for _ in range(repeats):
            found["app"].append(one_start(browser, ROOT / "app.py", made))
            found["least"].append(one_start(browser, least, made))
        browser.close()
    print(f"seconds, median of {repeats}; load average {os.getloadavg()[0]:.1f}")
    print(f"{'':8s}" + "".join(f"{part:>10s}" for part in (*PARTS, "all")))
    for name, starts in found.items():
        medians = (statistics.median(s[part] for s in starts) for part in (*PARTS, "all"))
        print(f"{name:8s}" + "".join(f"{seconds:10.2f}" for seconds in medians))
    ratios = [a["all"] / b["all"] for a, b in zip(found["app"], found["least"], strict=True)]
    print(f"start to painted, app / least: {statistics.median(ratios):.2f} (goal 1.3)")


if __name__ == "__main__":
    main()
