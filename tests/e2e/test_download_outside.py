"""The promise of a download: in a new environment with torch, numpy and safetensors alone, `predict.py`
prints the accuracy that the page showed, to the last sample.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.library import supernets
from tests.e2e.browser import CHROMIUM
from tests.e2e.test_main_job import click_point, page, server, wait_for_chart  # noqa: F401

pytestmark = [
    pytest.mark.e2e,
    # The server's pipes outlive a failing test; that is not what it is about.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of a new environment."""
    folder = tmp_path_factory.mktemp("outside") / "env"
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    install = [
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "torch==2.13.0",
        "numpy",
        "safetensors",
    ]
    subprocess.run([python, *install], check=True, timeout=1200)
    return python


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "test.npz"
    core("data", "digits", "--split", "test", "--out", str(path))
    return path


def core(*arguments: str) -> None:
    command = [sys.executable, "-m", "core", *arguments]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"})


def predict(python: str, bundle: bytes, folder: Path, images: Path) -> dict[str, Any]:
    """What the bundle's predict.py prints, run far from this project."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        for member in archive.namelist():
            (folder / Path(member).name).write_bytes(archive.read(member))
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    command = [python, "-I", str(folder / "predict.py"), str(images)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.long
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}")
def test_what_the_browser_downloads(
    page: Any, server: str, outside: str, images: Path, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    page.goto(server)
    wait_for_chart(page)
    picked = click_point(page, "front", 7)
    page.wait_for_function(
        "id => document.querySelector('.st-key-subnet-card').innerText.includes(id)", arg=picked
    )
    # The card comes in pieces; its last one is the button's new target.
    page.wait_for_selector("[data-testid='stStatusWidget']", state="detached")
    page.wait_for_function("() => !document.querySelector('[data-stale=\"true\"]')")
    page.wait_for_timeout(300)
    shown = page.locator(".st-key-subnet-card").inner_text()
    with page.expect_download() as caught:
        page.locator(".st-key-download-bundle button").click()
    assert picked in caught.value.suggested_filename
    result = predict(outside, Path(caught.value.path()).read_bytes(), tmp_path, images)
    table = supernets.table(supernets.find(None, "digits-cnn")).set_index("arch_id")
    assert result["accuracy"] == table.loc[picked, "test_accuracy"]
    assert result["n"] == 359
    assert f"{100 * result['accuracy']:.1f}" in shown


@pytest.mark.parametrize("n", [pytest.param(n, marks=pytest.mark.long) for n in (1, 20)])
def test_random_subnets_from_the_command_line(n: int, outside: str, images: Path, tmp_path: Path) -> None:
    table = supernets.table(supernets.find(None, "digits-cnn")).set_index("arch_id")
    for index in np.random.default_rng(11).choice(len(table), n, replace=False):
        arch_id = table.index[index]
        folder = tmp_path / arch_id
        folder.mkdir()
        core("extract", "digits-cnn", "--arch", arch_id, "--out", str(folder / "subnet.zip"))
        result = predict(outside, (folder / "subnet.zip").read_bytes(), folder, images)
        assert result["accuracy"] == table["test_accuracy"].iloc[index], arch_id


IDS_OF = """
chart => document.querySelector(`.st-key-${chart} .js-plotly-plot`)._fullData
  .filter(t => t.type === 'scatter' && t.customdata && t.visible !== false).flatMap(t => t.customdata.map(c => Array.isArray(c) ? c[0] : c))
