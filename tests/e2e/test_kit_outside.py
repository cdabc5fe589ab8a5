"""A measuring kit end to end: a new environment with onnxruntime and numpy alone plays the device."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
def test_its_profile_ranks_subnets_that_the_kit_does_not_hold() -> None:
    """`benchmarks/kit.py` ends with 0 only if 50 of them, with their own weights, are ranked by 0.95 or better."""
    done = subprocess.run(
        [sys.executable, "benchmarks/kit.py", "--threads", "2"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "torch" not in done.stdout.splitlines()[0]
    assert "50 held-back subnets" in done.stdout
