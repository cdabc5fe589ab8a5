"""Mutated tables and Optuna storages: each a table or a sentence, none a crash, and nothing carried into an export.

200 files of ten thousand, whose rest is long. What ends the process of the campaign is given to the confined one, as the
page does, which must answer with a sentence.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import InvalidInput
from core.library.foreign_tables.decoding import read_foreign
from tests.security.hostile_files import plain_sentence
from tests.security.table_campaign import carried, mutated, starts_formula

ROOT = Path(__file__).resolve().parents[2]


def campaign(first: int, last: int) -> dict[str, str]:
    """What came of the files of these numbers."""
    told: dict[str, str] = {}
    while first < last:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.security.table_campaign", str(first), str(last)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=1800,
        )
        if done.returncode == 0:
            return told | json.loads(done.stdout)
        assert done.returncode < 0, done.stderr[-2000:]  # a traceback of ours
        fatal = int(done.stderr.splitlines()[-1].removeprefix("at "))
        with pytest.raises(InvalidInput) as refused:
            read_foreign(mutated(fatal))
        told[str(fatal)] = "refused" if plain_sentence(str(refused.value)) else str(refused.value)
        told |= campaign(first, fatal)
        first = fatal + 1
    return told


def judged(told: dict[str, str], n: int) -> None:
    wrong = {number: what for number, what in told.items() if what not in ("table", "refused")}
    assert not wrong, list(wrong.items())[:5]
    counts = {what: list(told.values()).count(what) for what in ("table", "refused")}
    print("of", n, "files:", counts)
    assert sum(counts.values()) == n
    assert min(counts.values()) > n // 10, counts


@pytest.mark.slow
def test_two_hundred_mutated_tables() -> None:
    judged(campaign(0, 200), 200)


@pytest.mark.long
def test_ten_thousand_mutated_tables() -> None:
    told: dict[str, str] = {}
    for first in range(0, 10_000, 500):
        told |= campaign(first, first + 500)
    judged(told, 10_000)


def test_the_judge_sees_what_would_be_run() -> None:
    assert starts_formula("=1")
    assert starts_formula("-x")
    assert not starts_formula("-1.5")
    assert not starts_formula("'=1")
    assert carried("csv", b"a\n=1\n")
    assert not carried("csv", b"a\n-1\n")
    assert carried("json", b'["</script>"]')
    assert carried("latex", rb"\input{x}")
    assert not carried("latex", rb"\textbackslash{}input")
