"""A person in a browser: presses, chooses and types as people do, and looks at every step at what is on the screen."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import TimeoutError

from tests.e2e.browser import PATIENCE_MS, POINT

FOLDER = Path(__file__).resolve().parent
LOOK = (FOLDER / "visitor.js").read_text(encoding="utf-8")
STILL = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  return app?.dataset.testScriptState === 'notRunning' && !document.querySelector('[data-testid="stSkeleton"], [data-testid="stSpinner"]')
    && [...document.querySelectorAll('.stPlotlyChart')].every(e => !e.checkVisibility() || e.querySelector('.main-svg'));
}"""
RESTLESS = """() => [
  document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState,
  ...[...document.querySelectorAll('[data-testid="stSkeleton"], [data-testid="stSpinner"]')].map(e => e.dataset.testid),
  ...[...document.querySelectorAll('.stPlotlyChart')].filter(e => e.checkVisibility() && !e.querySelector('.main-svg')).map(
    e => `not drawn: ${e.closest('[class*="st-key-"]')?.className}`),
]"""
WHOLE = "() => document.querySelector('[data-testid=\"stMain\"]').scrollHeight"

STREAMLITS_OWN = {
    "/_stcore/health": "under a link to a page Streamlit asks for its server below that page first, and then where it is",
    "/_stcore/host-config": "the same",
    "GPU stall due to ReadPixels": "Chromium without a graphics card, on charts drawn by WebGL",
}
"""Part of a message -> why it is not ours."""


@dataclass(frozen=True)
class Size:
    """A screen: width and height in CSS pixels, and how many of its own a CSS pixel has."""

    width: int
    height: int
    scale: float = 1


SIZES = {
    "1440": Size(1440, 900),
    "projector": Size(853, 480, 1.5),  # 1280x720 at 150 %
    "800": Size(800, 1000),
    "390": Size(390, 844),
}
PHONE = "390"
"""Of them, the one that is touched."""
THEMES = ("light", "dark")


