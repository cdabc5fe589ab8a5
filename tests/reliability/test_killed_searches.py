"""Searches killed at random points propose, in the end, exactly what undisturbed ones do, whatever the algorithm."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.search import ALGORITHMS
from core.store import RunStore
from tests.reliability.searching import MEASURED, work

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FEW = ("local_search", "moead", "nsga2", "regularized_evolution")


def started(home: Path, budget: int, names: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.reliability.searching", str(home), str(budget), *names]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment)


def proposals(home: Path) -> dict[str, str]:
    """Algorithm -> hash of every step and architecture that its run holds, and of the files it made."""
    with RunStore(f"sqlite:///{home / 'searches.db'}", home) as store:
        found = {}
        for run in store.list_runs():
            ledger = store.ledger(run.run_id)
            content = [(step, list(m.arch)) for step, m in ledger.measurements()]
            files = [(file.name, file.sha256) for file in ledger.artifacts()]
            found[run.title] = hashlib.sha256(json.dumps([content, files]).encode()).hexdigest()
    return found


def stored(home: Path) -> Counter[str]:
    """Algorithm -> architectures that its run holds."""
    if not (home / "searches.db").is_file():
        return Counter()
    with RunStore(f"sqlite:///{home / 'searches.db'}", home) as store:
        return Counter({run.title: store.count_measurements(run.run_id) for run in store.list_runs()})


def measured(home: Path) -> Counter[str]:
    """Algorithm -> architectures that were measured, as often as it happened."""
    path = home / MEASURED
    return Counter(path.read_text().split() if path.is_file() else ())


def killed_now_and_then(
    home: Path, budget: int, names: Sequence[str], kills: int, seed: int
) -> tuple[Counter[str], int]:
    """Run to the end with so many kills on the way.

    Returns:
        Architectures that were measured and lost, by algorithm: a batch is stored as a whole. And how many kills fell
        on a search of which something was stored.
    """
    rng, lost, telling = random.Random(seed), Counter[str](), 0
    left = kills
    while True:
        process = started(home, budget, names)
        # A share of what is left, so that the kills are spread over all algorithms.
        before = measured(home).total()
        moment = before + rng.uniform(0.02, 2 / (left + 1)) * max(budget * len(names) - before, 1)
        while process.poll() is None and (left == 0 or measured(home).total() < moment):
            time.sleep(0.004)
        if process.poll() is not None:
            assert process.returncode == 0
            assert left == 0, f"it ended before the last {left} kills"
            return lost, telling
        time.sleep(rng.uniform(0, 0.02))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        left -= 1
        held = stored(home)
        lost = measured(home) - held
        telling += any(0 < n < budget for n in held.values())


@pytest.mark.parametrize(
    ("names", "budget", "kills"),
    [
        pytest.param(FEW, 40, 2, id="a few"),
        pytest.param(tuple(ALGORITHMS.names()), 150, 120, id="all", marks=pytest.mark.long),
    ],
)
def test_killed_searches_propose_what_undisturbed_ones_do(
    names: Sequence[str], budget: int, kills: int, tmp_path: Path
) -> None:
    quiet, disturbed = tmp_path / "quiet", tmp_path / "disturbed"
    quiet.mkdir()
    disturbed.mkdir()
    work(quiet, budget, names)
    lost, telling = killed_now_and_then(disturbed, budget, names, kills, seed=kills)
    assert proposals(disturbed) == proposals(quiet)
    assert set(proposals(quiet)) == set(names)
    # Whoever goes on measures again what was lost, and nothing else; whoever begins anew measures all again.
    assert measured(quiet) == Counter(dict.fromkeys(names, budget))
    assert measured(disturbed) - measured(quiet) == lost
    assert telling >= kills // 2, "hardly a kill fell where there was something to go on from"
