"""The toy workflows for every test here; a campaign on real workflows unsets the variable."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKFLOWS", "tests.reliability.toys")


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """A folder in main memory where there is one: for tests that model the disk themselves."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
