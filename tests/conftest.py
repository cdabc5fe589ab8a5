"""For all tests: one torch thread, as in every process of the app (results are equal bit for bit only then), no deadlines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
os.environ["OMP_NUM_THREADS"] = "1"


SLOWEST = ("tests/e2e/", "tests/reliability/", "tests/test_one_file.py", "tests/cli/")
"""First, so that in the end no process waits for one long file of the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(SLOWEST))


@pytest.fixture
def checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploaded supernets are checked in this process: a confined one takes seconds to load torch."""
    from core.supernets import check_worker

    monkeypatch.setattr(
        "core.library.adding.run_confined",
        lambda module, data, options, **limits: check_worker.work(data, options, Path()),
    )


@pytest.fixture(scope="session")
def digits_entry() -> Any:
    """A small supernet of digits with its complete table, as a library entry."""
    from tests.helpers.small_entry import small_entry

    return small_entry()
