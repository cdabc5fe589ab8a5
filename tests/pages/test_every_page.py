"""Every page: opens without an exception, survives any address, and loads nothing heavy."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.objectives.base import OBJECTIVES
from pages.ui.address import format_view
from pages.ui.address import parse as parse_view
from pages.ui.front.state import View
from tests.pages.conftest import PAGES, ROOT

Open = Callable[..., AppTest]


@pytest.mark.parametrize("name", PAGES)
def test_opens_with_an_empty_store(open_page: Open, name: str) -> None:
    app = open_page(name)
    assert app.title[0].value
    assert not app.error


def hostile_query(rng: random.Random) -> dict[str, str]:
    words = [
        "digits-cnn",
        "fashion-cnn",
        "../../etc/passwd",
        "",
        "0" * 12,
        "201020101110",
        "<script>alert(1)</script>",
        "accuracy",
        "macs",
        "'; DROP TABLE runs; --",
        "\u202e\u0000",
        "9" * 500,
        "nan",
        "inf",
        "-1",
        "macs<=1e5;accuracy>=0.5",
        "macs<=nan",
        "accuracy>=inf",
        "macs<=1e999",
        "accuracy<=0.1",
        "macs<=-5;macs<=3;;;=",
        "__class__",
        "1",
        "0",
        *OBJECTIVES.names(),
    ]
    keys = ["supernet", "run", "x", "y", "sid", "logx", "logy", "limits", "zzz"]
    return {key: rng.choice(words) for key in rng.sample(keys, rng.randint(1, 6))}


@pytest.mark.slow
@pytest.mark.parametrize("n", [15, pytest.param(120, marks=pytest.mark.long)])
def test_any_address_gives_a_page(open_page: Open, n: int) -> None:
    rng = random.Random(n)
    for _ in range(n):
        open_page("front", **hostile_query(rng))


def test_any_address_is_parsed_and_stays_put() -> None:
    rng = random.Random(1)
    for _ in range(20_000):
        view = parse_view(View, hostile_query(rng))
        assert parse_view(View, format_view(view)) == view


def test_a_link_restores_the_view(open_page: Open) -> None:
    app = open_page(
        "front", supernet="digits-cnn", x="params", y="loss", limits="macs<=100000", sid="201020101110"
    )
    assert app.selectbox(key="axis-x").value == "params"
    assert app.selectbox(key="axis-y").value == "loss"
    assert app.session_state["sel_id"] == "201020101110"
    limit = parse_view(View, dict(app.query_params.items())).constraints
    assert [c.objective for c in limit] == ["macs"]
    # A slider has stops; the bound becomes the nearest one.
    assert limit[0].upper == pytest.approx(100_000, rel=0.15)


def test_unknown_parts_become_the_defaults() -> None:
    assert (
        parse_view(View, {"supernet": "a/b", "x": "nope", "sid": "<b>", "limits": "x>=1", "logx": "yes"})
        == View()
    )


def test_browsing_loads_neither_torch_nor_umap(tmp_path: object) -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        "import core.runtime; core.runtime.heavy_imports_in_background = lambda: None;"
        "app = AppTest.from_file('app.py', default_timeout=60).run(); assert not app.exception, app.exception;"
        "[app.switch_page(f'pages/{p}.py').run() for p in ('supernets', 'search', 'runs', 'front', 'learn')];"
        "from core.lessons.base import LESSONS;"
        "[app.button(key=key).click().run() for n in LESSONS.names() for key in (f'lesson-open-{n}', 'lesson-all')];"
        "assert not app.exception, app.exception;"
        "print([m for m in ('torch', 'umap', 'sklearn', 'onnxruntime') if m in sys.modules])"
    )
    environment = {"PATH": "/usr/bin:/bin", "PARETOSCOPE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"
