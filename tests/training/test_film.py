"""The film of a training: the same frames on every way through, within a bound, and without a trace in the weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from core.errors import DamagedArtifact
from core.evaluation.evaluator import evaluate_table
from core.spaces import Choice, SearchSpace
from core.store import MemoryLedger
from core.tasks.base import evaluation_data
from core.training.checkpoint import about
from core.training.film import (
    AT_LEAST,
    AT_MOST,
    FILM_FILE,
    MOST_FRAMES,
    SHARE,
    Offer,
    chosen,
    empty_film,
    read_film,
    script,
)
from core.training.loop import train
from tests.training.small import RecordingLedger, digest, digits, fresh_net, settings

EPOCHS = 4
CONFIG = settings(strategy="uniform", epochs=EPOCHS, shift=1)


@pytest.fixture(scope="module", autouse=True)
def time_for_frames() -> Iterator[None]:
    """So short a training would not be filmed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.training.film.SHARE", 10.0)
        yield


@pytest.fixture(scope="module")
def filmed() -> tuple[str, RecordingLedger]:
    ledger, net = RecordingLedger(), fresh_net()
    list(train(net, digits(), CONFIG, ledger, film=True))
    return digest(net), ledger


@pytest.mark.slow
def test_filming_leaves_the_weights_bit_for_bit_as_they_are(filmed: tuple[str, RecordingLedger]) -> None:
    plain, net = RecordingLedger(), fresh_net()
    list(train(net, digits(), CONFIG, plain))
    assert digest(net) == filmed[0]
    assert plain.checkpoints == filmed[1].checkpoints
    assert plain.artifacts() == []


def test_a_small_space_is_shown_whole_and_the_last_frame_is_the_trained_supernet(
    filmed: tuple[str, RecordingLedger],
) -> None:
    film, net = read_film(filmed[1].artifact(FILM_FILE)), fresh_net()
    list(train(net, digits(), CONFIG, MemoryLedger()))
    assert film.exact
    assert film.epochs.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(film.rows, net.space.array())
    found = evaluate_table(net, film.rows, ("accuracy", "macs"), evaluation_data(digits(), ("validation",)))
    np.testing.assert_array_equal(film.accuracy[-1], found["accuracy"])
    np.testing.assert_array_equal(film.macs, found["macs"])
    assert film.samples == 200


@pytest.mark.parametrize("cut", ["after the numbers", "after the frame"])
def test_a_run_cut_between_a_frame_and_its_checkpoint_has_no_hole_and_no_double(
    cut: str, filmed: tuple[str, RecordingLedger], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = RecordingLedger()
    broken = {"after the numbers": "checkpoint", "after the frame": "log_metrics"}[cut]
    calls, honest = [0], getattr(ledger, broken)

    def fails(*given: object, **named: object) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError("cut")
        honest(*given, **named)

    monkeypatch.setattr(ledger, broken, fails)
    with pytest.raises(OSError, match="cut"):
        list(train(fresh_net(), digits(), CONFIG, ledger, film=True))
    assert read_film(ledger.artifact(FILM_FILE)).epochs.tolist() == [1, 2], "one frame more than checkpoints"
    list(train(fresh_net(seed=7), digits(), CONFIG, ledger, film=True))
    assert ledger.artifact(FILM_FILE) == filmed[1].artifact(FILM_FILE)
    assert [row["step"] for row in ledger.metrics()] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_training_that_should_stop_ends_with_its_last_whole_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.training.epochs._YIELD_SECONDS", 0.0)
    ledger, net, wish = RecordingLedger(), fresh_net(), [False]
    config = settings(strategy="sandwich", epochs=9)
    work = train(net, digits(), config, ledger, film=True, stop=lambda epochs: wish[0])
    for progress in work:
        # Within the fourth epoch, which is thrown away.
        wish[0] = wish[0] or (len(ledger.checkpoints) == 3 and not progress.metrics)
    again = fresh_net()
    list(train(again, digits(), config, MemoryLedger(), stop=lambda epochs: epochs == 3))
    assert digest(net) == digest(again)
    assert about(ledger.checkpoints[-1])["epoch"] == 3
    assert read_film(ledger.artifact(FILM_FILE)).epochs[-1] == 3, "what is kept has its frame"


def test_nothing_is_kept_before_the_first_epoch_is_whole() -> None:
    ledger = RecordingLedger()
    list(train(fresh_net(), digits(), settings(epochs=5), ledger, stop=lambda epochs: True))
    assert about(ledger.checkpoints[-1])["epoch"] == 1


@pytest.mark.parametrize("total", [0.1, 30.0, 600.0, 36_000.0])
@pytest.mark.parametrize("epochs", [1, 2, 7, 150, 2000])
def test_frames_stay_within_the_bound_and_end_with_the_last_epoch(
    total: float, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.film.SHARE", SHARE)
    offers = [Offer(4000, True, 40.0), Offer(256, False, 3.0), Offer(32, False, 0.4)]
    offer, at = chosen(offers, total, epochs)
    if total == 0.1:
        assert (offer, at) == (None, ()), "it would take longer than the training"
        return
    assert offer is not None
    assert len(at) * offer.work <= max(SHARE * total, min(AT_LEAST, AT_MOST * total))
    assert list(at) == sorted(set(at))
    assert 1 <= at[0] <= at[-1] == epochs
    assert len(at) <= MOST_FRAMES
    # The whole space wherever there is time for five frames of it.
    assert offer.exact == (SHARE * total >= 40.0 * min(5, epochs))
    assert chosen([Offer(32, False, 1e4)], total, epochs) == (None, ())


def test_a_large_space_is_shown_by_a_sample_from_the_smallest_to_the_largest() -> None:
    space = SearchSpace([Choice(f"width{n}", tuple(range(1, 9)), ordinal=True) for n in range(8)])

    def costs(rows: np.ndarray) -> np.ndarray:
        return rows.sum(1).astype(float)

    found = script(space, costs, lambda rows: 1e-3 * len(rows), total=60.0, epochs=30)
    assert found is not None
    assert (found.exact, len(found.rows)) == (False, 256)
    assert {space.smallest, space.largest} <= set(map(tuple, found.rows.tolist()))
    again = script(space, costs, lambda rows: 1e-3 * len(rows), total=60.0, epochs=30)
    assert again is not None
    np.testing.assert_array_equal(found.rows, again.rows)


def test_a_film_that_is_none_says_so() -> None:
    film = empty_film(np.zeros((3, 2), np.uint8), np.arange(3), exact=True, samples=9)
    whole = film.with_frame(2, np.array([0.1, 0.2, 0.3])).dump()
    assert read_film(whole).accuracy.tolist() == [[0.1, 0.2, 0.3]]
    twice = read_film(whole).with_frame(5, np.ones(3)).with_frame(2, np.zeros(3))
    assert (twice.epochs.tolist(), twice.accuracy.tolist()) == ([2], [[0.0, 0.0, 0.0]]), (
        "taken anew, not twice"
    )
    for data in (b"", whole[:-30], b"PK\x03\x04", whole.replace(b"accuracy", b"accurasy")):
        with pytest.raises(DamagedArtifact, match="its curves can"):
            read_film(data)
