"""Baskets: kept over a restart, changed by several people at once, deleted and brought back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from core.errors import InvalidInput, NotFound
from core.store import RunStore
from core.store.baskets import KEPT_SECONDS, LONGEST_NAME, MOST_NETWORKS
from core.store.schema import BasketItemRow, BasketRow
from tests.store.databases import DATABASES, open_store

A, B, C = "subnet:digits-cnn:000000000000", "subnet:fashion-cnn:111111111111", "pruned:run:3"


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    with open_store(request.param, tmp_path) as opened:
        yield opened


def test_a_basket_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    with RunStore(url, tmp_path) as first:
        basket_id = first.baskets.create("For the lecture")
        assert first.baskets.add(basket_id, A, "digits 000000000000")
        assert first.baskets.add(basket_id, C, "pruned")
    with RunStore(url, tmp_path) as second:
        kept = second.baskets.get(basket_id)
    assert kept.name == "For the lecture"
    assert kept.network_ids == (A, C)
    assert [item.title for item in kept.items] == ["digits 000000000000", "pruned"]


def test_each_network_once_and_in_order(store: RunStore) -> None:
    basket_id = store.baskets.create("b")
    assert [store.baskets.add(basket_id, each, each) for each in (C, A, B, A)] == [True, True, True, False]
    assert store.baskets.get(basket_id).network_ids == (C, A, B)
    assert [(b.name, b.size) for b in store.baskets.list()] == [("b", 3)]


def test_several_at_once_are_all_put_in_or_none(store: RunStore) -> None:
    basket_id = store.baskets.create("b")
    store.baskets.add(basket_id, B, "b")
    assert store.baskets.add_all(basket_id, [(C, "c"), (B, "again"), (A, "a"), (C, "c")]) == 2
    assert [(item.network_id, item.title) for item in store.baskets.get(basket_id).items] == [
        (B, "b"),
        (C, "c"),
        (A, "a"),
    ]
    too_many = [(f"alone:many:{number}", "many") for number in range(MOST_NETWORKS - 2)]
    with pytest.raises(InvalidInput, match="3 are in it and 198 would come"):
        store.baskets.add_all(basket_id, too_many)
    assert len(store.baskets.get(basket_id).items) == 3
    assert store.baskets.add_all(basket_id, too_many[1:]) == MOST_NETWORKS - 3
    store.baskets.delete(basket_id)
    with pytest.raises(NotFound):
        store.baskets.add_all(basket_id, [(A, "a")])


def test_two_people_who_add_at_once_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    with RunStore(url, tmp_path) as first, RunStore(url, tmp_path) as second:
        basket_id = first.baskets.create("ours")
        first.baskets.get(basket_id)  # both have looked at it before
        second.baskets.get(basket_id)

        def add(store: RunStore, who: str) -> None:
            for number in range(8):
                store.baskets.add(basket_id, f"alone:{who}:{number}", who)

        people = [threading.Thread(target=add, args=each) for each in ((first, "one"), (second, "two"))]
        for each in people:
            each.start()
        for each in people:
            each.join()
        kept = first.baskets.get(basket_id)
    assert set(kept.network_ids) == {f"alone:{w}:{n}" for w in ("one", "two") for n in range(8)}
    assert len({item.place for item in kept.items}) == 16


def test_one_adds_while_another_removes(store: RunStore) -> None:
    basket_id = store.baskets.create("b")
    store.baskets.add(basket_id, A, "a")
    store.baskets.add(basket_id, B, "b")
    store.baskets.add(basket_id, C, "c")
    gone = store.baskets.remove(basket_id, B)
    assert store.baskets.get(basket_id).network_ids == (A, C)
    assert gone is not None
    store.baskets.add(basket_id, gone.network_id, gone.title, place=gone.place)
    assert store.baskets.get(basket_id).network_ids == (A, B, C), "undone: where it was"
    assert store.baskets.remove(basket_id, "alone:x:0") is None


def test_rename_delete_and_bring_back(store: RunStore) -> None:
    basket_id, other = store.baskets.create("b"), store.baskets.create("other")
    store.baskets.add(basket_id, A, "a")
    store.baskets.rename(basket_id, "  a better\nname ")
    assert [b.name for b in store.baskets.list()] == ["a better name", "other"], "the last one changed first"
    store.baskets.delete(basket_id)
    assert [b.basket_id for b in store.baskets.list()] == [other]
    for change in (
        lambda: store.baskets.get(basket_id),
        lambda: store.baskets.add(basket_id, B, "b"),
        lambda: store.baskets.rename(basket_id, "x"),
        lambda: store.baskets.delete(basket_id),
    ):
        with pytest.raises(NotFound):
            change()
    store.baskets.restore(basket_id)
    assert store.baskets.get(basket_id).network_ids == (A,)
    assert store.baskets.find("a better name").basket_id == store.baskets.find(basket_id).basket_id


def test_what_was_deleted_long_ago_is_gone(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = store.baskets.create("old"), store.baskets.create("new")
    store.baskets.add(old, A, "a")
    monkeypatch.setattr("core.store.baskets.time.time", lambda: 1e9)
    store.baskets.delete(old)
    monkeypatch.setattr("core.store.baskets.time.time", lambda: 1e9 + KEPT_SECONDS + 1)
    store.baskets.delete(new)
    with pytest.raises(NotFound):
        store.baskets.restore(old)
    store.baskets.restore(new)


def test_names_and_sizes_have_bounds(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.store.baskets.MOST_NETWORKS", 3)
    for name in ("", "  \n", "\u202e"):
        with pytest.raises(InvalidInput, match="name"):
            store.baskets.create(name)
    with pytest.raises(InvalidInput, match=str(LONGEST_NAME)):
        store.baskets.create("x" * (LONGEST_NAME + 1))
    basket_id = store.baskets.create("x" * LONGEST_NAME)
    for number in range(3):
        store.baskets.add(basket_id, f"alone:r:{number}", "t" * 1000)
    with pytest.raises(InvalidInput, match="at most"):
        store.baskets.add(basket_id, A, "a")


def test_a_changed_row_is_found_by_the_check(store: RunStore) -> None:
    basket_id = store.baskets.create("b")
    store.baskets.add(basket_id, A, "a")
    assert store.check() == []
    with store._database.write("damaging") as connection:
        connection.execute(update(BasketItemRow).values(network_id=B))
        connection.execute(update(BasketRow).values(name="c"))
    assert len(store.check()) == 2


def test_lately_sees_what_was_changed_here_at_once_and_elsewhere_after_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, now = f"sqlite:///{tmp_path / 'p.db'}", [100.0]
    monkeypatch.setattr("core.store.baskets.time.monotonic", lambda: now[0])
    with RunStore(url, tmp_path) as here, RunStore(url, tmp_path) as elsewhere:
        assert here.baskets.lately(None) is None
        basket_id = here.baskets.create("b")
        assert here.baskets.lately(None) == here.baskets.lately(basket_id) == here.baskets.get(basket_id)
        here.baskets.add(basket_id, A, "a")
        assert here.baskets.lately(None) == here.baskets.get(basket_id)
        elsewhere.baskets.remove(basket_id, A)
        # Within the second the database is not asked.
        assert here.baskets.lately(None) != here.baskets.get(basket_id)
        now[0] += 1.1
        assert here.baskets.lately(None) == here.baskets.get(basket_id)
        here.baskets.delete(basket_id)
        assert here.baskets.lately(basket_id) is None
