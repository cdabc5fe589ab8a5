"""Three people's days in a real browser, without anything to stumble over (see `days.py`, which also takes pictures)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")


from tests.e2e.browser import CHROMIUM, running_server
from tests.e2e.days import PEOPLE, play, tracebacks
from tests.e2e.visitor import LOOK, SIZES, THEMES

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]
USUAL = (("engineer", "390", "dark"),)
"""The shortest; the others take two minutes each. `test_screens.py` looks at all pages, at 1440 pixels as well."""
OTHERS = [each for each in itertools.product(PEOPLE, SIZES, THEMES) if each not in USUAL]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    with running_server(home) as address:
        yield address


@pytest.mark.parametrize(("who", "size", "theme"), USUAL)
def test_a_day(chromium: Any, server: str, home: Path, who: str, size: str, theme: str) -> None:
    assert [*play(chromium, server, who=who, size=size, theme=theme), *tracebacks(home)] == []


@pytest.mark.long
@pytest.mark.parametrize(("who", "size", "theme"), OTHERS)
def test_a_day_at_every_size(chromium: Any, tmp_path: Path, who: str, size: str, theme: str) -> None:
    with running_server(tmp_path) as address:
        found = play(chromium, address, who=who, size=size, theme=theme)
    assert [*found, *tracebacks(tmp_path)] == []


FAULTS = {
    "exception": '<div data-testid="stException">ValueError: no</div>',
    "error": '<div data-testid="stAlertContentError">It cannot be done</div>',
    "the page scrolls sideways": '<div style="width: 3000px">wide</div>',
    "wider than its frame": '<div class="ps-scroll" style="width: 60px; overflow: auto; white-space: nowrap">more than fits</div>',
    "cut at the side": '<p style="width: 60px; overflow: hidden; white-space: nowrap">more than fits in here</p>',
    "cut above or below": '<p style="height: 20px; overflow: hidden">one<br>two<br>three</p>',
    "outside of the window": '<p style="position: fixed; left: 95%; white-space: nowrap">beyond the window\'s end</p>',
    "cut in its field": '<input style="width: 60px" value="more than fits in here">',
    "beyond the chart": '<div class="js-plotly-plot" style="width: 90px; height: 40px"><svg class="main-svg" width="90" '
    'height="40" style="overflow: visible"><text x="60" y="20">a long label</text></svg></div>',
    "labels run into each other": '<div class="js-plotly-plot" style="width: 300px"><svg class="main-svg" width="300" '
    'height="40"><g class="xtick"><text y="20">ten thousand</text></g><g class="xtick"><text x="20" y="20">20k</text></g></svg></div>',
    "covered": '<div style="position: relative"><button>Press</button><div style="position: absolute; inset: 0">veil</div></div>',
    "the bar lies upon": '<div data-testid="stHeader" style="position: fixed; top: 0"><button>menu</button></div>'
    '<div class="st-key-page-head" style="position: fixed; top: 0"><h1 style="margin: 0">Front</h1></div>',
}
FINE = (
    '<p style="width: 60px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis">more than fits in here</p>'
    '<p style="width: 60px; overflow: hidden; white-space: nowrap" title="more than fits in here">more than fits in here</p>'
    '<div style="width: 60px; overflow: auto; white-space: nowrap">more than fits in here</div>'
    '<label><input type="checkbox"> A choice</label><button>Press</button>'
)


@pytest.mark.parametrize("fault", [*FAULTS, ""])
def test_what_a_person_would_stumble_over_is_seen(chromium: Any, fault: str) -> None:
    page = chromium.new_page(viewport={"width": 1200, "height": 400})
    wrong = FAULTS.get(fault, "")
    inside, around = ("", wrong) if "fixed" in wrong else (wrong, "")
    page.set_content(
        f'<div data-testid="stMain" style="height: 380px; overflow: auto; padding-top: 60px">{FINE}{inside}</div>{around}'
    )
    found = page.evaluate(LOOK)
    page.close()
    if fault:
        assert any(sentence.startswith(fault) for sentence in found), found
    else:
        assert found == []
