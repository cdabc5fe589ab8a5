"""The seconds of using it: what a person waits for after each kind of click, in real Chromium, in turn with an earlier commit.

    python benchmarks/use.py [--repeats 5] [--before 48cc833]

A fresh server in a home that `make run` just made; beside it, for the cold load, one of the least page that draws 10,000 points with the same
chart library (goal: at most 1.3 times as long), and one of as many elements as the Front page has with nothing behind them, whose chart has
an axis to choose, too. With `--before`, one of that commit, which the same hand plays in turn in a browser of its own: what was
measured on another day says more of the machine than of the pages. (48cc833 is what a review of the whole measured.) A
time goes from the press of the pointer (or from asking for the page) to the moment the answer is on the screen, found by
asking the page at every frame; the page was still before. Printed: medians of the repeats, the median of their ratios,
and the load of the machine. Goals: none slower than before; every click under 0.5 s.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import TimeoutError, sync_playwright

from benchmarks.startup import LEAST, PAINTED, made_home
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, ROOT, running_server
from tests.e2e.visitor import Visitor

COLD, LEAST_COLD, BARE_COLD = "cold load to the chart", "the least page", "the same elements"
BARE_AXIS = "the same elements' axis"
BARE = """
import numpy as np
import plotly.graph_objects as go
import streamlit as st

st.set_page_config(layout="wide")
st.title("Front")
axis = st.selectbox("Axis", ["MACs", "Parameters"], key="axis-x")
for number in range(10):
    with st.container():
        st.html(f"<p>{number}</p>")
for number in range(7):
    with st.container(horizontal=True):
        for box in range(2):
            st.selectbox(f"Choose {number}.{box}", ["one", "two", "three"])
st.checkbox("Show")
with st.popover("Limits"):
    for number in range(7):
        with st.container():
            st.slider(f"Limit {number}", 0, 100)
with st.popover("More"):
    for number in range(7):
        with st.container(horizontal=True):
            st.checkbox(f"Show {number}")
x, y = np.random.default_rng(0).random((2, 10_000))
left, right = st.columns([2, 1])
with left:
    figure = go.Figure(go.Scattergl(x=x, y=y, mode="markers", customdata=[f"{n:012d}" for n in range(10_000)]))
    figure.update_xaxes(title=axis)
    st.plotly_chart(figure, key="front-chart", on_select="rerun", selection_mode="points")
with right:
    st.plotly_chart(go.Figure(go.Bar(y=[1, 2, 3])), key="diagram")
    for number in range(9):
        with st.container(horizontal=True):
            st.button(f"Do {number}")
    st.segmented_control("Format", ["one", "two"])
    st.segmented_control("Way", ["one", "two"])
    st.download_button("Download", b"")
    for number in range(3):
        st.markdown(f"Told {number}")
