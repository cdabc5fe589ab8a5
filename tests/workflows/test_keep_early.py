"""A training stopped early is kept as an ordinary supernet, whatever state it was in; and another one goes on from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import CoreError, InvalidInput
from core.jobs.keeping import keep
from core.library import supernets
from core.library.kept_early import STOP_FILE, ask_to_stop, asked_to_stop, withdraw
from core.library.library import Library
from core.library.supernets import SUPERNET_FILE
from core.records import Run, RunState
from core.store import MemoryLedger, RunStore
from core.store.signing import Owner
from core.supernets.cards import read_card
from core.supernets.files import load_supernet
from core.training.film import FILM_FILE, read_film
from core.views.supernet_page import came_from
from core.workflows import train_supernet
from core.workflows.train_supernet import Request, tune_request
from tests.training.small import digest

DATA = {"name": "digits", "seed": 0, "config": {"limit_train": 96, "calibration": 64, "limit_validation": 60}}


def asked(**changes: Any) -> dict[str, Any]:
    training = {"strategy": "uniform", "epochs": 6, "batch_size": 32, "learning_rate": 0.03, "seed": 2}
    plain = {
        "title": "Tiny",
        "family": "elastic_cnn",
        "config": {"groups": [{"widths": [2, 4]}, {"widths": [3, 6], "kernels": [1, 3]}]},
        "data": DATA,
        "training": training,
        "command": "python -m core train tiny",
    }
    return {**plain, **changes}


@pytest.fixture(autouse=True)
def time_for_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """So short a training would not be filmed."""
    monkeypatch.setattr("core.training.film.SHARE", 10.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path}/runs.db", tmp_path) as opened:
        yield opened


def begun(store: RunStore, epochs: int, state: RunState) -> Run:
    """A training that has so many epochs and stands in this state."""
    run_id = store.create_run("train_supernet", asked(), title="Tiny")
    work = train_supernet.run(Request.model_validate(asked()), store.ledger(run_id), Library(store))
    for progress in work:
        if not epochs or progress.metrics.get("epoch") == epochs:
            break
    work.close()
    store.set_state(run_id, state)
    return store.get_run(run_id)


def taken_up(store: RunStore) -> Any:
    """What a server does with a run that is resumed, in this process."""

    def resume(run_id: str) -> None:
        store.leases.enqueue(run_id, Owner())
        run = store.get_run(run_id)
        list(train_supernet.run(Request.model_validate(run.params), store.ledger(run_id), Library(store)))
        store.set_state(run_id, RunState.DONE)

    return resume


@pytest.mark.parametrize(
    "state",
    [
        RunState.FAILED,
        pytest.param(RunState.CANCELLED, marks=pytest.mark.slow),
        pytest.param(RunState.INTERRUPTED, marks=pytest.mark.slow),
    ],
)
def test_what_a_stopped_training_has_becomes_a_supernet(store: RunStore, state: RunState) -> None:
    run = begun(store, 2, state)
    keep(store, run, taken_up(store))
    entry = supernets.find(store, run.run_id)
    net, raw = load_supernet(store.ledger(run.run_id).artifact(SUPERNET_FILE))
    card = read_card(raw)
    assert card.stopped is not None
    assert (card.stopped.epoch, card.stopped.of, card.epochs, card.final["epoch"]) == (2, 6, 2, 2)
    assert card.command == "python -m core train tiny --stop-after 2"
    assert card.training["epochs"] == 6, "the curve of the learning rate was that of six"
    assert entry.title == "Tiny"
    assert came_from(store, entry).sentence == "It was trained here; it was stopped after epoch 2 of 6."
    assert {"smallest", "largest", "passes"} <= card.final.keys()
    assert not {"memory", "drawn_1", "loss_1", "macs_1"} & card.final.keys()
    # The command makes it again, bit for bit.
    again = MemoryLedger()
    list(train_supernet.run(Request.model_validate(asked(stop_after=2)), again, Library()))
    assert digest(load_supernet(again.artifact(SUPERNET_FILE))[0]) == digest(net)
    assert again.artifact(FILM_FILE) == store.ledger(run.run_id).artifact(FILM_FILE)
    assert [row["step"] for row in store.ledger(run.run_id).metrics()] == [1, 2]


def test_a_running_training_ends_at_once_and_says_where(store: RunStore) -> None:
    run_id = store.create_run("train_supernet", asked(), title="Tiny")
    ledger = store.ledger(run_id)
    store.set_state(run_id, RunState.RUNNING)
    said = []
    for progress in train_supernet.run(Request.model_validate(asked()), ledger, Library(store)):
        said.append(progress.message)
        if progress.metrics.get("epoch") == 3 and progress.fraction < 1:
            keep(store, store.get_run(run_id), lambda _: pytest.fail("it runs: nobody takes it up"))
    assert said[-1].startswith("Tiny was stopped after epoch 3 of 6: validation accuracy")
    assert [row["step"] for row in ledger.metrics()] == [1, 2, 3]
    assert ledger.artifact(STOP_FILE) == b'{"asked": true, "epoch": 3, "of": 6}'
    assert read_film(ledger.artifact(FILM_FILE)).epochs[-1] == 3


@pytest.mark.slow
def test_numbers_without_their_weights_are_not_the_last_epoch(store: RunStore) -> None:
    """A power cut between an epoch's numbers and its checkpoint."""
    run = begun(store, 2, RunState.INTERRUPTED)
    ledger = store.ledger(run.run_id)
    ledger.log_metrics(3, {**ledger.metrics()[-1], "epoch": 3, "smallest": 0.99})
    keep(store, run, taken_up(store))
    card = read_card(load_supernet(ledger.artifact(SUPERNET_FILE))[1])
    assert (card.stopped.epoch, card.final["epoch"]) == (2, 2) if card.stopped else pytest.fail("not stopped")


