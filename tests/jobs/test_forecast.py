"""Forecasts: what follows from a trial, what a trial finds on a clock of its own, and that pages never wait for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import DataUnavailable, InvalidInput
from core.jobs import trials
from core.jobs.forecast import PhaseTime, Trial, busy, of_training, of_work, trial_params
from core.jobs.trials import Trials
from core.jobs.trying import try_work
from core.library.library import Library
from core.store import MemoryLedger
from core.store.sandboxes import Sandboxes
from core.words import format_about
from core.workflows import evaluate_table, train_supernet

TRIAL = Trial(
    kind="training",
    start=2.0,
    prepare=1.0,
    phases=(
        PhaseTime(name="one", share=0.5, step=0.1, passes=1),
        PhaseTime(name="four", share=0.5, step=0.4, passes=4),
    ),
    steps=10,
    after=0.5,
    space=100,
    measuring=20.0,
    tried="9 steps",
)
SMALL = {
    "family": "elastic_cnn",
    "config": {"groups": [{"widths": [2, 4], "kernels": [3, 5]}, {"widths": [3, 6]}]},
    "data": {"name": "digits", "config": {"limit_train": 640}},
    "training": {"epochs": 3},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARETOSCOPE_WORKFLOWS", raising=False)


def test_a_training_is_the_sum_of_its_phases() -> None:
    found = of_training(TRIAL, 12)
    assert found.seconds == pytest.approx(3 + 6 * 10 * 0.1 + 6 * 10 * 0.4 + 12 * 0.5)
    [later] = found.later
    assert (later.what, later.seconds) == ("measuring all 100 subnets", pytest.approx(23.0))
    assert of_training(TRIAL, 24).seconds == pytest.approx(2 * found.seconds - 3)
    with pytest.raises(InvalidInput, match="2 phases"):
        of_training(TRIAL, 1)


def test_five_searches_start_five_workers() -> None:
    """REVIEW 5.11: "about a second" was 13.9 s for five searches, nearly all of it starting."""
    one = Trial(kind="other", start=2.5, prepare=0.2, work=0.1, tried="all of it")
    assert of_work(one, 5).seconds == pytest.approx(14.0)


def test_what_does_not_decide_the_time_asks_for_no_new_trial() -> None:
    request = train_supernet.Request.model_validate(SMALL).model_dump(mode="json")
    other = {
        **request,
        "title": "x",
        "training": {**request["training"], "epochs": 99, "seed": 5, "learning_rate": 1.0},
    }
    assert trial_params("train_supernet", request) == trial_params("train_supernet", other)
    wider = {**request, "training": {**request["training"], "batch_size": 8}}
    assert trial_params("train_supernet", request) != trial_params("train_supernet", wider)
    assert trial_params("search_front", {"budget": 1, "seed": 1}) != trial_params(
        "search_front", {"budget": 2}
    )


def test_the_time_is_said_with_no_more_digits_than_it_is_good_for() -> None:
    said = {
        0.2: "1 second",
        7.4: "7 seconds",
        38: "40 seconds",
        64: "60 seconds",
        100: "2 minutes",
        3000: "50 minutes",
    }
    assert {s: format_about(s) for s in said} == {s: f"about {text}" for s, text in said.items()}
    assert format_about(9000) == "about 2.5 hours"
    assert busy() >= 1.0


def spent(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


@pytest.mark.long  # it compares times, which a busy machine changes: `benchmarks/forecast.py` prints them
def test_a_trial_comes_near_to_what_the_work_takes(tmp_path: Path) -> None:
    """Computing time of this process; a factor of two is allowed."""
    request = train_supernet.Request.model_validate(SMALL)
    trial = try_work("train_supernet", SMALL, Library())
    assert (trial.steps, trial.space) == (10, 144)
    ledger = MemoryLedger()
    took = spent(lambda: list(train_supernet.run(request, ledger, Library())))
    # The trial has read the data, which the work then finds in memory.
    assert took / 2 < of_training(trial, 3).seconds - trial.prepare < took * 2
    assert trial.measuring is not None
    path = tmp_path / "net.safetensors"
    path.write_bytes(ledger.artifact("supernet.safetensors"))
    table = evaluate_table.Request(supernet=str(path))
    took = spent(lambda: list(evaluate_table.run(table, MemoryLedger(), Library())))
    assert trial.measuring < took * 2
    found = try_work("evaluate_table", {"supernet": str(path)}, Library())
    assert found.work == pytest.approx(trial.measuring, rel=1.0)


def test_any_other_work_is_begun_and_left() -> None:
    found = try_work("search_front", {"supernet": "digits-cnn", "budget": 300}, Library())
    assert (found.kind, found.tried) == ("other", "all of it")
    assert found.work < 5


def test_a_trial_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARETOSCOPE_DATA", raising=False)
    monkeypatch.setattr("core.datasets.official.fetch", lambda *_: pytest.fail("it was fetched"))
    with pytest.raises(DataUnavailable, match="not on this machine yet"):
        try_work("train_supernet", {**SMALL, "data": {"name": "cifar10"}}, Library())


def until(answer: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while (found := answer()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_asking_never_waits_and_the_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Mapping[str, Any]] = []
    go = threading.Event()

    def slow(request: Mapping[str, Any]) -> Trial:
        asked.append(request)
        go.wait(20)
        return TRIAL

    monkeypatch.setattr(trials, "spawn", slow)
    ours = Trials()
    began = time.monotonic()
    for budget in (1, 2, 3, 4):
        assert ours.ask("search_front", {"budget": budget}, "me") is None
    assert time.monotonic() - began < 1
    go.set()
    assert until(lambda: ours.ask("search_front", {"budget": 4}, "me")) == TRIAL
    # What a visitor has moved on from is not tried: at most the first, which had begun, and the last.
    assert len(asked) <= 2
    assert asked[-1]["params"]["budget"] == 4
    assert ours.ask("search_front", {"budget": 4, "seed": 7}, "you") == TRIAL
    # The next server finds it on the disk.
    monkeypatch.setattr(trials, "spawn", lambda _: pytest.fail("it was tried again"))
    assert Trials().ask("search_front", {"budget": 4}, "me") == TRIAL


@pytest.mark.slow
def test_a_trial_that_fails_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    request = {"kind": "evaluate_table", "params": {"supernet": "nothing"}}
    answer = trials.spawn(request)
    assert isinstance(answer, str)
    assert "no supernet" in answer.lower()
    monkeypatch.setattr(trials.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(OSError()))
    assert trials.spawn(request) == "The trial did not end as it should."


def test_a_refusal_holds_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = ["Busy.", TRIAL]
    monkeypatch.setattr(trials, "spawn", lambda _: answers.pop(0))
    ours = Trials()
    assert until(lambda: ours.ask("search_front", {}, "me")) == "Busy."
    assert ours.ask("search_front", {}, "me") == "Busy."
    monkeypatch.setattr(trials, "_AGAIN_SECONDS", -1.0)
    assert until(lambda: ours.ask("search_front", {}, "me")) == TRIAL


def test_what_is_shipped_is_tried_once_for_a_class_and_what_is_anothers_is_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    asked: list[Mapping[str, Any]] = []
    monkeypatch.setattr(trials, "spawn", lambda request: asked.append(request) or TRIAL)
    sandboxes, ours = Sandboxes(tmp_path), Trials()
    ada, bob = (sandboxes.open(name * 32) for name in "ab")
    shipped, made = {"supernet": "digits-cnn"}, {"supernet": "c" * 32}
    assert until(lambda: ours.ask("search_front", shipped, "a", store=ada)) == TRIAL
    assert ours.ask("search_front", shipped, "b", store=bob) == TRIAL
    assert len(asked) == 1
    assert until(lambda: ours.ask("search_front", made, "a", store=ada)) == TRIAL
    assert ours.ask("search_front", made, "b", store=bob) is None
    assert until(lambda: ours.ask("search_front", made, "b", store=bob)) == TRIAL
    assert [each.get("environment", {}).get("PARETOSCOPE_SANDBOX") for each in asked] == [
        None,
        ada.sandbox_id,
        bob.sandbox_id,
    ]
    sandboxes.close()
