"""Deliberate mistakes: each is put into a copy of the source, and its tests must fail. Prints the survivors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.faults import FAULTS, Fault

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 600
# A copy of what tests read; the virtual environment stays where it is.
_COPIED = ("app.py", "pages", "core", "assets", "tests", "benchmarks", ".streamlit", ".ci")
_FILES = ("pyproject.toml", "Makefile", "*.md", "requirements*", "LICENSE", ".gitignore")


def test_faults_can_be_put_in() -> None:
    gone = [fault for fault in FAULTS if _text(fault).count(fault.right) != 1 or fault.right == fault.wrong]
    assert not gone, "\n".join(
        f"{fault.path} no longer holds this line once; put the fault into the new one: {fault.what}"
        for fault in gone
    )
    for fault in FAULTS:
        compile(_text(fault).replace(fault.right, fault.wrong), fault.path, "exec")
    assert [test for fault in FAULTS for test in fault.tests if not (ROOT / test).exists()] == []


def _text(fault: Fault) -> str:
    return (ROOT / fault.path).read_text(encoding="utf-8")


def test_there_are_enough_and_each_is_another() -> None:
    assert len(FAULTS) >= 54
    assert len({(f.path, f.right, f.wrong) for f in FAULTS}) == len(FAULTS)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("mutants")
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored)
        elif source.exists():
            shutil.copy(source, target / name)
    for pattern in _FILES:
        for source in ROOT.glob(pattern):
            shutil.copy(source, target / source.name)
    return target


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_fault_is_caught(fault: Fault, copy: Path) -> None:
    path = copy / fault.path
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(fault.right, fault.wrong), encoding="utf-8")
    try:
        status = _run(copy, fault.tests)
    finally:
        path.write_text(text, encoding="utf-8")
    assert status != 0, f"SURVIVED: {fault.what} ({fault.path})"
    assert status == 1, f"the tests could not be run with this fault (pytest status {status})"


def _run(folder: Path, tests: tuple[str, ...]) -> int:
    """Exit status of the tests in the changed copy; a run that never ends has noticed, too."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not long", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return 1
    # A test that presses Ctrl-C, and nobody catches it where somebody should, ends pytest itself.
    return 1 if "KeyboardInterrupt" in done.stdout else done.returncode
