"""Work in parts: the same here and in processes, taken up from checkpoints, written down by the driver alone."""

from __future__ import annotations

import copy
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.errors import DamagedArtifact, DataUnavailable
from core.executors import EXECUTORS, Executor
from core.library.packed import pack, unpack
from core.library.part_rows import Places
from core.library.parts import Part, PartDone, done_in_parts
from core.records import Progress
from core.store import MemoryLedger
from tests.helpers.part_work import begins, part

PLACES = Places("net", 4)


def executor(processes: int) -> Executor:
    if processes == 1:
        return EXECUTORS.create("here")
    return EXECUTORS.create("processes", {"processes": processes})


class Owner:
    """A run of parts that keeps what they return, as workflows do."""

    def __init__(self, parts: Sequence[Part], processes: int, ledger: MemoryLedger | None = None) -> None:
        self.ledger = ledger or MemoryLedger()
        self.processes = processes
        self.parts = parts

    @property
    def done(self) -> dict[int, dict[str, Any]]:
        names = [a.name for a in self.ledger.artifacts() if a.name.startswith("done")]
        return {int(n.split("-")[1]): json.loads(self.ledger.artifact(n)) for n in names}

    def steps(self) -> Iterator[Progress]:
        left = [each for each in self.parts if each.index not in self.done]
        over = sum(each.work for each in self.parts) - sum(each.work for each in left)
        place, more = executor(self.processes), {"what": "parts", "places": PLACES}
        for step in done_in_parts(left, place, dict, self.ledger, done=over, **more):
            if isinstance(step, PartDone):
                for name, (data, kind) in step.files.items():
                    self.ledger.save_artifact(name, data, kind)
                self.ledger.save_artifact(f"done-{step.index}", step.value, "application/json")
            else:
                yield step

    def digest(self) -> Any:
        rows = self.ledger.metrics()
        return rows, [(a.name, a.sha256) for a in self.ledger.artifacts()]


def whole(tmp_path: Path, n: int = 3) -> Any:
    folder = tmp_path / "whole"
    folder.mkdir()
    owner = Owner([part(i, folder) for i in range(n)], 1)
    fractions = [step.fraction for step in owner.steps()]
    assert fractions == sorted(fractions)
    return owner.digest()


