"""A day with the app, as three people spend it: an engineer, a teacher, a researcher.

    python -m tests.e2e.days FOLDER [--who engineer|teacher|researcher] [--size 1440|projector|800|390] [--theme light|dark]

plays them on a fresh server in real Chromium, all sizes and themes where none is named, writes a picture of every step,
and prints what a person would stumble over (see `visitor.js`). Ends with status 1 if there is anything.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server
from tests.e2e.visitor import SIZES, THEMES, Visitor

DEEP_LINK = "front?supernet=digits-cnn&x=macs&y=accuracy&sid=000000000000"
CARD = ".st-key-subnet-card code"
WHAT_IF = """() => !!document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullData?.some(
  trace => trace.name === 'what-if')"""
LONG = 4 * PATIENCE_MS / 1000
"""Seconds that work in the background may take on a busy machine."""


def engineer(me: Visitor) -> None:
    """From a colleague's link to a network on the own disk, and a report for the others."""
    me.arrive(DEEP_LINK)
    me.until("() => !!document.querySelector('.st-key-front-chart .scatterlayer path.point')")
    me.look_at_all("arrives by a link")
    me.expect(_picked(me) == "000000000000", "the subnet of the link is not the one on the card")
    _sets_a_limit(me)
    first = _picks(me)
    _tries_changes(me)
    three = _fills_a_basket(me)
    _takes_home(me, three[-1])
    me.expect(first != three[-1], "neighbors lead nowhere")
    _reports(me, three)


def _picked(me: Visitor) -> str:
    return str(me.page.locator(CARD).first.inner_text())


def _shows(me: Visitor, arch_id: str) -> None:
    me.until(
        f"id => document.querySelector('{CARD}')?.innerText === id && location.search.includes('sid=' + id)",
        arg=arch_id,
    )
    me.still()


def _changed(me: Visitor, before: str) -> str:
    me.until(f"id => document.querySelector('{CARD}')?.innerText !== id", arg=before)
    me.still()
    return _picked(me)


def _sets_a_limit(me: Visitor) -> None:
    me.press("limits")
    slider = me.page.locator("[data-testid='stPopoverBody'] input[type='range']").nth(1)
    slider.focus()
    for _ in range(6):
        slider.press("ArrowLeft")
    me.still()
    me.look("sets a limit")
    me.escape()
    me.look("closes the limits", at="chart-place")


def _picks(me: Visitor) -> str:
    """By the chart, then by the table, then Back; returns what is picked in the end."""
    clicked = me.click_point("front", 6)
    _shows(me, clicked)
    me.look("clicks a point")
    me.tab("Table")
    me.row("front-table", 3)
    chosen = _changed(me, clicked)
    me.look("picks in the table", at="front-table")
    me.page.go_back()
    _shows(me, clicked)
    me.look("goes back")
    me.expect(chosen != clicked, "the table picked nothing else")
    return clicked


def _tries_changes(me: Visitor) -> None:
    me.tab("What if")
    me.choose_another("pick-if-")
    me.until(WHAT_IF)
    me.look("asks what if", at="what-if-choices")
    me.press("what-if-undo")


def _fills_a_basket(me: Visitor) -> list[str]:
    """Three neighbors, one after the other; returns their ids."""
    put = []
    for count in range(3):
        put.append(_picked(me))
        me.press("basket-add")
        me.until("() => document.querySelector('.st-key-basket-add').innerText.includes('In the basket')")
        if count < 2:
            me.still()
            me.page.locator("[class*='st-key-neighbor-'] button:visible").last.click()
            _changed(me, put[-1])
    me.look("goes to neighbors", at="card-tabs")
    me.tab("Basket")
    me.look("looks into the basket", at="basket-table")
    return put


def _takes_home(me: Visitor, arch_id: str) -> None:
    name, data = me.download("download-bundle")
    me.expect(arch_id in name, f"the file is called {name}")
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        inside = {Path(entry).name for entry in bundle.namelist()}
        me.expect({"model.safetensors", "predict.py", "card.md"} <= inside, f"the bundle holds {inside}")
    me.choose("download-format", "ONNX")
    me.until("() => document.querySelector('.st-key-download-bundle').innerText.includes('.onnx')")
    name, data = me.download("download-bundle")
    me.expect(name.endswith(".onnx") and len(data) > 1000, f"{name} has {len(data)} bytes")
    me.look("downloads", at="download-bundle")


def _reports(me: Visitor, three: list[str]) -> None:
    me.go("Basket")
    me.look_at_all("opens the basket")
    _, page = me.download("report-html")
    text = page.decode()
    me.expect(all(arch_id in text for arch_id in three), "the report does not name the three")
    link = re.search(r'href="(http://[^"]+/basket\?id=[0-9a-f]{32}[^"]*)"', text)
    assert link, "the report has no link to the basket"
    other = me.new_page()
    other.goto(link[1].replace("&amp;", "&"))
    other.wait_for_selector(".st-key-basket-table table")
    other.wait_for_timeout(500)
    me.expect(other.locator(".st-key-basket-table tbody tr").count() == 3, "the link shows another basket")
    me.look("opens the link of the report", page=other)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_bytes(page)
        other.goto(file.as_uri())
        me.look("reads the report", page=other)


