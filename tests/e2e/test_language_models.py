"""A transformer's folder in a real browser: understood, made elastic, its front moved by the context, a subnet that writes here and outside."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, POINT, running_server
from tests.helpers.tiny_folders import llama, zipped

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    # The server's pipes outlive a failing test; that is not what it is about.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PROMPT = "You may copy the program and"
DRAG = """
async share => {
  const plot = document.querySelector('.st-key-context-chart .js-plotly-plot');
  const front = () => Array.from(plot._fullData.find(t => t.name === 'front').x).join();
  const rail = plot.querySelector('.slider-rail-touch-rect');
  const box = rail.getBoundingClientRect();
  const where = {
    bubbles: true, cancelable: true, view: window, clientX: box.left + box.width * share, clientY: box.top + box.height / 2,
  };
  const before = front(), started = performance.now();
  rail.dispatchEvent(new MouseEvent('mousedown', where));
  plot.dispatchEvent(new MouseEvent('mouseup', where));
  while (front() === before && performance.now() - started < 5000) await new Promise(requestAnimationFrame);
  return {took: performance.now() - started, front: front(), before};
}
"""
"""Milliseconds from a grip of the slider to the front at that context."""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    with running_server(tmp_path) as address, sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1440, "height": 1400}, accept_downloads=True)
        page.set_default_timeout(3 * PATIENCE_MS)
        page.goto(f"{address}/supernets")
        yield page
        chromium.close()


@pytest.mark.long
def test_from_a_folder_to_a_subnet_that_writes_outside(page: Any, tmp_path: Path) -> None:
    load(page, tmp_path)
    tune(page)
    move_the_context(page)
    here = write_here(page)
    outside = write_outside(page, tmp_path)
    assert outside["prompt"] == PROMPT
    assert here == PROMPT + outside["text"]
    assert len(outside["tokens"]) == 24


def load(page: Any, folder: Path) -> None:
    """The folder: what it is and what becomes elastic is said before anything is made."""
    (folder / "llama.zip").write_bytes(zipped(llama(width=32, layers=3, hidden=64, positions=64)))
    page.get_by_role("tab", name="Load a file or a folder").click()
    page.locator(".st-key-supernet-upload input[type=file]").set_input_files(str(folder / "llama.zip"))
    told = page.locator(".st-key-folder-understood")
    told.get_by_text("Llama").first.wait_for()
    told.get_by_text("hidden units of a layer's FFN").wait_for()
    page.locator(".st-key-load-supernet summary").first.click()
    for name, shares in (("heads", "0.5, 1"), ("ffn", "0.5, 1")):
        field = page.locator(f"[class*=st-key-folder-set-][class*=-{name}] input")
        field.fill(shares)
        field.press("Enter")
    told.get_by_text("125 subnets").wait_for()
    page.get_by_role("button", name="Make it a supernet").click()


def tune(page: Any) -> None:
    """InstaTune on the built-in texts, then every subnet is measured."""
    page.locator("[class*=st-key-insta-epochs] input").fill("1")
    page.locator("[class*=st-key-insta-epochs] input").press("Enter")
    page.locator(".st-key-insta-forecast").get_by_text("Will take").wait_for()
    page.get_by_role("button", name="Start InstaTune").click()
    page.get_by_role("button", name="Measure every subnet").click()
    page.get_by_role("link", name="Open its front").click()
    page.locator(".st-key-front-chart .js-plotly-plot .point").first.wait_for()


def move_the_context(page: Any) -> None:
    """The front follows the slider while it is dragged, and a click there sets the context of the page."""
    page.get_by_text("Perplexity").first.wait_for()
    page.get_by_role("radio", name="Memory and context").or_(
        page.get_by_role("button", name="Memory and context")
    ).first.click()
    page.locator(".st-key-context-chart .slider-group").wait_for()
    page.locator(".st-key-context-chart").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    moved = [page.evaluate(DRAG, share) for share in (0.05, 0.95, 0.5, 0.2, 0.8)]
    assert all(each["front"] != each["before"] for each in moved)
    # The best of five: the machine may be busy with something else.
    assert min(each["took"] for each in moved) < 300
    # The page's own slider moves the chart above, the card and the link.
    memory = page.locator(".st-key-subnet-card").get_by_role("row", name="Memory").first
    before = memory.inner_text()
    page.locator(".st-key-memory-context input").first.focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "before => !document.querySelector('.st-key-subnet-card').innerText.includes(before)", arg=before
    )
    page.wait_for_url("**context=131072**")


def write_here(page: Any) -> str:
    """Pick a subnet on the chart and let it write beside the largest."""
    page.locator(".st-key-settings-bar").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    point = page.evaluate(POINT, ["front", 0])
    page.mouse.click(point["x"], point["y"])
    page.locator(".st-key-subnet-card").get_by_text(point["id"]).first.wait_for()
    page.get_by_role("tab", name="Write text").click()
    page.locator("[class*=st-key-generation-prompt] textarea").fill(PROMPT)
    page.locator("[class*=st-key-generation-prompt] textarea").press("Control+Enter")
    page.locator("[class*=st-key-generation-tokens] input").fill("24")
    page.locator("[class*=st-key-generation-tokens] input").press("Enter")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Write", exact=True).click()
    page.locator(".st-key-generation").get_by_text("with the KV cache in use").wait_for()
    texts = page.locator(".ps-written p").all_text_contents()
    assert len(texts) == 2
    assert all(text.startswith(PROMPT) and len(text) > len(PROMPT) for text in texts)
    return str(texts[0])


def write_outside(page: Any, folder: Path) -> dict[str, Any]:
    """Download the picked subnet, and let it write the same far from this project."""
    with page.expect_download() as download:
        page.locator(".st-key-download-bundle button").first.click()
    bundle = folder / "bundle"
    bundle.mkdir()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        for member in archive.namelist():
            (bundle / Path(member).name).write_bytes(archive.read(member))
    command = [sys.executable, "-I", str(bundle / "generate.py"), PROMPT, "-n", "24", "--seed", "0", "--json"]
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=bundle, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
