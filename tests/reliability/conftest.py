"""The toy workflows for every test here; a campaign on real workflows unsets the variable."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKFLOWS", "tests.reliability.toys")
