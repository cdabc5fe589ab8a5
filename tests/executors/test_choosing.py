"""Which executor is chosen, and what it says where it cannot be used."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import CoreError, InvalidInput
from core.executors import EXECUTORS, chosen
from core.executors.ray_executor import nodes_at
from tests.helpers.executor_contract import rests, until

ROOT = Path(__file__).resolve().parents[2]


def test_the_setting_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen().name == "here"
    assert (chosen(3).name, chosen(3).config.processes) == ("processes", 3)
    monkeypatch.setenv("PARETOSCOPE_RAY_ADDRESS", "10.0.0.1:6379")
    for processes in (1, 3):
        assert (chosen(processes).name, chosen(processes).config.address) == ("ray", "10.0.0.1:6379")


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with (
        pytest.raises(InvalidInput, match=r"Ray is not installed: pip install -r requirements-cluster\.txt$"),
        EXECUTORS.create("ray", {"address": "127.0.0.1:1"}).opened({}),
    ):
        pass
    assert (ROOT / "requirements-cluster.txt").is_file()


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_where_no_cluster_answers_it_says_so_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"  # bound, and nobody listens
        started = time.monotonic()
        with pytest.raises(CoreError, match=f"^No Ray cluster answers at {address} .PARETOSCOPE_RAY_ADDRESS"):
            nodes_at(address)
    assert time.monotonic() - started < 10


def test_nothing_of_a_cluster_is_loaded_unless_it_is_used() -> None:
    code = "import sys, core.executors as e; e.EXECUTORS.get('ray'); e.chosen(2); print({'ray', 'torch'} & set(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "set()"


DRIVER = """
import json, sys
from core.executors import EXECUTORS, Call
asked = json.dumps({"name": "n", "seconds": 60, "folder": sys.argv[1]}).encode()
with EXECUTORS.create("processes", {"processes": 1}).opened({}) as session:
    for done in session.run([Call("n", "tests.helpers.calls:nap", asked)]):
        pass
"""


@pytest.mark.slow
def test_processes_end_with_a_driver_that_is_killed(tmp_path: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)], cwd=ROOT)
    alive = tmp_path / "n.alive"
    until(alive.exists, 30)
    driver.kill()
    driver.wait()
    until(lambda: rests(alive), 5)
    assert not (tmp_path / "n.ended").exists()