"""
"""What the Front page is made of, by kind and number, with nothing behind it."""
GOAL = 0.5
SEEN = "() => document.querySelector('{}')?.checkVisibility({{visibilityProperty: true}})"
CHART = SEEN.format(".st-key-front-chart .scatterlayer path.point")
HEATMAP = SEEN.format(".st-key-similarity-heatmap .scatterlayer")
TABLE = SEEN.format(".st-key-pruning-table .main-svg")
PRESSES = """() => {
  if (window.pressed === undefined) addEventListener('pointerdown', () => { window.pressed = performance.now(); }, true);
  window.pressed = performance.now();
}"""
"""Moving the pointer and scrolling there is the driver's time, not the page's."""
NO_KNEES = """() => {
  const {_fullData: data} = document.querySelector('.st-key-front-chart .js-plotly-plot');
  const [members, knees] = ['front', 'knee'].map(name => data.find(trace => trace.name === name).x);
  return [...members.keys()].filter(at => !knees.includes(members[at]));
}"""
"""Indices of the front's members that the knee's button does not select."""
CARD = "document.querySelector('.st-key-subnet-card code')?.innerText"


class Clock:
    """Seconds by what was done.

    Attributes:
        me: the visitor, whose page is still whenever a watch starts.
        seconds: by name, one number per repeat.
    """

    def __init__(self, me: Visitor) -> None:
        self.me = me
        self.seconds: dict[str, list[float]] = {}

    def time(self, name: str, do: Callable[[], Any], shows: str, arg: Any = None) -> None:
        """From the press of the pointer in what is done until the page shows what is to come of it."""
        self.me.page.wait_for_timeout(400)
        self.me.still()
        self.me.page.evaluate(PRESSES)
        do()
        try:
            self.me.page.wait_for_function(shows, arg=arg)
        except TimeoutError as error:
            error.add_note(f"Nothing came of: {name}.")
            raise
        self.add(name, self.me.page.evaluate("performance.timeOrigin + window.pressed") / 1000)

    def add(self, name: str, began: float) -> None:
        """`began` is a time of the day: the browser and this process share no other clock."""
        self.seconds.setdefault(name, []).append(time.time() - began)


def cold(clock: Clock, chromium: Any, name: str, address: str) -> None:
    """A newcomer with nothing kept."""
    me = Visitor(chromium, address, size="1440", theme="light")
    began = time.time()
    me.page.goto(address, wait_until="commit")
    me.until(PAINTED)
    clock.add(name, began)
    me.page.context.close()


def front(clock: Clock, turn: int) -> None:
    """A dot, a knee, an axis, a bundle."""
    me = clock.me
    card = f"before => {CARD} && {CARD} !== before"
    before = me.page.evaluate(CARD)
    dot = me.page.evaluate(NO_KNEES)[3 + turn]
    clock.time("click a dot", lambda: me.click_point("front", dot), card, before)
    me.still()
    began = time.time()
    me.download("download-bundle")  # of a subnet that nobody took before
    clock.add("bundle", began)
    before = me.page.evaluate(CARD)
    knee = me.page.locator("[class*='st-key-knee-'] button").first
    clock.time("knee button", knee.click, card, before)
    axis(clock, "axis", turn)


def axis(clock: Clock, name: str, turn: int) -> None:
    """The other quantity, from the open list to the chart's new title."""
    wanted = ("Parameters", "MACs")[turn % 2]
    clock.me.open_chooser("axis-x")
    option = clock.me.page.get_by_role("option").filter(has_text=wanted).first
    title = "title => document.querySelector('.st-key-front-chart .g-xtitle')?.textContent.includes(title)"
    clock.time(name, option.click, title, wanted)


def pages(clock: Clock, turn: int) -> None:
    """The menu, another measure, another severity."""
    me = clock.me
    menu = me.page.locator("[data-testid='stSidebarNavLink']")
    clock.time("menu to Similarity", menu.filter(has_text="Similarity").click, HEATMAP)
    me.open_chooser("sim-measure")
    option = me.page.get_by_role("option").nth(1 + turn % 2)
    wanted = option.inner_text()
    label = "label => document.querySelector('.st-key-similarity-heatmap .js-plotly-plot')?._fullData?.[0].colorbar.title.text === label"
    clock.time("measure of similarity", option.click, label, wanted)
    clock.time("menu to Pruning", menu.filter(has_text="Pruning").click, TABLE)
    # Severity 3 alone was measured; the page remembers what was chosen last.
    severity = me.key("pr-severity").get_by_text(("1", "3")[turn % 2], exact=True)
    numbers = (
        "[...document.querySelectorAll('.st-key-pruning-table .main-svg')].map(s => s.textContent).join()"
    )
    before = me.page.evaluate(numbers)
    clock.time("severity of corruptions", severity.click, f"before => {numbers} !== before", before)
    clock.time("menu to Front", menu.filter(has_text="Front").click, CHART)


def prune_something(me: Visitor) -> None:
    """So that the Pruning page has a table."""
    me.arrive("pruning?parent=subnet:digits-cnn:000000000000")
    me.fill("pr-epochs", "1")
    me.press("prune-start")
    me.page.wait_for_selector(".st-key-pruning-table .main-svg", timeout=10 * PATIENCE_MS)
    me.page.wait_for_selector(".st-key-job-progress", state="detached", timeout=10 * PATIENCE_MS)


