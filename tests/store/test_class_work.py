"""Deals and tries: counted in the database, so that two tabs get no sixth try and no two students the same network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from core.errors import CoreError, InvalidInput
from core.store import RunStore
from core.store.class_rows import TRIES, Contest, Student
from core.store.schema import DealRow, EntryRow
from tests.store.databases import DATABASES, open_store


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    with open_store(request.param, tmp_path) as opened:
        yield opened


def opened(store: RunStore, *names: str) -> list[Student]:
    """Students of a new class with the experiment and a contest open."""
    room, _ = store.classes.create()
    contest = Contest(number=1, budget=1000, seed=5)
    values = {"experiment": True, "contests": (contest,)}
    store.classes.set_rules(room.code, lambda rules, at: rules.model_copy(update=values))
    return [store.classes.join(room.code, name)[0] for name in names]


def enter(store: RunStore, student: Student, arch_id: str, macs: int = 500) -> None:
    store.class_work.enter(student, supernet="digits-lesson", arch_id=arch_id, macs=macs, of=10)


def test_deals_go_round_and_are_kept_until_they_are_queued(store: RunStore) -> None:
    ada, bob = opened(store, "Ada", "Bob")

    def choose(number: int) -> tuple[str, int]:
        return f"arch{number}", 1

    first = store.class_work.deal(ada, choose)
    assert store.class_work.deal(ada, choose) == first, "a killed tab gets the same network again"
    store.class_work.queued(ada.code, first.number, "a" * 32)
    assert store.class_work.deal(bob, choose).number == 1
    second = store.class_work.deal(ada, choose)
    store.class_work.queued(ada.code, second.number, "b" * 32)
    with pytest.raises(InvalidInput, match="trained your 2"):
        store.class_work.deal(ada, choose)
    store.class_work.finished(ada.code, first.number, 0.9)
    store.class_work.finished(ada.code, first.number, 0.1)
    kept = store.class_work.deals(ada.code)
    assert [(d.number, d.arch_id, d.run_id, d.test_accuracy) for d in kept] == [
        (0, "arch0", "a" * 32, 0.9),
        (1, "arch1", "", None),
        (2, "arch2", "b" * 32, None),
    ]
    assert store.check() == []


def test_a_closed_experiment_and_a_removed_student_get_nothing(store: RunStore) -> None:
    ada, bob = opened(store, "Ada", "Bob")
    store.classes.remove(bob.code, bob.student_id)
    with pytest.raises(InvalidInput, match="removed"):
        store.class_work.deal(bob, lambda number: ("a", 1))
    with pytest.raises(InvalidInput, match="removed"):
        enter(store, bob, "a")
    store.classes.set_rules(ada.code, lambda rules, at: rules.model_copy(update={"experiment": False}))
    with pytest.raises(InvalidInput, match="closed"):
        store.class_work.deal(ada, lambda number: ("a", 1))
    assert store.class_work.deals(ada.code) == []


def test_what_is_refused_uses_no_try(store: RunStore) -> None:
    [ada] = opened(store, "Ada")
    enter(store, ada, "a", macs=1000)
    for arch_id, macs, said in (("b", 1001, "budget"), ("a", 500, "already")):
        with pytest.raises(InvalidInput, match=said):
            enter(store, ada, arch_id, macs)
    for number in range(TRIES - 1):
        enter(store, ada, f"more{number}")
    with pytest.raises(InvalidInput, match="tries"):
        enter(store, ada, "b")
    assert [each.attempt for each in store.class_work.entries(ada.code)] == [1, 2, 3, 4, 5]
    entry = store.class_work.entries(ada.code)[0]
    store.class_work.judged(ada.code, entry, 7)
    store.class_work.judged(ada.code, entry, 10)
    assert store.class_work.entries(ada.code)[0].accuracy == 0.7
    assert store.check() == []
    closed = (Contest(number=1, budget=1000, seed=5, open=False),)
    store.classes.set_rules(ada.code, lambda rules, at: rules.model_copy(update={"contests": closed}))
    with pytest.raises(InvalidInput, match="No contest"):
        enter(store, ada, "b")


def test_two_tabs_race_for_the_fifth_try_and_one_gets_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    with RunStore(url, tmp_path) as first, RunStore(url, tmp_path) as second:
        [ada] = opened(first, "Ada")
        for number in range(TRIES - 1):
            enter(first, ada, f"arch{number}")
        refused, start = [], threading.Barrier(4)

        def tab(store: RunStore, arch_id: str) -> None:
            start.wait()
            try:
                enter(store, ada, arch_id)
            except CoreError as error:
                refused.append(str(error))

        tabs = [threading.Thread(target=tab, args=((first, second)[n % 2], f"last{n}")) for n in range(4)]
        for each in tabs:
            each.start()
        for each in tabs:
            each.join()
        assert len(refused) == 3
        assert [each.attempt for each in second.class_work.entries(ada.code)] == list(range(1, TRIES + 1))


def test_what_changed_on_the_disk_does_not_count(store: RunStore) -> None:
    [ada] = opened(store, "Ada")
    enter(store, ada, "a")
    store.class_work.deal(ada, lambda number: ("a", 1))
    with store._database.write("a fault") as connection:
        connection.execute(update(EntryRow).values(correct=10))
        connection.execute(update(DealRow).values(test_accuracy=1.0))
    assert store.class_work.entries(ada.code) == store.class_work.deals(ada.code) == []
    assert len(store.check()) == 2