class Visitor:
    """One person at one screen.

    Attributes:
        page: of Playwright.
        address: of the server.
        size, theme: of the screen.
        problems: sentences, each beginning with the step at which it was seen.
    """

    def __init__(
        self, chromium: Any, address: str, *, size: str, theme: str, pictures: Path | None = None
    ) -> None:
        self.chromium, self.address, self.size, self.theme, self.pictures = (
            chromium,
            address,
            size,
            theme,
            pictures,
        )
        self.problems: list[str] = []
        self.steps: list[str] = []
        self.said: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Any:
        """A page of a new context, as of another person."""
        size = SIZES[self.size]
        context = self.chromium.new_context(
            viewport={"width": size.width, "height": size.height},
            device_scale_factor=size.scale,
            color_scheme=self.theme,
            has_touch=self.size == PHONE,
            is_mobile=self.size == PHONE,
        )
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.said.append(f"uncaught: {error}"))
        return page

    def _heard(self, message: Any) -> None:
        told = f"{message.text[:300]} ({message.location.get('url', '')})"
        if message.type in ("error", "warning") and not any(part in told for part in STREAMLITS_OWN):
            self.said.append(f"console: {told}")

    def close(self) -> None:
        for context in self.chromium.contexts:
            context.close()

    # What a person does.

    def arrive(self, path: str) -> None:
        """By a link."""
        self.page.goto(f"{self.address}/{path}")
        self.page.wait_for_selector("h1")
        self.still()

    def go(self, title: str) -> None:
        """To another page, by the menu; it is opened first where it is folded."""
        unfold = self.page.locator("[data-testid='stExpandSidebarButton']")
        link = self.page.locator("[data-testid='stSidebarNavLink']", has_text=title)
        if not self.menu_is_open():
            unfold.click()
        link.first.click()
        self.page.wait_for_function("title => document.querySelector('h1')?.textContent === title", arg=title)
        self.still()

    def menu_is_open(self) -> bool:
        return bool(
            self.page.evaluate(
                "() => document.querySelector('[data-testid=\"stSidebar\"]')?.getBoundingClientRect().right > 50"
            )
        )

    def menu(self, open_it: bool) -> None:
        """Open or fold the menu."""
        if self.menu_is_open() == open_it:
            return
        if open_it:
            self.page.locator("[data-testid='stExpandSidebarButton']").click()
        else:
            side = self.page.locator("[data-testid='stSidebar']")
            side.hover()
            side.locator("[data-testid='stSidebarCollapseButton'] button").click()
        self.page.wait_for_timeout(500)

    def key(self, name: str) -> Any:
        """What has this key of Streamlit's."""
        return self.page.locator(f".st-key-{name}").first

    def press(self, name: str) -> None:
        """The button of this key."""
        self.still()
        self.key(name).locator("button:visible").first.click()
        self.still()

    def tab(self, name: str) -> None:
        self.still()
        self.page.get_by_role("tab", name=name, exact=True).first.click()
        self.still()

    def choose(self, name: str, option: str | int) -> None:
        """An option of the chooser of this key: by its text or its place."""
        options = self.page.get_by_role("option")
        wanted = options.nth(option) if isinstance(option, int) else options.filter(has_text=option).first
        self.open_chooser(name)
        wanted.click()
        self.still()

    def choose_another(self, beginning: str) -> None:
        """In the first chooser whose key begins so: an option that it does not show now."""
        named = self.page.locator(f"[class*='st-key-{beginning}']").first.get_attribute("class") or ""
        (key,) = (each[len("st-key-") :] for each in named.split() if each.startswith(f"st-key-{beginning}"))
        now = self.key(key).locator("input").first.input_value()
        self.open_chooser(key)
        texts = self.page.get_by_role("option").all_inner_texts()
        other = next(index for index, text in enumerate(texts) if text.strip() != now)
        self.page.get_by_role("option").nth(other).click()
        self.still()

    def open_chooser(self, name: str) -> None:
        """Open the list of a chooser. The page may be drawn anew in that moment, which closes it: a person presses again."""
        for _ in range(5):
            self.still()
            self.key(name).locator("[role='combobox']").first.click()
            with suppress(TimeoutError):
                self.page.get_by_role("option").first.wait_for(timeout=5000)
                return
        raise AssertionError(f"the list of {name} does not open")

    def fill(self, name: str, value: str) -> None:
        """Type into the field of this key."""
        self.still()
        field = self.key(name).locator("input").first
        field.fill(value)
        field.press("Enter")
        self.still()

    def toggle(self, name: str) -> None:
        self.still()
        self.key(name).locator("label").first.click()
        self.still()

    def click_point(self, trace: str, index: int) -> str:
        """A point of the front's chart; returns its id."""
        self.key("front-chart").scroll_into_view_if_needed()
        self.page.wait_for_timeout(200)
        spot = self.page.evaluate(POINT, [trace, index])
        if self.size == PHONE:
            self.page.touchscreen.tap(spot["x"], spot["y"])
        else:
            self.page.mouse.move(spot["x"], spot["y"])
            self.page.mouse.click(spot["x"], spot["y"])
        return str(spot["id"])

    def row(self, name: str, index: int) -> None:
        """Select a row of a table by its box at the left."""
        grid = self.page.locator(f".st-key-{name} [data-testid='stDataFrame'] canvas").first
        grid.scroll_into_view_if_needed()
        box = grid.bounding_box()
        self.page.mouse.click(box["x"] + 16, box["y"] + 35 * (index + 1) + 17)
        self.still()

    def download(self, name: str) -> tuple[str, bytes]:
        """Press the download of this key; returns the file's name and content.

        Raises:
            AssertionError: the file is empty.
        """
        self.still()
        with self.page.expect_download() as caught:
            self.key(name).locator("button:visible").first.click()
        data = Path(caught.value.path()).read_bytes()
        assert data, f"{caught.value.suggested_filename} is empty"
        return caught.value.suggested_filename, data

    def escape(self) -> None:
        """Close what is open above the page."""
        self.page.keyboard.press("Escape")
        self.page.wait_for_timeout(200)
        self.still()

    # What a person sees.

    def still(self) -> None:
        """Wait until nothing moves."""
        self.page.wait_for_timeout(60)
        try:
            self.page.wait_for_function(STILL)
        except TimeoutError as error:
            error.add_note(f"What is not still: {self.page.evaluate(RESTLESS)}")
            raise

    def until(self, holds: str, *, arg: Any = None, seconds: float | None = None) -> None:
        """Wait for a condition in JavaScript."""
        self.page.wait_for_function(holds, arg=arg, timeout=seconds and 1000 * seconds)

    def look(self, step: str, at: str = "", page: Any = None) -> None:
        """Look at the page: all that is checked, and a picture where somebody wants some.

        Args:
            step: what was done just now.
            at: key of what the picture is about, "" for the place where the page is.
            page: another than the visitor's own.
        """
        page = page or self.page
        if page is self.page:
            self.still()
        page.wait_for_timeout(150)
        self.steps.append(step)
        said, self.said = self.said, []
        self.problems += [f"{step}: {sentence}" for sentence in (*said, *page.evaluate(LOOK))]
        if self.pictures is None:
            return
        if at:
            page.locator(f".st-key-{at}").first.evaluate("e => e.scrollIntoView({block: 'center'})")
        name = f"{len(self.steps):02d}-{step.replace(' ', '-')}"
        page.screenshot(path=self.pictures / f"{name}.png")

    def look_at_all(self, step: str) -> None:
        """Look at the page, and take it whole: the window as high as what is in it."""
        self.look(step)
        if self.pictures is None:
            return
        size = SIZES[self.size]
        height = min(int(self.page.evaluate(WHOLE)) + 60, 6000)
        self.page.set_viewport_size({"width": size.width, "height": max(height, size.height)})
        self.page.wait_for_timeout(700)
        name = f"{len(self.steps):02d}-{step.replace(' ', '-')}-whole"
        self.page.screenshot(path=self.pictures / f"{name}.png")
        self.page.set_viewport_size({"width": size.width, "height": size.height})
        self.page.wait_for_timeout(300)

    def expect(self, holds: bool, sentence: str) -> None:
        """Note what is not as it should be, and go on."""
        if not holds:
            self.problems.append(f"{self.steps[-1] if self.steps else 'at first'}: {sentence}")
