"""A copy of the project with more files in it: what an addition must cost is tried, not counted by hand.

The additions lie in `tests/additions/<kind>/`, each file where it would lie in the project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ADDITIONS = ROOT / "tests" / "additions"
_CODE = ("app.py", "core", "pages")
_KEPT = shutil.ignore_patterns("__pycache__")


def files_below(folder: Path) -> dict[str, bytes]:
    """The code of a project by its path there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in _CODE
        for path in [folder / part, *(folder / part).rglob("*.py")]
        if path.is_file()
    }


def additions() -> dict[str, list[str]]:
    """What each kind of addition consists of: paths in the project."""
    return {
        kind.name: sorted(str(path.relative_to(kind)) for path in kind.rglob("*.py"))
        for kind in sorted(ADDITIONS.iterdir())
        if kind.is_dir() and any(kind.rglob("*.py"))
    }


def copy_with_additions(folder: Path) -> None:
    """The project's code with every addition in it; no file of the project is changed."""
    for part in _CODE:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=_KEPT)
        else:
            shutil.copy(ROOT / part, folder / part)
    (folder / "assets").symlink_to(ROOT / "assets")
    for kind, paths in additions().items():
        for path in paths:
            assert not (folder / path).exists(), f"{path} is there already"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ADDITIONS / kind / path, folder / path)


def run_in(folder: Path, *command: str) -> str:
    """What a Python command prints that runs in a copy of the project, with a home of its own."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PARETOSCOPE_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
