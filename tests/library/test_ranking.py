"""Subnets that are dealt and trained alone: the same ones, and the same training as everywhere else."""

from __future__ import annotations

from functools import partial

import pytest

from core.library import ranking, trainings
from core.library.library import Library
from core.library.ranking import deal, inside, mean_ranks, train_one
from core.store import MemoryLedger


def test_equal_seeds_deal_equal_subnets_and_fewer_are_the_first_of_more() -> None:
    entry = Library().supernet("digits-lesson")
    dealt = deal(entry, 60, 5)
    assert len(set(dealt)) == 60
    assert deal(entry, 60, 5) == dealt
    assert deal(entry, 60, 6) != dealt
    assert deal(entry, 7, 5) == dealt[:7]
    assert len(deal(entry, 600, 0)) == entry.space.size
    assert all(0 < value < 1 for value in inside(entry, dealt))


def test_ranks_share_ties_and_leave_out_what_is_unknown() -> None:
    assert mean_ranks((0.9, 0.5, 0.9, 0.1)) == (1.5, 3, 1.5, 4)
    assert str(mean_ranks((0.2, float("nan"), 0.1))) == "(1.0, nan, 2.0)"


@pytest.mark.slow
def test_it_is_the_training_of_the_workflow_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.workflows import train_alone

    monkeypatch.setattr(ranking, "training_of", partial(trainings.training_of, epochs=2))
    entry, ledger = Library().supernet("digits-lesson"), MemoryLedger()
    arch_id = deal(entry, 1, 0)[0]
    request = train_alone.Request(supernet=entry.supernet_id, arch=arch_id, seeds=1, seed=4, epochs=2)
    for _ in train_alone.run(request, ledger, Library()):
        pass
    kept = train_alone.AloneRecord.so_far(ledger)
    assert kept is not None

    found = []

    def trained():  # type: ignore[no-untyped-def]
        found.append((yield from train_one(entry, arch_id, 4)))

    shares = list(trained())
    assert shares == [0.5, 1.0]
    assert found[0].accuracy == pytest.approx(kept.nets[0].test_accuracy, abs=1e-6)
