"""Files that are not read because they have none of the tests that are asked for have none of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def collected(marks: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-m", marks],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return {line for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.long
@pytest.mark.parametrize(
    ("as_asked", "in_other_words"),
    [
        ("not long and not slow and not cluster", "not (long or slow or cluster)"),
        ("slow and not long and not cluster", "not long and not cluster and slow"),
    ],
)
def test_no_test_is_lost(as_asked: str, in_other_words: str) -> None:
    """All files are read where the same is asked for in other words."""
    assert collected(as_asked) == collected(in_other_words)
