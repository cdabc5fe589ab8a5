"""A real training and a real search, killed at random moments: nothing acknowledged is lost, and what
comes out in the end equals an undisturbed run, weights and table, by hash. That the work went on, and did
not begin anew with the same end, a witness outside the store tells (`witness`).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from core.records import RunState
from core.store import RunStore
from tests.reliability.kill_harness import Campaign, fingerprint
from tests.reliability.witness import FOLDER, Continuation

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]

TRAINING: dict[str, Any] = {
    "title": "small",
    "family": "elastic_cnn",
    "config": {"groups": [{"widths": [2, 4]}, {"widths": [4, 8]}], "kernel_transform": True},
    "data": {"name": "digits"},
    # Phases, a frozen teacher and sorted channels: the strategy with the most to lose.
    "training": {"strategy": "progressive_shrinking", "epochs": 6, "seed": 3},
}
SEARCH: dict[str, Any] = {
    "supernet": "digits-cnn",
    "algorithm": "nsga2",
    "config": {"population": 20},
    "budget": 80,
    "seed": 5,
    "use_table": False,
}
# The supernet file's card says how long training took, so the weights are compared in the last checkpoint.
WHAT = {
    "train_supernet": (TRAINING, ("metrics", "checkpoint")),
    "search_front": (SEARCH, ("measurements", "metrics", "artifacts")),
}


@pytest.fixture(autouse=True)
def _real_workflows(monkeypatch: pytest.MonkeyPatch, _toys: None, tmp_path: Path) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKFLOWS", "tests.reliability.traced")
    monkeypatch.setenv(FOLDER, str(witness_of(tmp_path)))


def witness_of(tmp_path: Path) -> Path:
    folder = tmp_path / "witness"
    folder.mkdir(exist_ok=True)
    return folder


UNDISTURBED = """
import importlib, json, sys
from core.library.library import Library
from core.runtime import heavy_imports
from core.store import MemoryLedger
from tests.reliability.kill_harness import fingerprint
heavy_imports()
kind, params, parts = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
module = importlib.import_module(f"core.workflows.{kind}")
ledger = MemoryLedger(params=params)
for _ in module.run(module.Request.model_validate(params), ledger, Library()):
    pass
print(fingerprint(ledger, parts))
"""


@pytest.fixture(scope="module")
def undisturbed() -> Callable[[str], str]:
    """Fingerprint of a run of each kind that nobody disturbed, made once, in a fresh process as workers are.

    Other tests of this process may have left torch in a state that rounds differently.
    """

    @cache
    def made(kind: str) -> str:
        params, parts = WHAT[kind]
        command = [sys.executable, "-c", UNDISTURBED, kind, json.dumps(params), json.dumps(parts)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    return made


@pytest.mark.parametrize("kind", list(WHAT))
@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
def test_killed_workers_lose_nothing_and_go_on(
    kind: str, kills: int, tmp_path: Path, undisturbed: Callable[[str], str]
) -> None:
    params, parts = WHAT[kind]
    report = Campaign(
        kind,
        params,
        kills,
        seed=kills,
        home=tmp_path,
        parts=parts,
        expected=undisturbed(kind),
        witness=witness_of(tmp_path),
    ).run()
    assert (report.kills, report.seen) == (kills, kills)
    assert report.continued == kills, "a worker did not go on after what was stored"
    print(f"{kind}: {report.kills} kills in {report.completed} runs, {report.seconds:.0f} s, 0 violations")


# Submits the run if there is none, else resumes what the last server left behind; ends when it is done.
SERVER = """
import json, sys
from pathlib import Path
from core.jobs import JobManager
from core.library.library import Library
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
    )


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
@pytest.mark.parametrize("kind", ["train_supernet", pytest.param("search_front", marks=pytest.mark.long)])
@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
def test_killed_servers_lose_nothing_and_their_workers_go_on(
    kind: str, kills: int, tmp_path: Path, undisturbed: Callable[[str], str]
) -> None:
    params, parts = WHAT[kind]
    expected, witness = undisturbed(kind), witness_of(tmp_path)
    continuation = Continuation(witness, kind, params)
    rng, killed, folder = random.Random(kills), 0, 0
    while killed < kills:
        folder += 1
        home = tmp_path / str(folder)
        home.mkdir()
        done = False
        while not done:
            server = serve(home, kind, params)
            if killed < kills:
                killed += _kill_after_a_step(server, home, witness, rng)
            done = _finished(server) == 0
            _no_orphans(home)
            if not done:
                with RunStore(f"sqlite:///{home / 'server.db'}", home) as store:
                    [run] = store.list_runs(kind=kind)
                    continuation.held.setdefault(run.run_id, [0])
                    continuation.before_start(store, run.run_id)
        with RunStore(f"sqlite:///{home / 'server.db'}", home) as store:
            [run] = store.list_runs(kind=kind)
            assert run.state is RunState.DONE, run.message
            assert fingerprint(store.ledger(run.run_id), parts) == expected
            assert store.check() == []
            continuation.held.setdefault(run.run_id, [0])
            continuation.require(run.run_id)
    assert continuation.proved >= kills


def _kill_after_a_step(server: subprocess.Popen[str], home: Path, witness: Path, rng: random.Random) -> int:
    """Kill the server, but not its worker, at a random moment after the worker's second step; 0 if it ended.

    The first may not be stored yet when the witness hears of it.
    """
    told = _lines(witness)
    deadline = time.monotonic() + 60
    while _lines(witness) <= told + 2 and server.poll() is None:  # its start, and two steps
        assert time.monotonic() < deadline, "the worker does nothing"
        time.sleep(0.02)
    try:
        server.wait(rng.uniform(0.05, 0.6))
    except subprocess.TimeoutExpired:
        server.kill()
        return 1
    return 0


def _lines(witness: Path) -> int:
    return sum(len(path.read_text().splitlines()) for path in witness.iterdir())


def _finished(server: subprocess.Popen[str]) -> int:
    status = server.wait(300)
    assert server.stdout is not None
    server.stdout.close()
    return status


def _no_orphans(home: Path) -> None:
    """A worker whose server has gone ends by itself, also where the machine is busy."""
    deadline = time.monotonic() + 3
    while workers_of(home):
        assert time.monotonic() < deadline, "an orphan worker lives on"
        time.sleep(0.05)
