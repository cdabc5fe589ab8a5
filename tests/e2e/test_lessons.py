"""Every lesson from start to end in a browser: predicted, looked at, answered wrongly, then rightly; and what scripts add.

Answers come from the lessons' own functions. With LESSON_PICTURES=FOLDER every step is kept as a picture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.lessons.asking import Answer, Ask, Choose, Mark, Number, Order
from core.lessons.base import LESSONS, all_lessons, controls_of, evidence_of
from core.library.library import Library
from tests.e2e.browser import CHROMIUM, PATIENCE_MS, running_server
from tests.pages.test_learn_page import wrong

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]
PICTURES = os.environ.get("LESSON_PICTURES", "")
SIZE = tuple(map(int, os.environ.get("LESSON_SIZE", "1440x900").split("x")))
THEME = os.environ.get("LESSON_THEME", "light")
MODE = os.environ.get("LESSON_MODE", "")
STILL = """() => document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning'
  && !document.querySelector('[data-testid="stSkeleton"]') && document.querySelector('.st-key-lesson-figure .main-svg')"""
LATER = "() => [...document.scripts].some(s => s.src.includes('later.js'))"
POINT = """key => {
  const plot = document.querySelector('.st-key-lesson-figure .js-plotly-plot');
  const trace = plot._fullData.find(t => t.customdata?.includes(key));
  const [x, y] = [trace.x, trace.y].map(values => values[[...trace.customdata].indexOf(key)]);
  const {left, top} = plot.getBoundingClientRect(), {xaxis, yaxis} = plot._fullLayout;
  return {x: left + xaxis._offset + xaxis.d2p(x), y: top + yaxis._offset + yaxis.d2p(y)};
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("home")) as address:
        yield address


class Learner:
    """Somebody in front of a lesson."""

    def __init__(self, page: Any, name: str) -> None:
        self.page, self.name, self.n = page, name, 0

    def still(self, step: str = "") -> None:
        self.page.wait_for_timeout(120)
        self.page.wait_for_function(STILL)
        if PICTURES and step:
            self.page.wait_for_timeout(500)
            self.n += 1
            self.page.screenshot(path=f"{PICTURES}/{self.name}-{self.n}-{step}.png")

    def press(self, key: str, step: str = "") -> None:
        self.page.locator(f".st-key-{key} button:visible").first.click()
        self.still(step)

    def give(self, ask: Ask, key: str, answer: Answer) -> None:
        """Enter an answer: points by clicks on the figure, all else by its widget."""
        place = self.page.locator(f".st-key-{key}")
        if isinstance(ask, Mark):
            for point in answer if isinstance(answer, tuple) else ():
                place_of = self.page.evaluate(POINT, point)
                self.page.mouse.click(place_of["x"], place_of["y"])
                self.still()
        elif isinstance(ask, Order):
            for item in answer if isinstance(answer, tuple) else ():
                place.locator("input").click()
                self.page.get_by_role("option", name=ask.options[item], exact=True).click()
                self.still()
            self.page.keyboard.press("Escape")
        elif isinstance(ask, Choose):
            words = ask.options[str(answer)]
            if place.locator('[role="radiogroup"]').count():
                place.locator("label").filter(has_text=words).first.click()
            else:
                place.locator("input").click()
                self.page.get_by_role("option", name=words, exact=True).click()
        else:
            self._number(place, ask, answer)
        self.still()

    def _number(self, place: Any, ask: Ask, answer: Answer) -> None:
        assert isinstance(ask, Number)
        assert isinstance(answer, float | int)
        slider = place.locator('[role="slider"]')
        if slider.count():
            slider.focus()
            slider.press("Home" if answer == ask.low else "End" if answer == ask.high else "ArrowRight")
            return
        field = place.locator("input")
        field.fill(f"{answer:.10g}")
        field.press("Enter")
        self.page.wait_for_timeout(400)  # on a busy machine it takes a moment until the page begins to run


