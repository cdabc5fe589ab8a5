"""Whether to believe a supernet, in a browser: trainings compared, an order checked, a front seen growing, a pick tuned."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PRESET = "digits-lesson"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    home = tmp_path_factory.mktemp("home")
    with running_server(home) as address, sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1440, "height": 1400})
        page.set_default_timeout(3 * PATIENCE_MS)
        yield page, address
        chromium.close()


def fill(page: Any, key: str, number: int) -> None:
    """A number into a field, as a person types it; the page has taken it when it stands still."""
    field = page.locator(f".st-key-{key} input")
    field.fill(str(number))
    field.press("Enter")
    still(page)


def still(page: Any) -> None:
    page.wait_for_timeout(300)
    page.locator("[data-test-script-state=notRunning]").wait_for()


def choose(page: Any, key: str, option: str) -> None:
    page.locator(f".st-key-{key} input").click()
    page.get_by_role("option", name=option, exact=True).click()
    still(page)


def test_two_trainings_are_compared_over_two_seeds(opened: tuple[Any, str]) -> None:
    page, address = opened
    page.goto(f"{address}/supernets")
    page.get_by_role("tab", name="Compare trainings").click()
    page.get_by_text("No comparison yet").wait_for()
    choose(page, "compare-preset", PRESET)
    fill(page, f"compare-epochs-{PRESET}", 2)
    fill(page, "compare-seeds", 2)
    page.locator(".st-key-compare-start button").click()
    verdict = page.locator(".st-key-compare-verdict")
    verdict.get_by_text("Not decided: Sandwich rule is ahead").wait_for()
    assert "Two seeds cannot tell that from chance" in verdict.inner_text()
    assert "The rule: of each training" in verdict.inner_text()
    page.locator(".st-key-compare-by-cost .js-plotly-plot").wait_for()
    assert "comparison=" in page.url, "a link shows it again"
    page.locator(".st-key-compare-keep-0 button").click()
    page.locator(".st-key-compare-open-0 button").wait_for()


def test_the_front_is_seen_growing(opened: tuple[Any, str]) -> None:
    page, address = opened
    page.goto(f"{address}/supernets")
    choose(page, "train-preset", PRESET)
    fill(page, f"train-epochs-{PRESET}", 3)
    page.locator(".st-key-train-start button").click()
    page.get_by_text("Film of the front").click()
    film = page.locator(".st-key-film .js-plotly-plot")
    film.wait_for()
    frames = "() => document.querySelector('.st-key-film .js-plotly-plot')._transitionData._frames.length"
    page.wait_for_function(f"({frames})() > 1")
    where = "() => document.querySelector('.st-key-film .js-plotly-plot').layout.sliders[0].active"
    page.get_by_text("Its front").wait_for()
    page.locator(".st-key-film .updatemenu-button").first.click()
    page.wait_for_function(f"({where})() === ({frames})() - 1")


def test_the_order_of_six_subnets_is_checked(opened: tuple[Any, str]) -> None:
    page, address = opened
    page.goto(f"{address}/supernets?supernet={PRESET}")
    check = page.locator(".st-key-ranking-check")
    check.locator("summary").click()
    for key, number in (("subnets", 6), ("seeds", 1), ("epochs", 1)):
        fill(page, f"ranking-{key}-{PRESET}", number)
    page.locator(".st-key-ranking-start button").click()
    page.locator(".st-key-ranking-figure .js-plotly-plot").wait_for()
    check.get_by_text("6 subnets so far").wait_for()


def test_a_pick_is_tuned_and_downloaded(opened: tuple[Any, str]) -> None:
    page, address = opened
    page.goto(f"{address}/front?supernet={PRESET}")
    page.locator(".st-key-subnet-card").get_by_role("tab", name="Tune").click()
    for key in ("epochs", "seeds"):
        fill(page, f"tune-subnet-{key}-{PRESET}", 1)
    page.locator(".st-key-tune-subnet-start button").click()
    panel = page.locator(".st-key-tune-subnet")
    panel.get_by_text("from scratch, 1 epoch").wait_for()
    panel.get_by_role("button", name="Cancel").wait_for(state="detached")
    with page.expect_download() as download:
        panel.get_by_role("button", name="Download the tuned one").first.click()
    with zipfile.ZipFile(download.value.path()) as bundle:
        assert {"model.safetensors", "predict.py"} <= {Path(name).name for name in bundle.namelist()}
