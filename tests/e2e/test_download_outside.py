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

from core.workflows import library
from tests.e2e.browser import CHROMIUM
from tests.e2e.test_main_job import browser, click_point, page, server, wait_for_chart  # noqa: F401

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
    table = library.table(library.find(None, "digits-cnn")).set_index("arch_id")
    assert result["accuracy"] == table.loc[picked, "test_accuracy"]
    assert result["n"] == 359
    assert f"{100 * result['accuracy']:.1f}" in shown


@pytest.mark.parametrize("n", [3, pytest.param(20, marks=pytest.mark.long)])
def test_random_subnets_from_the_command_line(n: int, outside: str, images: Path, tmp_path: Path) -> None:
    table = library.table(library.find(None, "digits-cnn")).set_index("arch_id")
    for index in np.random.default_rng(11).choice(len(table), n, replace=False):
        arch_id = table.index[index]
        folder = tmp_path / arch_id
        folder.mkdir()
        core("extract", "digits-cnn", "--arch", arch_id, "--out", str(folder / "subnet.zip"))
        result = predict(outside, (folder / "subnet.zip").read_bytes(), folder, images)
        assert result["accuracy"] == table["test_accuracy"].iloc[index], arch_id
