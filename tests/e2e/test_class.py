"""A class in a real browser: the cookie, what comes by itself, and a server that is killed and started anew."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")


from core.store import RunStore
from tests.e2e.browser import CHROMIUM, PATIENCE_MS, running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]


@pytest.mark.long
def test_a_class_goes_on_after_its_server_was_killed(chromium: Any, tmp_path: Path) -> None:
    teacher, student = (chromium.new_context() for _ in range(2))
    with running_server(tmp_path) as address:
        leading = teacher.new_page()
        leading.set_default_timeout(PATIENCE_MS)
        leading.goto(f"{address}/classroom")
        leading.click(".st-key-class-new button")
        code = leading.inner_text(".ps-code").replace(" ", "")
        picture = leading.locator(".ps-qr")
        assert picture.evaluate("image => image.naturalWidth") > 100

        joining = student.new_page()
        joining.set_default_timeout(PATIENCE_MS)
        joining.goto(f"{address}/classroom?class={code}")
        joining.fill(".st-key-class-nickname input", "Ada <b>L.</b>")
        joining.click(".st-key-class-enter button")
        joining.wait_for_selector("text=Nothing yet")
        leading.wait_for_selector("text=Ada <b>L.</b>")  # by itself

        [cookie] = [each for each in student.cookies() if each["name"] == "paretoscope-class"]
        assert cookie["sameSite"] == "Lax"
        secret = cookie["value"].split(".")[2]
        assert secret not in joining.url
        mine = leading.url
        assert "teacher=" in mine
        assert "teacher=" not in joining.url

        leading.goto(f"{mine.replace('&show=join', '')}&show=board&lesson=dominance")
        leading.click(".st-key-class-send button")
        joining.wait_for_selector(".st-key-class-now-lesson")  # by itself
        os.kill(int((tmp_path / "server.pid").read_text()), signal.SIGKILL)
    with running_server(tmp_path) as address:
        again = student.new_page()
        again.set_default_timeout(PATIENCE_MS)
        again.goto(f"{address}/classroom")
        again.wait_for_selector(".st-key-class-now-lesson")
        assert "Ada <b>L.</b>" in again.inner_text("body")
        stranger = chromium.new_context().new_page()
        stranger.set_default_timeout(PATIENCE_MS)
        stranger.goto(f"{address}/classroom?class={code}")
        stranger.wait_for_selector(".st-key-class-nickname input")
        led = teacher.new_page()
        led.set_default_timeout(PATIENCE_MS)
        led.goto(f"{address}/classroom?{mine.partition('?')[2]}")
        led.wait_for_selector("text=Ada <b>L.</b>")
        again.click("text=Leave the class")
        again.click(".st-key-class-leave-it button")
        again.wait_for_selector(".st-key-class-new button")
        assert not [each for each in student.cookies() if each["name"] == "paretoscope-class"]
    with RunStore(f"sqlite:///{tmp_path / 'paretoscope.db'}", tmp_path) as store:
        assert store.check() == []
        assert [each.nickname for each in store.classes.students(code)] == ["Ada <b>L.</b>"]