def take(page: Any, name: str) -> None:
    """One lesson, from its card on the map to the last step."""
    each = LESSONS.create(name)
    found = evidence_of(each, Library(None))
    at = controls_of(each, found, {})
    learner = Learner(page, name)
    page.locator(f".st-key-lesson-open-{name} button:visible").first.click()
    page.wait_for_selector(".st-key-lesson-figure .main-svg")
    learner.still("read")
    for _ in each.text(found):
        learner.press("lesson-next")
    ask, truth = each.prediction(found, at), each.truth(found, at)
    assert page.locator(".st-key-lesson-reveal button:visible").first.is_disabled()
    learner.give(ask, "ls-predict", wrong(ask, truth) or truth)
    learner.still("predict")
    learner.press("lesson-predict", "locked")
    learner.press("lesson-reveal", "result")
    page.locator(".ps-versus").wait_for()  # a busy machine may be still before it has begun
    learner.press("lesson-next")
    ask, truth = each.question(found, at), each.answer(found, at)
    false = wrong(ask, truth)
    if false is not None:
        learner.give(ask, "ls-answer", false)
        learner.press("lesson-check", "wrong")
        page.locator(".st-key-lesson-answer").filter(has_text="not yet").wait_for()
        page.locator(".st-key-ls-answer [aria-label='Clear all']").click() if isinstance(
            ask, Mark | Order
        ) else None
        learner.still()
    learner.give(ask, "ls-answer", truth)
    learner.press("lesson-check", "right")
    page.locator(".st-key-lesson-answer").filter(has_text="right").wait_for()
    learner.press("lesson-next", "further")
    page.locator(".st-key-lesson-text a:visible").first.wait_for()
    page.locator(".st-key-lesson-all button:visible").first.click()
    page.wait_for_selector(f".st-key-lesson-open-{name}")


A_FEW = ("dominance", "hypervolume", "latency_and_macs")
"""One of each kind of answer: points, numbers, an order, an option."""


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(A_FEW, id="a few"),
        pytest.param(tuple(each.name for each in all_lessons()), id="all", marks=pytest.mark.long),
    ],
)
def test_lessons_are_taken_from_start_to_end(address: str, chromium: Any, names: tuple[str, ...]) -> None:
    page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme=THEME)
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/learn{MODE}")
    page.wait_for_selector(".st-key-lesson-list")
    for name in names:
        take(page, name)
    page.wait_for_function(
        "n => [...document.querySelectorAll('.st-key-lesson-list button')].filter(b => b.textContent.includes('again') && b.checkVisibility()).length >= n",
        arg=len(names),
    )
    assert errors == []
    page.close()


@pytest.mark.long
def test_the_first_visit_is_shown_once_and_only_to_people(address: str, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url) if "later.js" in request.url else None)
    page.goto(address)
    page.wait_for_selector(".st-key-front-chart .main-svg")
    page.wait_for_function(LATER)
    page.wait_for_timeout(600)
    assert page.locator("#ps-visit").count() == 0, "a driven browser is no visitor"
    assert len(loaded) == 1
    page.add_init_script("Object.defineProperty(navigator, 'webdriver', {get: () => false})")
    page.goto(f"{address}/?supernet=digits-cnn")
    page.wait_for_selector(".st-key-front-chart .main-svg")
    page.wait_for_timeout(900)
    assert page.locator("#ps-visit").count() == 0, "a link with a selection shows what it names"
    page.goto(address)
    page.wait_for_selector("#ps-visit")
    seen = []
    for _ in range(6):
        seen.append(page.locator("#ps-visit-title").inner_text())
        page.keyboard.press("ArrowRight")
    assert len(set(seen)) == 6
    assert page.locator("#ps-visit").count() == 0
    assert page.evaluate("localStorage['ps-first-visit']") == "seen", "once"
    page.goto(f"{address}/words")
    page.wait_for_function(LATER)
    page.wait_for_timeout(300)
    page.locator(".ps-visit-again").click()
    page.wait_for_selector("#ps-visit")
    page.keyboard.press("Escape")
    assert page.locator("#ps-visit").count() == 0
    context.close()


def test_a_dominated_corner_is_shaded_and_a_term_leads_to_its_entry(address: str, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 800, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{address}/learn?lesson=dominance&step=predict&embed=true")
    page.wait_for_selector(".js-plotly-plot[data-ps-quadrant]")
    key = page.evaluate("document.querySelector('.js-plotly-plot')._fullData[0].customdata[3]")
    at = page.evaluate(POINT, key)
    page.mouse.move(at["x"], at["y"])
    page.wait_for_selector(".ps-quadrant", state="visible")
    box = page.locator(".ps-quadrant").bounding_box()
    assert abs(box["x"] - at["x"]) < 3
    assert abs(box["y"] - at["y"]) < 3
    assert page.locator('[data-testid="stSidebar"]:visible').count() == 0, "no menu within another page"
    with context.expect_page() as opened:
        page.locator(".st-key-lesson-text a[href^='words#']").first.click()
    words = opened.value
    words.wait_for_selector("dt.ps-asked")
    assert words.locator("dt.ps-asked").get_attribute("id") in words.url
    context.close()
