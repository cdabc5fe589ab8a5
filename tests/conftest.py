"""One torch thread, as in every process of the app: results are equal bit for bit only then."""

from __future__ import annotations

import os
from typing import Any

import pytest

os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def digits_entry() -> Any:
    """A small supernet of digits with its complete table, as a library entry."""
    from tests.helpers.small_entry import small_entry

    return small_entry()
