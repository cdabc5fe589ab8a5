"""A real training and a real search, killed at random moments: nothing acknowledged is lost, and what
comes out in the end equals an undisturbed run, weights and table, by hash.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from core.records import RunState
from core.store import RunStore
from tests.reliability.kill_harness import fingerprint, run_with_kills

ROOT = Path(__file__).resolve().parents[2]

TRAINING: dict[str, Any] = {
    "title": "small",
    "family": "elastic_cnn",
    "config": {"groups": [{"widths": [2, 4]}, {"widths": [4, 8]}], "kernel_transform": True},
    "data": {"name": "digits"},
    # Phases, a frozen teacher and sorted channels: the strategy with the most to lose.
    "training": {"strategy": "progressive_shrinking", "epochs": 8, "seed": 3},
}
SEARCH: dict[str, Any] = {
    "supernet": "digits-cnn", "algorithm": "nsga2", "config": {"population": 20}, "budget": 120, "seed": 5,
    "use_table": False,
}  # fmt: skip
# The supernet file's card says how long training took, so the weights are compared in the last checkpoint.
WHAT = {
    "train_supernet": (TRAINING, ("metrics", "checkpoint")),
    "search_front": (SEARCH, ("measurements", "metrics", "artifacts")),
}


@pytest.fixture(autouse=True)
def _real_workflows(monkeypatch: pytest.MonkeyPatch, _toys: None) -> None:
    monkeypatch.delenv("PARETOSCOPE_WORKFLOWS")


@pytest.mark.parametrize("kind", list(WHAT))
@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.long)])
def test_killed_workers_lose_nothing(kind: str, kills: int, tmp_path: Path) -> None:
    params, parts = WHAT[kind]
    report = run_with_kills(kind, params, kills, seed=kills, home=tmp_path, parts=parts)
    assert report.kills == kills
    print(f"{kind}: {report.kills} kills in {report.completed} runs, {report.seconds:.0f} s, 0 violations")


# Submits the run if there is none, else resumes what the last server left behind; ends when it is done.
SERVER = """
import json, sys
from pathlib import Path
from core.jobs import JobManager
from core.records import RunState
from core.store import RunStore
home, kind, params = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
store = RunStore(f"sqlite:///{home / 'server.db'}", home)
manager = JobManager(store)
runs = store.list_runs(kind=kind)
if not runs:
    run_id = manager.submit(kind, params, title="served")
else:
    run_id = runs[0].run_id
    assert runs[0].state in (RunState.INTERRUPTED, RunState.DONE), runs[0]
    if runs[0].state is RunState.INTERRUPTED:
        manager.resume(run_id)
print("up", flush=True)
state = manager.wait(run_id, 300).state
manager.close()
sys.exit(0 if state is RunState.DONE else 1)
"""


def serve(home: Path, kind: str, params: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SERVER, str(home), kind, json.dumps(params)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PARETOSCOPE_HOME": str(home)}
    environment["PARETOSCOPE_DATABASE_URL"] = f"sqlite:///{home / 'server.db'}"
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip


def workers_of(home: Path) -> list[int]:
    """Live worker processes whose store is in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (
                b"core.jobs.worker" in (process / "cmdline").read_bytes()
                and str(home).encode() in (process / "environ").read_bytes()
            ):
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc")
@pytest.mark.parametrize("kind", list(WHAT))
@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.long)])
def test_killed_servers_lose_nothing(kind: str, kills: int, tmp_path: Path) -> None:
    params, parts = WHAT[kind]
    (tmp_path / "undisturbed").mkdir()
    began = time.monotonic()
    assert _finished(serve(tmp_path / "undisturbed", kind, params)) == 0
    duration = time.monotonic() - began
    expected = _result(tmp_path / "undisturbed", kind, parts)
    rng, killed, folder = random.Random(kills), 0, 0
    while killed < kills:
        folder += 1
        home = tmp_path / str(folder)
        home.mkdir()
        done = False
        while not done:
            server = serve(home, kind, params)
            if killed < kills:
                try:
                    server.wait(rng.uniform(0.3, duration))
                except subprocess.TimeoutExpired:
                    os.killpg(server.pid, signal.SIGKILL)
                    killed += 1
            done = _finished(server) == 0
            _no_orphans(home)
        assert _result(home, kind, parts) == expected
        with RunStore(f"sqlite:///{home / 'server.db'}", home) as store:
            assert store.check() == []


def _finished(server: subprocess.Popen[str]) -> int:
    status = server.wait(300)
    assert server.stdout is not None
    server.stdout.close()
    return status


def _no_orphans(home: Path) -> None:
    """A worker whose server has gone ends by itself."""
    deadline = time.monotonic() + 10
    while workers_of(home):
        assert time.monotonic() < deadline, "an orphan worker lives on"
        time.sleep(0.05)


def _result(home: Path, kind: str, parts: tuple[str, ...]) -> str:
    with RunStore(f"sqlite:///{home / 'server.db'}", home) as store:
        [run] = store.list_runs(kind=kind)
        assert run.state is RunState.DONE, run.message
        return fingerprint(store.ledger(run.run_id), parts)