def pictures(folder: Path) -> Path:
    """A zip of 90 small PNG files in three classes: stripes across, stripes up, a disc."""
    rng = np.random.default_rng(8660)
    down, right = np.mgrid[0:16, 0:16]
    file = folder / "shapes.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for k in range(90):
            name = ("across", "up", "disc")[k % 3]
            shape = {
                "across": (down // 3) % 2,
                "up": (right // 3) % 2,
                "disc": np.hypot(down - 8, right - 8) < 5,
            }[name]
            pixels = 255 * (0.75 * shape + 0.25 * rng.random((16, 16)))
            packed = io.BytesIO()
            Image.fromarray(pixels.astype(np.uint8)).save(packed, "png")
            archive.writestr(f"{name}/{k:02d}.png", packed.getvalue())
    return file


def teacher(me: Visitor) -> None:
    """In front of a class: a training of own images, a race, and what the machine did."""
    me.arrive("")
    me.menu(True)
    me.page.evaluate("() => { window.before = true; }")
    me.page.get_by_text("Projector mode").first.click()
    me.until(
        "() => location.search.includes('projector=1') && !window.before && !!document.querySelector('h1')"
    )
    me.menu(False)
    me.look_at_all("switches to the projector")
    _trains_own_images(me)
    _races(me)
    me.go("Runs")
    me.look("opens the runs")
    me.row("runs-table", 0)
    me.until("() => !document.body.innerText.includes('Select a run to see')")
    me.look_at_all("reads about a run")


def _trains_own_images(me: Visitor) -> None:
    me.go("Supernets")
    me.look_at_all("opens the supernets")
    me.choose("train-data-digits-cnn", "Your own images")
    with tempfile.TemporaryDirectory() as folder:
        me.key("train-images").locator("input[type=file]").set_input_files(pictures(Path(folder)))
        me.until("() => !!document.querySelector('.st-key-data-found table')")
    me.look("uploads images", at="data-found")
    found = me.key("data-found").inner_text()
    me.expect("90 images in 3 classes" in found, f"found: {found[:80]}")
    me.fill("train-epochs-digits-cnn", "30")
    me.fill("train-title-digits-cnn", "Shapes of class 9b")
    me.until(
        "() => document.querySelector('.st-key-train-forecast')?.innerText.includes('Will take')",
        seconds=LONG,
    )
    me.look("reads how long it takes", at="train-start")
    me.press("train-start")
    me.until("() => /Epoch ([5-9]|\\d\\d) of/.test(document.body.innerText)", seconds=LONG)
    me.look("watches the training", at="job-progress")
    me.page.locator("[class*='st-key-cancel-'] button:visible").first.click()
    me.page.wait_for_selector("[class*='st-key-resume-'] button:visible", timeout=1000 * LONG)
    me.look("cancels it", at="job-progress")
    me.page.locator("[class*='st-key-resume-'] button:visible").first.click()
    me.until("() => document.querySelector('.st-key-job-progress')?.innerText.includes('done')", seconds=LONG)
    me.look_at_all("has it trained to the end")


def _races(me: Visitor) -> None:
    me.go("Search")
    me.look("opens the search")
    me.choose("pick-supernet", "digits-cnn") if me.menu_is_open() else None
    me.fill("search-repeats", "2")
    me.press("search-start")
    me.until("() => /done\\s*2 searches/.test(document.body.innerText)", seconds=LONG)
    me.until("() => !!document.querySelector('.st-key-search-hypervolume .main-svg')")
    me.look_at_all("races two seeds")


def researcher(me: Visitor) -> None:
    """Numbers with their spread, a matrix of networks, and what goes into a paper."""
    _searches_with_seeds(me)
    _compares(me)
    _prunes(me)


def _searches_with_seeds(me: Visitor) -> None:
    me.arrive("search?supernet=digits-cnn")
    me.fill("search-budget", "100")
    me.fill("search-repeats", "3")
    me.press("search-start")
    me.until("() => /done\\s*3 searches/.test(document.body.innerText)", seconds=LONG)
    me.until("() => /n = 3|, 3\\)/.test(document.body.innerText)")
    me.look_at_all("searches with three seeds")
    _, data = me.download("race-csv")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    me.expect(len({row["seed"] for row in rows}) == 3, f"the race's file has {len(rows)} rows")
    _, data = me.download("search-csv")
    lines = [line for line in data.decode().splitlines() if not line.startswith("#")]
    me.expect(len(lines) == 101, f"the evaluations have {len(lines)} lines, not a head and 100")


def _compares(me: Visitor) -> None:
    me.go("Similarity")
    me.until("() => !!document.querySelector('.st-key-similarity-heatmap .scatterlayer')")
    me.look_at_all("compares two networks")
    before = me.key("sim-measure").locator("input").first.input_value()
    me.choose("sim-measure", 2)
    me.until(
        "before => document.querySelector('.st-key-sim-measure input').value !== before"
        " && document.querySelector('.st-key-similarity-heatmap .js-plotly-plot')?._fullData?.[0].colorbar.title.text !== before",
        arg=before,
    )
    me.look("changes the measure", at="similarity-heatmap")
    me.choose("sim-measure", before)
    me.tab("Matrix")
    me.press("sim-matrix-add")
    me.look("adds networks")
    me.page.locator("[data-testid='stPopoverBody'] button:visible", has_text="The front").first.click()
    me.escape()
    me.press("matrix-start")
    me.until("() => !!document.querySelector('.st-key-similarity-matrix .main-svg')", seconds=LONG)
    me.look_at_all("compares the front as a matrix")
    _, data = me.download("matrix-csv")
    me.expect(data.count(b"\n") > 3, "the matrix has no rows")


def _prunes(me: Visitor) -> None:
    me.arrive("pruning?parent=subnet:digits-cnn:000000000000")
    me.look_at_all("opens the pruning")
    methods = me.page.locator(".st-key-pr-methods [aria-label^='Remove ']")
    for _ in range(methods.count() - 1):
        methods.last.click()
        me.still()
    for share in ("95%", "90%", "80%"):
        me.page.locator(
            ".st-key-pr-sparsities button:visible", has_text=re.compile(f"^{share[:-1]} ?%$")
        ).click()
        me.still()
    me.fill("pr-epochs", "1")
    me.fill("pr-repeats", "2")
    me.toggle("pr-controls")
    me.look("sets up the pruning", at="prune-start")
    me.press("prune-start")
    me.until("() => !!document.querySelector('.st-key-pruning-table .main-svg')", seconds=LONG)
    me.page.wait_for_selector(".st-key-job-progress", state="detached", timeout=1000 * LONG)
    me.look_at_all("has pruned with two seeds")
    me.tab("Accuracy")
    me.look("looks at the curves", at="pruning-curves")
    me.press("paper-pruning")
    name, data = me.download("paper-pruning-download")
    me.expect(data[:4] in (b"%PDF", b"<?xm", b"<svg"), f"{name} begins with {data[:4]!r}")
    me.look("takes the figure for the paper")
    me.escape()
    me.tab("Numbers")
    me.until("() => document.body.innerText.includes('Means over seeds')")
    me.look("reads means and spread", at="pruning-csv")
    me.go("Front")
    me.tab("Table")
    name, data = me.download("front-latex")
    me.expect(b"\\toprule" in data, f"{name} is no table")
    me.look("takes the table for LaTeX", at="front-files")


PEOPLE: dict[str, Callable[[Visitor], None]] = {
    "engineer": engineer,
    "teacher": teacher,
    "researcher": researcher,
}


def play(
    chromium: object, address: str, *, who: str, size: str, theme: str, folder: Path | None = None
) -> list[str]:
    """One person's day at one screen; returns what there was to stumble over.

    Args:
        chromium: a browser of Playwright.
        address: of the server.
        who, size, theme: of `PEOPLE`, `SIZES`, `THEMES`.
        folder: for the pictures; None takes none.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    me = Visitor(chromium, address, size=size, theme=theme, pictures=folder)
    try:
        PEOPLE[who](me)
    except Exception as error:
        if folder is not None:
            me.page.screenshot(path=folder / "99-stuck.png")
        after = me.steps[-1] if me.steps else "nothing"
        error.add_note(f"The {who} at {size}, {theme}, was stuck after: {after}. Seen: {me.problems}")
        raise
    finally:
        me.close()
    return [f"{who}, {size}, {theme}, {sentence}" for sentence in me.problems]


def tracebacks(home: Path) -> list[str]:
    """What the server's log tells of errors."""
    log = (home / "server.log").read_text(encoding="utf-8", errors="replace")
    return [
        line for line in log.splitlines() if "Traceback" in line or re.match(r"\w*(Error|Exception)\b", line)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--who", choices=PEOPLE)
    parser.add_argument("--size", choices=SIZES)
    parser.add_argument("--theme", choices=THEMES)
    asked = parser.parse_args()
    wanted = itertools.product(
        [asked.who] if asked.who else PEOPLE,
        [asked.size] if asked.size else SIZES,
        [asked.theme] if asked.theme else THEMES,
    )
    problems = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for who, size, theme in wanted:
            with tempfile.TemporaryDirectory() as home, running_server(Path(home)) as address:
                folder = asked.folder / f"{who}-{size}-{theme}"
                try:
                    found = play(chromium, address, who=who, size=size, theme=theme, folder=folder)
                except Exception as error:
                    found = [f"stuck: {error}", *getattr(error, "__notes__", ())]
                found += tracebacks(Path(home))
            print(f"{who}, {size}, {theme}: {len(found)} to stumble over", *found, sep="\n  ", flush=True)
            problems += found
        chromium.close()
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