def made_folder(parent: str, name: str) -> Path:
    """A folder in another."""
    folder = Path(parent) / name
    folder.mkdir()
    return folder


def script(parent: str, name: str, content: str) -> Path:
    """The file of a page that stands beside the app's."""
    file = Path(parent) / f"{name}.py"
    file.write_text(content, encoding="utf-8")
    return file


def earlier(commit: str, parent: str) -> Path:
    """The app's file in a copy of that commit."""
    packed = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    folder = made_folder(parent, "earlier")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "app.py"


Seconds = dict[str, list[float]]


def paired(now: list[float], other: list[float]) -> float:
    """The median of the ratios of each turn."""
    return statistics.median(a / b for a, b in zip(now, other, strict=True))


def report(now: Seconds, before: Seconds, load: tuple[float, float]) -> None:
    """One line per kind of click."""
    print(f"{'seconds, median':26s} now   range          before  ratio")
    for name in [name for name in now if name not in (LEAST_COLD, BARE_COLD, BARE_AXIS)]:
        line = (
            f"{name:26s} {statistics.median(now[name]):4.2f}  {min(now[name]):4.2f} to {max(now[name]):5.2f}"
        )
        if name in before:
            line += f"  {statistics.median(before[name]):6.2f}  {paired(now[name], before[name]):5.2f}"
        above = statistics.median(now[name]) > GOAL and name != COLD
        print(line + ("   above the goal" if above else ""))
    for name, other in ((COLD, LEAST_COLD), (COLD, BARE_COLD), ("axis", BARE_AXIS)):
        ratio = paired(now[name], now[other])
        print(f"{name} / {other} ({statistics.median(now[other]):.2f} s): {ratio:.2f}")
    print(f"load average of a minute: {load[0]:.1f} at the beginning, {load[1]:.1f} at the end")


def play(playwright: Any, addresses: dict[str, str], repeats: int) -> dict[str, Clock]:
    """Everybody in turn; a browser each: of two pages in one, one has no frames."""
    browsers = {
        name: playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS) for name in addresses
    }
    clocks = {
        name: Clock(Visitor(browsers[name], address, size="1440", theme="light"))
        for name, address in addresses.items()
    }
    apps = [name for name in ("now", "before") if name in addresses]
    for name in apps:
        prune_something(clocks[name].me)
    for _ in range(repeats):
        for name, address in addresses.items():
            cold(clocks[name], browsers[name], COLD, address)
    for name in (*apps, "bare"):
        clocks[name].me.arrive("")
        clocks[name].me.until(CHART if name in apps else PAINTED)
    for turn in range(repeats):
        for name in apps if turn % 2 else reversed(apps):
            front(clocks[name], turn)
            pages(clocks[name], turn)
        axis(clocks["bare"], BARE_AXIS, turn)
    for browser in browsers.values():
        browser.close()
    return clocks


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--before", default="", help="an earlier commit to play in turn")
    arguments = parser.parse_args()
    at_first = os.getloadavg()[0]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        homes = {name: made_folder(folder, name) for name in ("now", "before", "least", "bare")}
        scripts = {
            "now": ROOT / "app.py",
            **({"before": earlier(arguments.before, folder)} if arguments.before else {}),
            "least": script(folder, "least-page", LEAST),
            "bare": script(folder, "bare-page", BARE),
        }
        made_home(homes["now"])
        addresses = {
            name: stack.enter_context(running_server(homes[name], file)) for name, file in scripts.items()
        }
        clocks = play(stack.enter_context(sync_playwright()), addresses, arguments.repeats)
    now = clocks["now"].seconds
    now[LEAST_COLD], now[BARE_COLD] = clocks["least"].seconds[COLD], clocks["bare"].seconds[COLD]
    now[BARE_AXIS] = clocks["bare"].seconds[BARE_AXIS]
    report(now, clocks["before"].seconds if arguments.before else {}, (at_first, os.getloadavg()[0]))


if __name__ == "__main__":
    main()
