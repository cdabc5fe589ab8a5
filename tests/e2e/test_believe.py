"""Whether to believe a supernet, in a browser: two trainings are compared over two seeds, a front is seen growing, the order of
six subnets is checked against training alone, and a pick is tuned and taken home."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    home = tmp_path_factory.mktemp("home")
    with running_server(home) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = browser.new_page(viewport={"width": 1440, "height": 1400})
        opened.set_default_timeout(PATIENCE_MS)
        yield opened, address
        browser.close()


def front(browser: Any, address: str) -> None:
    browser.goto(f"{address}/front?supernet=digits-lesson")
    browser.locator(".st-key-front-chart .js-plotly-plot").wait_for()
    browser.get_by_text("the broad line is the sure steps").wait_for()


def type_in(place: Any, label: str, value: int) -> None:
    field = place.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Enter")


def fill(browser: Any, key: str, number: int) -> None:
    field = browser.locator(f".st-key-{key} input")
    field.fill(str(number))
    field.press("Enter")
    still(browser)


def still(browser: Any) -> None:
    browser.wait_for_timeout(300)
    browser.locator("[data-test-script-state=notRunning]").wait_for()


def choose(browser: Any, key: str, option: str) -> None:
    browser.locator(f".st-key-{key} input").click()
    browser.get_by_role("option", name=option, exact=True).click()
    still(browser)


@pytest.mark.long
def test_two_trainings_are_compared_over_two_seeds(page: tuple[Any, str]) -> None:
    browser, address = page
    browser.goto(f"{address}/supernets")
    browser.get_by_role("tab", name="Compare trainings").click()
    browser.get_by_text("No comparison yet").wait_for()
    choose(browser, "compare-preset", "digits-lesson")
    fill(browser, "compare-epochs-digits-lesson", 2)
    fill(browser, "compare-seeds", 2)
    browser.locator(".st-key-compare-start button").click()
    verdict = browser.locator(".st-key-compare-verdict")
    verdict.get_by_text("Not decided: Sandwich rule is ahead").wait_for(timeout=3 * PATIENCE_MS)
    assert "Two seeds cannot tell that from chance" in verdict.inner_text()
    assert "The rule: of each training" in verdict.inner_text()
    browser.locator(".st-key-compare-by-cost .js-plotly-plot").first.wait_for()
    assert "comparison=" in browser.url, "a link shows it again"
    browser.locator(".st-key-compare-keep-0 button").click()
    browser.locator(".st-key-compare-open-0 button").wait_for()


@pytest.mark.long
def test_a_front_is_seen_growing(page: tuple[Any, str]) -> None:
    browser, address = page
    browser.goto(f"{address}/supernets")
    choose(browser, "train-preset", "digits-lesson")
    fill(browser, "train-epochs-digits-lesson", 3)
    browser.locator(".st-key-train-start button").click()
    browser.get_by_text("Film of the front").click(timeout=3 * PATIENCE_MS)
    browser.get_by_text("Its front").wait_for(timeout=3 * PATIENCE_MS)
    # While the page is drawn anew there may be two, the film as it was before the last epoch and as it is.
    browser.wait_for_function("document.querySelectorAll('.st-key-film .js-plotly-plot').length === 1")
    film = "document.querySelector('.st-key-film .js-plotly-plot')"
    browser.wait_for_function(f"{film}._transitionData?._frames.length === 3")
    still(browser)
    browser.locator(".st-key-film .updatemenu-button").first.click()
    browser.wait_for_function(f"{film}.layout.sliders[0].active === 2")


@pytest.mark.long
def test_the_order_of_six_subnets_is_checked(page: tuple[Any, str]) -> None:
    browser, address = page
    front(browser, address)
    browser.get_by_role("tab", name="How sure").click()
    browser.get_by_text("the ranking check").click()
    check = browser.locator(".st-key-ranking-check")
    check.get_by_text("Nothing was checked yet").wait_for()
    check.locator("summary").click()
    type_in(check, "How many", 6)
    check.get_by_text("12 networks are trained from scratch").wait_for()
    type_in(check, "Epochs", 1)
    check.get_by_text("1 epoch each").wait_for()
    check.get_by_text("Will take").wait_for()
    check.locator(".st-key-ranking-start button").click()
    check.get_by_text("12 of 12 networks trained alone, seeds 1, 2").wait_for(timeout=3 * PATIENCE_MS)
    check.get_by_text("6 subnets are too few").wait_for()
    points = "plot => plot._fullData.slice(1).map(t => t.x.length).reduce((a, b) => a + b)"
    assert check.locator(".st-key-ranking-figure .js-plotly-plot").evaluate(points) == 6
    check.get_by_text("Ranks", exact=True).click()
    check.locator(".st-key-ranking-figure").get_by_text("Rank in the supernet").wait_for()


def test_a_pick_is_tuned_and_taken_home(page: tuple[Any, str]) -> None:
    browser, address = page
    front(browser, address)
    card = browser.locator(".st-key-subnet-card")
    card.get_by_role("tab", name="Tune", exact=True).click()
    tune = browser.locator(".st-key-tune-subnet")
    type_in(tune, "Seeds", 2)
    tune.get_by_text("4 short trainings").wait_for()
    type_in(tune, "Epochs", 1)
    tune.get_by_text("Will take").wait_for()
    tune.get_by_role("button", name="Tune this subnet").click()
    tune.get_by_text("below 6 shared seeds no test can decide (with 2").wait_for(timeout=3 * PATIENCE_MS)
    tune.get_by_text("Tuning for 1 epoch changes test accuracy by").wait_for()
    tune.get_by_text("from scratch, as long, 1 epoch").wait_for()
    still(browser)
    with browser.expect_download() as download:
        tune.get_by_role("button", name="Download the tuned one").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as bundle:
        names = {Path(name).name for name in bundle.namelist()}
        assert {"model.safetensors", "predict.py", "card.md"} <= names
        told = bundle.read(next(n for n in bundle.namelist() if n.endswith("card.md"))).decode()
    assert "from the supernet's weights for 1 epoch" in told
    tune.get_by_role("button", name="Prune", exact=True).click()
    browser.wait_for_url("**/pruning?*")
    chosen = browser.locator(".st-key-pr-parent input").first
    chosen.wait_for()
    assert "tuned, 1 epoch, seed" in chosen.input_value()
