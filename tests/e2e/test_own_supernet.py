"""A person's once-for-all file and a folder of pictures: subnets' accuracy after three clicks, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.supernets.loaders.ofa_mobile import MobileNetV3Layout
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server
from tests.helpers.ofa_checkpoints import mobile_file
from tests.helpers.picture_folders import pictures

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    # The server's pipes outlive a failing test; that is not what it is about.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    with running_server(tmp_path) as address, sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1440, "height": 1400})
        page.set_default_timeout(3 * PATIENCE_MS)
        page.goto(f"{address}/supernets")
        yield page
        chromium.close()


@pytest.mark.long
def test_accuracy_on_own_images_in_three_clicks(page: Any, tmp_path: Path) -> None:
    name, data = mobile_file(MobileNetV3Layout(), "ofa_mobilenet_v3", classes=1000)
    (tmp_path / name).write_bytes(data)
    (tmp_path / "fish.zip").write_bytes(pictures({"tench": 8, "goldfish": 8, "n01484850": 8}))
    page.get_by_role("tab", name="Load a file").click()

    # 1: the checkpoint. What it is is said before anything starts.
    page.locator(".st-key-supernet-upload input[type=file]").set_input_files(str(tmp_path / name))
    page.locator(".st-key-understood").get_by_text("1,000 classes").first.wait_for()
    page.get_by_text("BatchNorm in the file are not used").wait_for()

    # 2: the pictures. Three of the thousand classes, told by the folders' names.
    page.locator("[class*=st-key-fitting-images] input[type=file]").set_input_files(
        str(tmp_path / "fish.zip")
    )
    found = page.locator(".st-key-fitting-found")
    found.get_by_text("3 of 1,000 classes").wait_for()
    found.get_by_text("No image is in two of these").wait_for()

    # 3: the button. The front of a sample, measured on these pictures.
    page.locator(".st-key-supernet-add button").click()
    page.locator(".st-key-front-chart .js-plotly-plot .point").first.wait_for()
    accuracy = page.evaluate(
        "() => document.querySelector('.st-key-front-chart .js-plotly-plot')?._fullData?.flatMap(t => [...(t.y || [])])"
    )
    assert accuracy
    assert all(0 <= value <= 1 for value in accuracy if value is not None)
    assert re.search(r"24 subnets|of 24|24 of", page.locator("section.main, .stMain").first.inner_text())
