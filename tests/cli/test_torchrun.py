"""Two processes as torchrun starts them, on gloo: equal to one, and when one of them ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from safetensors.torch import load_file

from core.cli import sharing
from core.errors import InvalidInput
from core.records import RunState
from core.store import RunStore
from core.training import torchrun
from tests.helpers.together import apart
from tests.helpers.two_processes import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK")


def two(arguments: Sequence[str], home: Path) -> list[subprocess.Popen[str]]:
    """Both processes, with the variables that torchrun sets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    unset = (*NAMES, "PARETOSCOPE_DATABASE_URL")
    plain = {name: value for name, value in os.environ.items() if name not in unset}
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=plain
            | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
            | {"MASTER_PORT": str(port), "PARETOSCOPE_HOME": str(home)}
            | {"OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit status, stdout and stderr of each."""
    found = []
    try:
        for process in processes:
            out, err = process.communicate(timeout=300)
            found.append((process.returncode, out, err))
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()
    return found


@pytest.mark.slow
def test_forty_steps_of_two_processes_equal_those_of_one(tmp_path: Path) -> None:
    """In float64, with shares of 12 and 13 samples; sandwich rule with distillation."""
    done = ended(two(["-m", "tests.helpers.two_processes", str(tmp_path)], tmp_path))
    assert [(status, err) for status, _, err in done] == [(0, ""), (0, "")]
    subprocess.run(
        [sys.executable, "-m", "tests.helpers.two_processes", str(tmp_path)],
        cwd=ROOT,
        check=True,
        timeout=300,
        env={name: value for name, value in os.environ.items() if name not in NAMES},
    )
    for name in FAMILIES:
        alone, first, second = (
            load_file(tmp_path / f"{name}.{who}.safetensors") for who in ("alone", "0", "1")
        )
        assert apart(first, second) == 0
        assert apart(alone, first) < 1e-14, name


def wait_for_epoch(home: Path, epochs: int) -> str:
    """The id of the one run, once it has so many epochs."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        if (home / "paretoscope.db").exists():
            store = RunStore(f"sqlite:///{home / 'paretoscope.db'}", home)
            for run in store.list_runs():
                if len(store.ledger(run.run_id).metrics()) >= epochs:
                    return run.run_id
        time.sleep(0.1)
    raise AssertionError("no epoch was trained")


@pytest.mark.long
def test_one_of_them_is_killed_and_the_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    home = tmp_path / "home"
    out = tmp_path / "my.safetensors"
    asked = ["-m", "core", "train", "digits-lesson", "--epochs", "300", "--out", str(out)]
    both = two(asked, home)
    run_id = wait_for_epoch(home, 2)
    both[1].send_signal(signal.SIGKILL)
    (status, said, told), (_, silent, quiet) = ended(both)
    assert status == 1
    assert (
        told
        == "Another process of this training has ended. What was saved is kept: resume the run to go on.\n"
    )
    assert (said, silent, quiet) == ("", "", "")
    store = RunStore(f"sqlite:///{home / 'paretoscope.db'}", home)
    assert store.get_run(run_id).state is RunState.FAILED
    before = len(store.ledger(run_id).metrics())

    both = two(["-m", "core", "resume", run_id], home)
    wait_for_epoch(home, before + 2)
    both[0].send_signal(signal.SIGINT)  # as Ctrl-C, which both get
    both[1].send_signal(signal.SIGINT)
    (status, _, told), (_, silent, quiet) = ended(both)
    assert status == 130
    assert told == f"Stopped; what was saved is kept. Continue it with: python -m core resume {run_id}\n"
    assert (silent, quiet) == ("", "")
    assert store.get_run(run_id).state is RunState.INTERRUPTED
    steps = [row["step"] for row in store.ledger(run_id).metrics()]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= before + 2


@pytest.mark.long
def test_what_one_process_cannot_do_is_the_sentence_of_the_first(tmp_path: Path) -> None:
    """Both find that they cannot, and one of them says it."""
    home = tmp_path / "home"
    asked = ["-m", "core", "train", "digits-lesson", "--method", "attentive", "--epochs", "1"]
    (status, out, err), (second, silent, quiet) = ended(two(asked, home))
    assert status == 2
    assert err.endswith("Train in one process, or choose another strategy.\n")
    assert err.count("\n") == 1
    assert (out, silent, quiet) == ("", "", "")
    assert second == 1


@pytest.mark.long
def test_torchrun_itself_trains_and_only_the_first_writes(tmp_path: Path) -> None:
    out = tmp_path / "my.safetensors"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *("-m", "core", "train", "digits-lesson", "--data", "digits", "--epochs", "1", "--out", str(out)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"PARETOSCOPE_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert json.loads(done.stdout)["final"]["epoch"] == 1
    assert out.exists()
    store = RunStore(f"sqlite:///{tmp_path / 'home' / 'paretoscope.db'}", tmp_path / "home")
    assert [run.state for run in store.list_runs()] == [RunState.DONE]


def test_who_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    assert not torchrun.started()
    for name, value in zip(NAMES, ("1", "2", "127.0.0.1", "1", "1"), strict=True):
        monkeypatch.setenv(name, value)
    assert torchrun.started()
    assert torchrun.follows()
    monkeypatch.setenv("RANK", "0")
    assert not torchrun.follows()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not torchrun.started(), "one process is alone"


@pytest.mark.parametrize(
    "arguments",
    [["search", "digits-cnn"], [], ["train", "digits-cnn", "--compare", "a,b"], ["train", "--dry-run"]],
)
def test_other_commands_are_not_run_by_several_processes(arguments: list[str]) -> None:
    with pytest.raises(InvalidInput, match="Start this command without torchrun"):
        sharing.require_shareable(arguments)
    sharing.require_shareable(["train", "digits-cnn", "--epochs=3"])
    sharing.require_shareable(["resume", "abc"])
