"""The Supernets page in a browser: a whole supernet comes in, Back works, and a space of 10^10 is sampled to a front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.records import RunState
from core.store import RunStore
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server
from tests.helpers.huge import huge_file
from tests.helpers.kept_training import kept_training
from tests.helpers.supernet_files import measured_bundle

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str, Path]]:
    home = tmp_path_factory.mktemp("home")
    with running_server(home) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = browser.new_page(viewport={"width": 1440, "height": 1000})
        opened.set_default_timeout(2 * PATIENCE_MS)
        yield opened, address, home
        browser.close()


def load(page: Any, address: str, file: Path) -> None:
    page.goto(f"{address}/supernets")
    page.get_by_role("tab", name="Load a file").click()
    page.locator(".st-key-load-supernet .st-key-supernet-upload input[type=file]").set_input_files(str(file))
    page.locator(".st-key-understood").wait_for()
    page.locator(".st-key-supernet-add button").click()
    page.get_by_text("is in the library").wait_for()


@pytest.mark.long
def test_a_whole_supernet_comes_in_and_has_its_front(page: tuple[Any, str, Path], tmp_path: Path) -> None:
    browser, address, _ = page
    file = tmp_path / "tiny.zip"
    file.write_bytes(measured_bundle()[1])
    load(browser, address, file)
    card = browser.locator(".ps-supernet", has_text="Tiny, measured")
    image = card.locator("img.ps-thumbnail")
    image.wait_for()
    assert image.evaluate("image => image.complete && image.naturalWidth > 0"), "the picture is drawn"
    browser.locator("[class*=st-key-gallery-open-] button").first.click()
    browser.get_by_text("Where it came from").wait_for()
    browser.wait_for_url("**/supernets?supernet=*")
    browser.go_back()
    browser.locator("[class*=st-key-gallery-open-]").first.wait_for()
    browser.go_forward()
    browser.locator(".st-key-details-back").wait_for()
    with browser.expect_download() as download:
        browser.get_by_role("button", name="Export").click()
    assert Path(download.value.path()).read_bytes() == file.read_bytes(), "what comes out is what came in"


@pytest.mark.long
def test_a_space_of_ten_to_the_ten_is_sampled_to_a_front(page: tuple[Any, str, Path], tmp_path: Path) -> None:
    browser, address, _ = page
    file = tmp_path / "huge.safetensors"
    file.write_bytes(huge_file())
    load(browser, address, file)
    browser.get_by_text("Open it on the Front page").click()
    browser.get_by_text("too large to measure whole").wait_for()
    browser.get_by_label("Subnets of the sample", exact=True).fill("40")
    browser.get_by_label("Subnets of the sample", exact=True).press("Enter")
    browser.locator(".st-key-sample-start button").click()
    browser.get_by_text("The best of 40 measured subnets of 2.2 × 10¹⁰, not the exact front.").wait_for()
    browser.locator(".st-key-front-chart .js-plotly-plot").wait_for()
    browser.locator(".st-key-subnet-card").wait_for()
    browser.get_by_text("Search for better ones").wait_for()


def test_the_film_of_a_training_is_played_and_moved_by_the_keyboard(page: tuple[Any, str, Path]) -> None:
    browser, address, home = page
    with RunStore(f"sqlite:///{home / 'paretoscope.db'}", home) as store:
        kept_training(store, RunState.DONE, epochs=4)
    browser.goto(f"{address}/supernets")
    browser.locator("[class*=st-key-watch-]").get_by_text("Film of the front").click()
    browser.locator(".st-key-film .updatemenu-button[tabindex]").first.wait_for()
    browser.evaluate("""() => {
      window.seen = [];
      document.querySelector('.st-key-film .js-plotly-plot').on('plotly_animatingframe', e => window.seen.push(e.name));
    }""")
    browser.locator(".st-key-film .updatemenu-button").first.focus()
    browser.keyboard.press("Enter")
    browser.wait_for_function("window.seen.length >= 4")
    assert browser.evaluate("window.seen") == ["1", "2", "3", "4"]
    slider = browser.locator(".st-key-film .slider-group")
    slider.focus()
    browser.keyboard.press("ArrowLeft")
    browser.wait_for_function("window.seen.at(-1) === '3'")
    assert slider.get_attribute("aria-valuetext") == "Epoch 3"
    browser.keyboard.press("Home")
    browser.wait_for_function("window.seen.at(-1) === '1'")
    browser.emulate_media(reduced_motion="reduce")
    assert not browser.locator(".st-key-film .updatemenu-button").first.is_visible()
    assert slider.is_visible(), "whoever wants no motion goes from frame to frame"
    browser.emulate_media(reduced_motion="no-preference")