def until(steps: Iterator[Progress], happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end, "it never happened"
        next(steps)


@pytest.mark.slow
def test_parts_come_to_the_same_here_and_in_processes(tmp_path: Path) -> None:
    expected = whole(tmp_path)
    owner = Owner([part(i, tmp_path) for i in range(3)], 2)
    progress = list(owner.steps())
    assert owner.digest() == expected
    assert [row["step"] for row in owner.ledger.metrics()] == list(range(12))
    assert [d["epoch"] for d in owner.done.values()] == [4, 4, 4]
    assert {d["rows"] for d in owner.done.values()} == {4}
    fractions = [step.fraction for step in progress]
    assert fractions == sorted(fractions)
    assert all(begins(tmp_path, i)[0][1] != os.getpid() for i in range(3))
    assert any("left in 2 places" in step.message for step in progress)


@pytest.mark.slow
def test_a_part_whose_process_is_killed_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    expected = whole(tmp_path)
    owner = Owner([part(i, tmp_path, waits_at=2 if i == 0 else None) for i in range(3)], 2)
    steps = owner.steps()
    until(
        steps,
        lambda: (
            (tmp_path / "0.waits").exists() and 1 in {int(r["epoch"]) - 1 for r in owner.ledger.metrics()}
        ),
    )
    os.kill(begins(tmp_path, 0)[0][1], signal.SIGKILL)
    until(steps, lambda: len(begins(tmp_path, 0)) == 2)
    # Where it stood, not only where it ends: two epochs were not done again.
    assert [epoch for epoch, _ in begins(tmp_path, 0)] == [0, 2]
    assert begins(tmp_path, 0)[0][1] != begins(tmp_path, 0)[1][1]
    (tmp_path / "go").touch()
    list(steps)
    assert owner.digest() == expected
    assert {len(begins(tmp_path, i)) for i in (1, 2)} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("then", [1, 2], ids=["here", "in processes"])
@pytest.mark.parametrize("how", ["cancelled", "killed"])
def test_a_run_is_taken_up_where_each_of_its_parts_stood(tmp_path: Path, how: str, then: int) -> None:
    expected = whole(tmp_path)
    ledger = MemoryLedger()
    owner = Owner([part(i, tmp_path, waits_at=3 - i if i < 2 else None) for i in range(3)], 2, ledger)
    steps = owner.steps()
    logged = {(0, 3), (1, 2)}
    until(steps, lambda: logged <= {(int(r["net"]), int(r["epoch"])) for r in ledger.metrics()})
    time.sleep(0.3)
    for _ in range(3):
        next(steps)
    # A driver that is killed writes nothing more: what there was at that moment is what is found again.
    found = copy.deepcopy(ledger)
    steps.close()  # type: ignore[attr-defined]
    found = found if how == "killed" else ledger
    kept = {int(n): json.loads(c)["epoch"] for n, c in unpack(found.latest_checkpoint() or b"").items()}
    assert kept == {0: 3, 1: 2}
    (tmp_path / "go").touch()
    before = {i: len(begins(tmp_path, i)) for i in range(3)}
    again = Owner(owner.parts, then, found)
    list(again.steps())
    assert again.digest() == expected
    for index in (0, 1):
        assert [epoch for epoch, _ in begins(tmp_path, index)[before[index] :]] == [kept[index]]


@pytest.mark.slow
def test_a_finished_part_is_not_done_again(tmp_path: Path) -> None:
    owner = Owner([part(i, tmp_path, waits_at=2 if i == 1 else None) for i in range(3)], 2)
    steps = owner.steps()
    until(steps, lambda: {0, 2} <= set(owner.done))
    steps.close()  # type: ignore[attr-defined]
    (tmp_path / "go").touch()
    list(Owner(owner.parts, 2, owner.ledger).steps())
    assert {len(begins(tmp_path, i)) for i in (0, 2)} == {1}
    assert set(owner.done) == {0, 1, 2}


@pytest.mark.slow
def test_cancelling_takes_less_than_two_seconds(tmp_path: Path) -> None:
    owner = Owner([part(i, tmp_path, waits_at=0) for i in range(2)], 2)
    steps = owner.steps()
    until(steps, lambda: all((tmp_path / f"{i}.waits").exists() for i in range(2)))
    pids = [begins(tmp_path, i)[0][1] for i in range(2)]
    started = time.monotonic()
    steps.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_failure_keeps_what_is_done_and_says_its_sentence(tmp_path: Path, processes: int) -> None:
    parts = [part(0, tmp_path), part(1, tmp_path, fails_at=1, waits_at=0)]
    owner = Owner(parts, processes)
    steps = owner.steps()
    until(steps, lambda: 0 in owner.done)
    (tmp_path / "go").touch()
    with pytest.raises(DataUnavailable, match="Part 1 has no data"):
        list(steps)
    assert set(owner.done) == {0}
    assert {
        name: json.loads(c)["epoch"] for name, c in unpack(owner.ledger.latest_checkpoint() or b"").items()
    }["1"] == 1


def test_a_checkpoint_of_an_earlier_release_is_that_of_the_part_at_work(tmp_path: Path) -> None:
    expected = whole(tmp_path, 2)
    owner = Owner([part(i, tmp_path) for i in range(2)], 1)
    list(owner.steps())
    old = MemoryLedger()
    for row in owner.ledger.metrics()[:6]:
        old.log_metrics(int(row["step"]), {n: v for n, v in row.items() if n != "step"})
    state = {"epoch": 2, "hash": owner.ledger.metrics()[5]["hash"]}
    old.checkpoint(json.dumps(state).encode(), fraction=0.7)
    with pytest.raises(DamagedArtifact, match="start the run anew"):
        list(done_in_parts(owner.parts, executor(1), dict, old))
    found = []
    more = {"places": PLACES, "earlier": lambda data: (1, data)}
    for step in done_in_parts(owner.parts[1:], executor(1), dict, old, **more):
        found += [step] if isinstance(step, PartDone) else []
    assert [epoch for epoch, _ in begins(tmp_path, 1)][-1] == 2
    assert (f"done-{found[0].index}", found[0].value) == ("done-1", owner.ledger.artifact("done-1"))
    assert old.metrics() == expected[0][:]


def test_pieces_come_back_and_damage_is_said() -> None:
    pieces = {"a": b"", "ß": bytes(range(256)), "third": b"x" * 1000}
    data = pack(pieces)
    assert unpack(data) == pieces
    for broken in (b"", data[:-1], data + b"x", data.replace(b"PARETO", b"OTHERS"), data[:30]):
        with pytest.raises(DamagedArtifact, match="start the run anew"):
            unpack(broken)
