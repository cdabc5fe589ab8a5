"""A copy of core with more files in it: what an addition must cost is tried, not counted by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_with_new_files(folder: Path, files: Mapping[str, str], script: str) -> str:
    """What a script prints that runs beside a copy of core with these files (paths within core) added."""
    shutil.copytree(ROOT / "core", folder / "core", ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in files.items():
        target = folder / "core" / path
        assert not target.exists(), f"{path} is there already"
        target.write_text(text, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
