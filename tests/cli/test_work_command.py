"""`python -m core work`: a server of jobs without pages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.records import RunState
from core.store import RunStore
from core.store.servers import JOBS
from core.store.signing import NOBODY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
GRACE_SECONDS = 8.0
"""It must have ended by then, also on a busy machine; a container has 10 by default."""

# As `python -m core work`, and says what it had loaded when it had ended.
WATCHED = """
import sys
from core.cli.main import main
sys.argv = ["core", "work", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded", *sorted({"streamlit", "torch", "umap", "ray"} & set(sys.modules)), flush=True)
"""


@contextmanager
def server(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "PARETOSCOPE_HOME": str(home),
        "PARETOSCOPE_WORKFLOWS": "tests.reliability.toys",
    }
    environment.pop("PARETOSCOPE_DATABASE_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_takes_what_waits_and_hands_back_what_runs(tmp_path: Path) -> None:
    with RunStore(f"sqlite:///{tmp_path / 'paretoscope.db'}", tmp_path) as store:
        short, search, long = (
            store.create_run(kind, params, title="t", owner=NOBODY)
            for kind, params in (
                ("train_toy", {"steps": 3}),
                ("search_toy", {"steps": 3}),
                ("train_toy", {"steps": 10_000, "seconds_per_step": 0.01}),
            )
        )
        with server(tmp_path, "--workers", "2") as process:
            deadline = time.monotonic() + 60
            while not store.ledger(long).metrics() or not all(
                store.get_run(i).state is RunState.DONE for i in (short, search)
            ):
                assert time.monotonic() < deadline, process.poll()
                time.sleep(0.05)
            [living] = store.servers.living()
            assert (living.does, living.workers, living.pid) == (JOBS, 2, process.pid)
            assert living.runs == (long,)
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            said, wrong = process.communicate(timeout=30)
            assert time.monotonic() - began < GRACE_SECONDS
        assert (process.returncode, wrong) == (0, "")
        run = store.get_run(long)
        assert (run.state, "The server was stopped" in run.message) == (RunState.QUEUED, True)
        assert store.servers.living() == []
        assert store.check() == []
    lines = said.splitlines()
    assert lines[-1] == "loaded", "neither pages nor torch"
    assert "takes jobs, 2 of each sort at a time" in lines[0]
    for told in (
        f"started train_toy {short}, start 1",
        f"ended {search}: done",
        f"handed back {long}",
        "stopped",
    ):
        assert any(told in line for line in lines), (told, lines)


@pytest.mark.parametrize(
    ("arguments", "setting", "sentence"),
    [
        (("--workers", "0"), "1", "--workers must be a positive whole number."),
        ((), "many", "PARETOSCOPE_WORKERS must be a positive whole number, not 'many'."),
    ],
)
def test_bad_numbers_are_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], setting: str, sentence: str
) -> None:
    environment = {**os.environ, "PARETOSCOPE_HOME": str(tmp_path), "PARETOSCOPE_WORKERS": setting}
    command = [sys.executable, "-m", "core", "work", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.strip()) == (2, sentence)
