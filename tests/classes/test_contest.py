"""The contest: hidden images that a seed makes, a judge that repeats, a leaderboard with ties."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.classes import contest
from core.errors import CoreError, InvalidInput, NotFound
from core.lessons.base import SUPERNET
from core.library import supernets
from core.library.supernets import SUPERNET_FILE
from core.settings import ASSETS
from core.store import RunStore
from core.store.class_rows import Entry, Rules
from core.store.sandboxes import Sandboxes

ENTRY = supernets.find(None, SUPERNET)
CARD = json.loads((ASSETS / "supernets" / SUPERNET / "card.json").read_text(encoding="utf-8"))


def entry(who: str, correct: int | None, macs: int, attempt: int = 1, ordinal: int = 0) -> Entry:
    return Entry(1, who, attempt, SUPERNET, f"{macs}", macs, correct, 100, ordinal, 0.0)


def test_hidden_images_are_made_of_test_images_alone_and_repeat() -> None:
    dataset = supernets.dataset(ENTRY)
    x, y = contest.hidden(dataset, 5)
    assert x.shape == (3 * len(dataset.test), *dataset.test.x.shape[1:])
    assert x.dtype == np.float32
    assert x.min() >= 0
    assert x.max() <= 1
    assert (y == np.tile(dataset.test.y, 3)).all()
    contest.hidden.cache.clear()
    assert (contest.hidden(dataset, 5)[0] == x).all()
    assert (contest.hidden(dataset, 6)[0] != x).any()
    # Moved by at most a pixel in each direction: without the noise, one of nine places fits exactly.
    for number in (0, 100, 800):
        image = dataset.test.x[number % len(dataset.test), 0]
        padded = np.pad(image, 1)
        misfit = [
            np.abs(padded[down : down + 8, right : right + 8] - x[number, 0]).mean()
            for down in range(3)
            for right in range(3)
        ]
        assert min(misfit) < 0.1


def test_an_entry_is_judged_as_a_slow_count_judges_it(store: RunStore) -> None:
    from core.networks.answers import predictions

    room, _ = store.classes.create()
    store.classes.set_rules(room.code, lambda rules, at: contest.opened(rules, 60_000))
    ada, _ = store.classes.join(room.code, "Ada")
    arch = ENTRY.space.smallest
    done = contest.entered(store, None, ada, SUPERNET, ENTRY.space.arch_id(arch))
    seed = store.classes.get(room.code).rules.contests[0].seed
    dataset, net = supernets.dataset(ENTRY), supernets.load(ENTRY)
    x, y = contest.hidden(dataset, seed)
    alone = net.extract(arch, net.calibrate_on(arch, dataset))
    assert done.correct == int((predictions(alone, x) == y).sum())
    assert 0.3 < (done.accuracy or 0) < 0.9
    assert done.macs == contest.macs_of(ENTRY, arch)
    with pytest.raises(InvalidInput, match="budget"):
        contest.entered(store, None, ada, SUPERNET, ENTRY.space.arch_id(ENTRY.space.largest))
    for supernet, arch_id in (
        (SUPERNET, "nothing"),
        ("digits-cnn", "0"),
        ("no such", "0"),
        (SUPERNET, "9" * 500),
    ):
        with pytest.raises(CoreError):
            contest.entered(store, None, ada, supernet, arch_id)
    assert len(store.class_work.entries(room.code)) == 1


def test_what_a_killed_server_left_open_is_judged_later(store: RunStore) -> None:
    room, _ = store.classes.create()
    store.classes.set_rules(room.code, lambda rules, at: contest.opened(rules, 60_000))
    ada, _ = store.classes.join(room.code, "Ada")
    arch_id = ENTRY.space.arch_id(ENTRY.space.smallest)
    tried = store.class_work.enter(ada, supernet=SUPERNET, arch_id=arch_id, macs=7816, of=1077)
    assert contest.leaderboard(store.class_work.entries(room.code), 1) == []
    judged = contest.judged(store, None, room.code, tried)
    assert replace(judged, correct=None) == tried
    assert judged.correct is not None
    assert [p.best for p in contest.leaderboard(store.class_work.entries(room.code), 1)] == [judged]


def test_a_supernet_of_ones_own_sandbox_is_entered_and_nobody_elses(store: RunStore, tmp_path: Path) -> None:
    room, _ = store.classes.create()
    store.classes.set_rules(room.code, lambda rules, at: contest.opened(rules, 60_000))
    ada, _ = store.classes.join(room.code, "Ada")
    bob, _ = store.classes.join(room.code, "Bob")
    arch_id = ENTRY.space.arch_id(ENTRY.space.smallest)
    sandboxes = Sandboxes(tmp_path)
    mine = sandboxes.open(ada.student_id)
    own = mine.add_supernet("mine", (ASSETS / "supernets" / SUPERNET / SUPERNET_FILE).read_bytes(), CARD)
    done = contest.entered(store, mine, ada, own, arch_id)
    assert (done.supernet, done.correct is None) == (own, False)
    with pytest.raises(NotFound):
        contest.entered(store, sandboxes.open(bob.student_id), bob, own, arch_id)
    with pytest.raises(NotFound):
        contest.entered(store, None, bob, own, arch_id)
    sandboxes.close()


def test_a_supernet_that_learned_other_images_is_refused() -> None:
    with pytest.raises(InvalidInput, match="learned other images"):
        contest.eligible(None, "fashion-cnn")
    assert contest.eligible(None, SUPERNET) == ENTRY


def test_the_leaderboard_orders_by_images_then_by_macs_and_ties_share_a_place() -> None:
    entries = [
        entry("a", 90, 500, attempt=1, ordinal=1),
        entry("a", 95, 900, attempt=2, ordinal=2),
        entry("b", 95, 700, ordinal=3),
        entry("c", 95, 900, ordinal=4),
        entry("d", 10, 100, ordinal=5),
        entry("e", None, 100, ordinal=6),
        replace(entry("f", 100, 1), contest=2),
    ]
    places = [(p.rank, p.best.student_id, p.best.macs, p.tries) for p in contest.leaderboard(entries, 1)]
    assert places == [(1, "b", 700, 1), (2, "a", 900, 2), (2, "c", 900, 1), (4, "d", 100, 1)]


def test_one_contest_is_open_at_a_time_and_each_has_a_seed_of_its_own() -> None:
    with pytest.raises(InvalidInput, match="smallest subnet"):
        contest.opened(Rules(), 5)
    rules = contest.opened(contest.opened(Rules(), 50_000), 60_000)
    first, second = rules.contests
    assert (first.number, first.open, second.number, second.open) == (1, False, 2, True)
    assert first.seed != second.seed
    assert contest.current(contest.closed(rules)) == second.model_copy(update={"open": False})
    assert contest.current(Rules()) is None