"""
BOX = """
([chart, count]) => {
  const plot = document.querySelector(`.st-key-${chart} .js-plotly-plot`);
  const traces = plot._fullData.filter(t => t.customdata && t.customdata.length);
  const heights = traces.flatMap(t => [...t.y]).sort((a, b) => a - b);
  const edge = (heights[count - 1] + heights[count]) / 2;
  const inside = traces.flatMap(t => [...t.customdata].filter((_, i) => t.y[i] < edge).map(c => c[0]));
  const area = plot.querySelector('.nsewdrag').getBoundingClientRect();
  return {left: area.left + 2, right: area.right - 2, bottom: area.bottom - 2, top: area.top + plot._fullLayout.yaxis.d2p(edge), inside};
}
"""
CELL = """
([chart, id]) => {
  const plot = document.querySelector(`.st-key-${chart} .js-plotly-plot`);
  const trace = plot._fullData.find(t => t.type === 'scatter' && t.customdata);
  const index = [...trace.customdata].findIndex(c => c[0] === id);
  const area = plot.querySelector('.nsewdrag').getBoundingClientRect();
  return {x: area.left + plot._fullLayout.xaxis.d2p(trace.x[index]), y: area.top + plot._fullLayout.yaxis.d2p(trace.y[index])};
}
"""


def settled(page: Any) -> None:  # noqa: F811
    page.wait_for_selector("[data-testid='stStatusWidget']", state="detached")
    page.wait_for_function("() => !document.querySelector('[data-stale=\"true\"]')")
    page.wait_for_timeout(300)
    assert page.locator("[data-testid='stException']").count() == 0


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}")
@pytest.mark.long
def test_prune_look_at_the_samples_that_break_and_take_the_compact_network_home(
    page: Any, server: str, outside: str, images: Path, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    page.set_viewport_size({"width": 1440, "height": 2000})
    page.goto(f"{server}/pruning?parent=subnet:digits-cnn:311131113111")
    page.wait_for_selector(".st-key-prune-start button")
    settled(page)
    # Magnitude, L1 filters and Taylor are chosen to begin with; the controls would only cost time here.
    page.get_by_text("With both controls").click()
    settled(page)
    page.locator(".st-key-prune-start button").click()
    page.wait_for_selector(".st-key-job-progress")
    page.wait_for_selector(
        ".st-key-pruning-table .js-plotly-plot .scatterlayer", state="attached", timeout=180_000
    )
    page.wait_for_selector(".st-key-job-progress", state="detached", timeout=180_000)
    settled(page)
    cells = page.evaluate(IDS_OF, "pruning-table")
    models = list(dict.fromkeys(c.split("|")[0] for c in cells))
    assert len(models) == 1 + 3 * 4
    # Rows follow the methods' names: L1 filters at 50, 80, 90, 95 %, then magnitude, then Taylor.
    model = models[2]
    spot = page.evaluate(CELL, ["pruning-table", f"{model}|fog@3"])
    page.mouse.click(spot["x"], spot["y"])
    page.wait_for_url(lambda url: model.replace(":", "%3A") in url or model in url)
    settled(page)
    card = page.locator(".st-key-pruned-card").inner_text()
    assert "Fog" in card
    assert page.locator(".st-key-pr-model input").input_value() == "L1 filters, 80 %, seed 0"

    page.locator(".st-key-pr-vertical").get_by_text("Margin", exact=True).click()
    settled(page)
    page.locator(".st-key-pruning-geometry").scroll_into_view_if_needed()
    box = page.evaluate(BOX, ["pruning-geometry", 12])
    page.mouse.move(box["left"], box["bottom"])
    page.mouse.down()
    page.mouse.move(box["right"], box["top"], steps=8)
    page.mouse.up()
    page.wait_for_selector(".st-key-pruning-images :text('samples selected')")
    settled(page)
    shown = page.locator(".st-key-pruning-images")
    assert shown.inner_text().startswith(f"{len(box['inside'])} samples selected")
    assert shown.locator("img").count() == len(box["inside"]) == 12
    assert "fails at" in shown.inner_text()

    with page.expect_download(timeout=120_000) as caught:
        page.locator(".st-key-prune-download button").click()
    assert "l1_filters-80-compact" in caught.value.suggested_filename
    bundle = Path(caught.value.path()).read_bytes()
    result = predict(outside, bundle, tmp_path, images)
    about = json.loads((tmp_path / "architecture.json").read_text())
    assert result["accuracy"] == about["metrics"]["test_accuracy"]["value"]
    assert f"{100 * result['accuracy']:.1f}" in card
    assert about["arch_id"] == "311131113111"
    assert about["metrics"]["params"]["value"] < 0.25 * 51_682, "surgery made it really smaller"
