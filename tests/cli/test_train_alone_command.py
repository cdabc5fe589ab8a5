"""`train-alone` at a terminal: one JSON line, a run that is kept, one plain line for bad arguments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.library.presets import PRESETS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LARGEST = "311131113111"


def call(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PARETOSCOPE_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "core", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def test_an_architecture_is_trained_alone_and_kept(tmp_path: Path) -> None:
    options = json.dumps(
        {
            "width1": 8,
            "depth1": 2,
            "kernel1_1": 5,
            "kernel1_2": 5,
            "width2": 16,
            "depth2": 2,
            "kernel2_1": 5,
            "kernel2_2": 5,
            "width3": 32,
            "depth3": 2,
            "kernel3_1": 3,
            "kernel3_2": 3,
        }
    )
    done = call(
        tmp_path,
        "train-alone",
        "digits-cnn",
        "--arch",
        options,
        "--seeds",
        "2",
        "--seed",
        "7",
        "--epochs",
        "1",
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["arch_id"] == LARGEST
    assert [net["seed"] for net in said["nets"]] == [7, 8]
    assert said["training"]["learning_rate"] == PRESETS["digits-cnn"]["training"]["learning_rate"]
    [line] = call(tmp_path, "runs").stdout.splitlines()
    assert line.startswith(said["run"])
    assert "train_alone" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense", "--arch", LARGEST), "no supernet called"),
        (("digits-cnn", "--arch", "000"), "no architecture"),
        (("digits-cnn",), "--arch"),
        (("digits-cnn", "--arch", LARGEST, "--seeds", "0"), "--seeds"),
        (("digits-cnn", "--arch", LARGEST, "--learning-rate", "0"), "--learning-rate"),
    ],
)
def test_bad_arguments_give_one_plain_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = call(tmp_path, "train-alone", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
