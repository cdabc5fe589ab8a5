"""Nothing jumps while a page loads: places are kept for what comes later.

And a change of something styles that anew, not the whole page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.first_load import SHIFTS
from tests.e2e.browser import CHROMIUM, running_server
from tests.e2e.visitor import Visitor

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]
MOST = 0.1
"""What a person does not notice, as web.dev/cls has it; Chromium's cumulative layout shift."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.mark.parametrize(
    ("path", "size"),
    [("", "1440"), ("similarity", "1440"), ("learn", "1440"), ("pruning", "800"), ("", "390")],
)
def test_nothing_jumps_while_a_page_loads(chromium: Any, server: str, path: str, size: str) -> None:
    me = Visitor(chromium, server, size=size, theme="light")
    me.page.add_init_script(SHIFTS)
    me.arrive(path)
    me.page.wait_for_timeout(1500)
    assert me.page.evaluate("window.shifted") < MOST
    me.page.context.close()


def restyled(trace: Path) -> int:
    """How many times an element was styled while a trace was taken."""
    events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    of = [
        e["args"].get("elementCount", 0)
        for e in events
        if e.get("name") == "UpdateLayoutTree" and "args" in e
    ]
    return sum(of)


def test_another_measure_does_not_style_the_page_anew(chromium: Any, server: str, tmp_path: Path) -> None:
    """1,800 to 2,400 where styles are asked for what changed; 4,400 with one `:not(:has())` around everything."""
    me = Visitor(chromium, server, size="1440", theme="light")
    me.arrive("similarity")
    me.choose("sim-measure", 1)
    me.open_chooser("sim-measure")
    me.page.wait_for_timeout(400)
    trace = tmp_path / "trace.json"
    chromium.start_tracing(page=me.page, path=trace, categories=["devtools.timeline"])
    me.page.get_by_role("option").nth(2).click()
    me.page.wait_for_timeout(200)
    me.still()
    chromium.stop_tracing()
    assert restyled(trace) < 3300
    me.page.context.close()
