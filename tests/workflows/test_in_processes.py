"""Searches and trainings in several processes: bit for bit what one process does, whatever is killed on the way."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from core.device import Device, using
from core.errors import InvalidInput
from core.library import experiment_part, supernets
from core.library.experiments import ExperimentRecord
from core.library.library import Library
from core.library.supernets import SupernetEntry
from core.search import ALGORITHMS
from core.store import MemoryLedger
from core.workflows import (
    check_ranking,
    prune_experiment,
    prune_models,
    search_front,
    train_alone,
    tune_subnet,
)
from tests.helpers.elsewhere import advance, digest, record, workers
from tests.helpers.pruning import METHODS, SMALLEST, small_request

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def found(digits_entry: SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)


def whole(workflow: Any, **asked: Any) -> MemoryLedger:
    ledger = MemoryLedger()
    list(workflow.run(workflow.Request(supernet="small", **asked), ledger, Library()))
    return ledger


SEARCH: dict[str, Any] = {"use_table": False, "budget": 18, "config": {"population": 6}}


@pytest.mark.parametrize(
    "asked",
    [
        {**SEARCH, "objectives": ["accuracy", "macs"]},
        {
            "use_table": False,
            "budget": 14,
            "algorithm": "linas",
            "config": {"first": 8, "batch": 3},
            "in_flight": 4,
        },
    ],
    ids=["nsga2", "linas"],
)
def test_a_batch_is_divided_and_comes_to_the_same(asked: dict[str, Any]) -> None:
    alone = whole(search_front, **{**asked, "in_flight": 1})
    ledger, said = MemoryLedger(), []
    request = search_front.Request(supernet="small", processes=2, **asked)
    steps = search_front.run(request, ledger, Library())
    advance(steps, workers)
    os.kill(workers()[0], signal.SIGKILL)
    for step in steps:
        said.append(step.message)
    assert digest(ledger) == digest(alone)
    assert any("on their way" in message for message in said) is False


def test_what_learns_from_whole_batches_says_so() -> None:
    asked = search_front.Request(
        supernet="small", use_table=False, budget=4, algorithm="linas", processes=2, in_flight=4
    )
    steps = search_front.run(asked, MemoryLedger(), Library())
    said = [next(steps).message for _ in range(2)]
    steps.close()  # type: ignore[attr-defined]
    assert said[1].endswith(
        "LINAS learns from whole batches, so each batch is divided among the places that measure."
    )


def test_answers_in_flight_survive_a_kill_and_the_record_tells_what_was_asked() -> None:
    request = search_front.Request(supernet="small", processes=2, in_flight=3, **SEARCH)
    ledger = MemoryLedger()
    steps = search_front.run(request, ledger, Library())
    advance(steps, lambda: len(ledger.measurements()) >= 4)
    os.kill(workers()[-1], signal.SIGKILL)
    advance(steps, lambda: len(ledger.measurements()) >= 10)
    steps.close()  # type: ignore[attr-defined]
    assert not workers()
    kept = ledger.measurements()
    # Elsewhere, in one process: it goes on from the record.
    here = search_front.Request(supernet="small", in_flight=3, **SEARCH)
    list(search_front.run(here, ledger, Library()))
    measured = ledger.measurements()
    assert measured[: len(kept)] == kept
    assert len({m.arch for _, m in measured}) == len(measured) == 18
    # Every number is what one process measures of that architecture.
    alone = {
        m.arch: m.values
        for _, m in whole(
            search_front, **{**SEARCH, "algorithm": "exhaustive", "config": {}, "budget": 10**6}
        ).measurements()
    }
    assert all(m.values == alone[m.arch] for _, m in measured)
    # An algorithm that is asked and told as the record says asks for exactly what was measured.
    before = record(ledger)
    list(search_front.run(here, ledger, Library()))
    assert record(ledger) == before
    assert any(row["knew"] < row["step"] for row in ledger.metrics())


def test_one_at_a_time_in_this_process_is_the_search_as_it_always_was() -> None:
    assert digest(whole(search_front, **SEARCH)) == digest(whole(search_front, **SEARCH, in_flight=1))
    assert ALGORITHMS.get("linas").in_batches


def asked_alone(entry: SupernetEntry, **more: Any) -> dict[str, Any]:
    return {"arch": entry.space.arch_id(entry.space.smallest), "epochs": 3, **more}


def test_three_trainings_with_a_process_killed_in_the_middle(digits_entry: SupernetEntry) -> None:
    asked = asked_alone(digits_entry, seeds=3) | {"epochs": 30}
    alone = whole(train_alone, **asked)
    ledger = MemoryLedger()
    request = train_alone.Request(supernet="small", processes=2, **asked)
    steps = train_alone.run(request, ledger, Library())
    advance(steps, lambda: len(ledger.metrics()) >= 3)
    assert len(ledger.metrics()) < 80
    before = {row["step"]: row for row in ledger.metrics()}
    for pid in workers():
        os.kill(pid, signal.SIGKILL)
    fractions = [step.fraction for step in steps]
    assert digest(ledger) == digest(alone)
    assert fractions == sorted(fractions)
    # An epoch that was trained twice would have taken another time.
    after = {row["step"]: row for row in ledger.metrics()}
    assert {step: after[step] for step in before} == before


def test_a_ranking_check_is_cancelled_and_taken_up_in_processes() -> None:
    asked = {"subnets": 3, "seeds": 1, "epochs": 2}
    alone = whole(check_ranking, **asked)
    ledger = MemoryLedger()
    request = check_ranking.Request(supernet="small", processes=2, **asked)
    steps = check_ranking.run(request, ledger, Library())
    advance(steps, lambda: ledger.latest_checkpoint() is not None)
    started = time.monotonic()
    steps.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 2
    assert not workers()
    before = {row["step"]: row for row in ledger.metrics()}
    list(check_ranking.run(request, ledger, Library()))
    assert digest(ledger) == digest(alone)
    after = {row["step"]: row for row in ledger.metrics()}
    assert {step: after[step] for step in before} == before


def test_tuning_with_a_teacher_comes_to_the_same(digits_entry: SupernetEntry) -> None:
    asked = asked_alone(digits_entry, seeds=1, teacher=True)
    assert digest(whole(tune_subnet, **asked, processes=2)) == digest(whole(tune_subnet, **asked))


@pytest.mark.long
def test_methods_of_pruning_come_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # a shipped supernet
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    asked = small_request(latency=False, methods=METHODS[:4])

    def made(processes: int, kill: bool = False) -> MemoryLedger:
        ledger = MemoryLedger()
        request = asked.model_copy(update={"processes": processes})
        steps = prune_models.run(request, ledger, Library())
        if kill:
            advance(steps, lambda: any("left in 2 places" in next(steps).message for _ in range(1)))
            os.kill(workers()[0], signal.SIGKILL)
        fractions = [step.fraction for step in steps]
        assert fractions == sorted(fractions)
        return ledger

    assert digest(made(2, kill=True)) == digest(made(1))


@pytest.mark.long
def test_an_experiment_keeps_what_was_done_before_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    asked = {
        "experiment": "lottery_tickets",
        "model": SMALLEST,
        "config": {"seeds": 3, "epochs": 2, "sparsities": [0.5], "share": 0.5},
    }
    alone, ledger = MemoryLedger(), MemoryLedger()
    list(prune_experiment.run(prune_experiment.Request.model_validate(asked), alone, Library()))
    request = prune_experiment.Request.model_validate({**asked, "processes": 2})
    steps = prune_experiment.run(request, ledger, Library())
    advance(steps, lambda: ExperimentRecord.so_far(ledger))
    steps.close()  # type: ignore[attr-defined]
    so_far = ExperimentRecord.so_far(ledger)
    assert so_far is not None
    done = [index for index in range(3) if so_far.done(index)]
    assert 0 < len(done) < 3
    seen: list[int] = []
    real = experiment_part.part

    def part(experiment: Any, task: Any, index: int, said: Any) -> Any:
        seen.append(index)
        return real(experiment, task, index, said)

    monkeypatch.setattr(prune_experiment, "part", part)
    list(prune_experiment.run(request, ledger, Library()))
    assert sorted([*seen, *done]) == [0, 1, 2]
    assert digest(ledger) == digest(alone)


class OtherDevice(Device):
    """The processor under another name."""

    @property
    def identity(self) -> str:
        return "other"


def test_a_process_on_another_device_is_refused_by_name(digits_entry: SupernetEntry) -> None:
    told = r"Where the work was given out it is done on other.*PARETOSCOPE_DEVICE"
    with using(OtherDevice()), pytest.raises(InvalidInput, match=told):
        whole(train_alone, **asked_alone(digits_entry, seeds=2), processes=2)
