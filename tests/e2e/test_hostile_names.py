"""Names that want to be code, in a real browser: no dialog, no foreign request, no broken page."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.library import supernets
from core.records import Measurement, RunState
from core.settings import ASSETS
from core.store import RunStore
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, running_server
from tests.plots.test_number_formats import HOSTILE

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
MORE = [
    "<img src=http://127.0.0.1:9/x onerror=alert(1)>",
    "![t](http://127.0.0.1:9/x.png)",
    "<svg onload=alert(1)>",
    "$$\\href{javascript:alert(1)}{x}$$",
]


def fill(home: Path) -> str:
    """A store full of hostile names; returns the id of a supernet that has one."""
    with RunStore(f"sqlite:///{home / 'paretoscope.db'}", home) as store:
        entry = supernets.find(None, "digits-cnn")
        for name in [*HOSTILE, *MORE]:
            shown = name.replace("\x00", "")[:80] or "x"
            run_id = store.create_run(
                "search_front", {"supernet": "digits-cnn", "objectives": ["accuracy", "macs"]}, title=shown
            )
            measured = Measurement(entry.space.largest, {"accuracy": 0.9, "macs": 1e5})
            store.ledger(run_id).add_measurements(0, [measured])
            store.append_log(run_id, shown)
            store.set_state(run_id, RunState.DONE, shown)
        weights = (ASSETS / "supernets" / "digits-cnn" / "supernet.safetensors").read_bytes()
        return store.add_supernet(MORE[0], weights, {"data": {"name": MORE[1]}})


@pytest.mark.long
def test_no_name_becomes_code(tmp_path: Path) -> None:
    supernet = fill(tmp_path)
    seen: list[str] = []
    with running_server(tmp_path) as address, sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda request: request.url.startswith("http://127.0.0.1:9/") and seen.append(request.url),
        )
        for path in (
            "",
            f"?supernet={supernet}",
            "supernets",
            "search?supernet=digits-cnn",
            "runs",
            f"?sid={MORE[0]}&x={MORE[2]}",
        ):
            page.goto(f"{address}/{path}")
            page.wait_for_selector("h1")
            page.wait_for_timeout(2000)
            assert page.locator("[data-testid='stException']").count() == 0
        chromium.close()
    assert seen == []