@pytest.mark.parametrize(
    ("epochs", "state", "said"),
    [
        (0, RunState.CANCELLED, "No epoch of this training is finished yet"),
        (2, RunState.DONE, "has ended; its supernet is in the gallery"),
    ],
)
def test_where_there_is_nothing_to_keep_it_says_so(
    store: RunStore, epochs: int, state: RunState, said: str
) -> None:
    run = begun(store, epochs, state)
    with pytest.raises(InvalidInput, match=said):
        keep(store, run, taken_up(store))
    assert not any(each.name == STOP_FILE for each in store.ledger(run.run_id).artifacts())


@pytest.mark.slow
def test_it_goes_on_longer_or_forks_and_both_say_from_what() -> None:
    first = MemoryLedger()
    list(train_supernet.run(Request.model_validate(asked(stop_after=2)), first, Library()))
    entry = supernets.from_bytes(first.artifact(SUPERNET_FILE), title="Tiny", supernet_id="0" * 32)
    longer = tune_request(entry, "tiny", epochs=4, seed=3, as_before=True)
    assert longer["training"]["strategy"] == "uniform"
    assert longer["training"]["learning_rate"] == 0.03
    assert (longer["training"]["epochs"], longer["training"]["seed"]) == (4, 3)
    assert "--as-before" in longer["command"]
    fork = tune_request(entry, "tiny", epochs=4, method="sandwich", as_before=True)
    assert fork["training"]["strategy"] == "sandwich"
    tuned = tune_request(entry, "tiny")
    assert (tuned["training"]["strategy"], tuned["training"]["learning_rate"]) == ("sandwich", 0.05)


@pytest.mark.slow
def test_the_card_of_a_longer_training_counts_all_epochs(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    list(train_supernet.run(Request.model_validate(asked(stop_after=2)), ledger, Library()))
    path = tmp_path / "first.safetensors"
    for wanted in (5, 8):
        path.write_bytes(ledger.artifact(SUPERNET_FILE))
        entry = supernets.from_bytes(path.read_bytes(), title="Tiny")
        request = tune_request(entry, str(path), epochs=3, as_before=True)
        ledger = MemoryLedger()
        list(train_supernet.run(Request.model_validate(request), ledger, Library()))
        card = read_card(load_supernet(ledger.artifact(SUPERNET_FILE))[1])
        assert card.epochs == wanted
        assert card.tuned_from is not None
        assert card.tuned_from.sha256 == entry.sha256
        assert card.stopped is None


@pytest.mark.slow
def test_a_diverged_training_keeps_its_last_good_epoch(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training.supernet_session import SupernetSession

    honest, calls = SupernetSession.loss, [0]

    def broken(session: SupernetSession, *given: Any) -> Any:
        calls[0] += 1
        return honest(session, *given) * (float("nan") if calls[0] > 7 else 1)

    monkeypatch.setattr(SupernetSession, "loss", broken)
    run_id = store.create_run("train_supernet", asked(), title="Tiny")
    with pytest.raises(CoreError, match="diverged in epoch 3"):
        list(train_supernet.run(Request.model_validate(asked()), store.ledger(run_id), Library(store)))
    store.set_state(run_id, RunState.FAILED)
    keep(store, store.get_run(run_id), taken_up(store))
    assert supernets.find(store, run_id).card.epochs == 2


def test_whoever_resumes_wants_it_trained() -> None:
    ledger = MemoryLedger()
    assert not asked_to_stop(ledger)
    withdraw(ledger)
    assert ledger.artifacts() == []
    ask_to_stop(ledger)
    assert asked_to_stop(ledger)
    withdraw(ledger)
    assert not asked_to_stop(ledger)


def test_a_wish_survives_a_restart_and_is_met_when_the_run_is_taken_up(store: RunStore) -> None:
    run = begun(store, 3, RunState.INTERRUPTED)
    ask_to_stop(store.ledger(run.run_id))
    taken_up(store)(run.run_id)
    assert supernets.find(store, run.run_id).card.epochs == 3
