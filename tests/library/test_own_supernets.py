"""Supernets of one's own: added once, measured, damaged and made whole again, each for itself."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.library import supernets
from core.library.loading import UNNAMED, add_supernet
from core.library.presets import PRESETS
from core.library.suggestions import suggestions
from core.library.tables import dump_table
from core.library.trainings import OF_THE_SUPERNET, training_of
from core.records import RunState
from core.store import RunStore
from core.supernets.elastic_cnn import GroupConfig
from core.supernets.files import dump_supernet
from core.training.config import TrainingConfig
from tests.helpers.nets import small_cnn

pytestmark = pytest.mark.usefixtures("checked_here")
NET = small_cnn(groups=(GroupConfig(widths=(2, 4), depths=(1,)), GroupConfig(widths=(4, 8), depths=(1, 2))))
TABLE_FILE = supernets.TABLE_FILE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path / 'own.db'}", tmp_path) as opened:
        yield opened
    supernets._header.cache.clear()
    supernets._checked.cache.clear()


def file_of(seed: int, **card: object) -> bytes:
    return dump_supernet(NET, {"title": f"Number {seed}", "seed": seed, **card})


def blob(store: RunStore, sha256: str) -> Path:
    [path] = [p for p in store.home.rglob("*") if p.is_file() and sha256 in p.name]
    path.chmod(0o600)
    return path


def measured(store: RunStore, supernet_id: str, accuracy: float, *, done: bool = True) -> str:
    """A complete table; returns the hash of its file."""
    rows = NET.space.array()
    values = {"accuracy": np.full(len(rows), accuracy), "macs": np.arange(len(rows))}
    run_id = store.create_run(
        "evaluate_table", {"supernet": supernet_id}, title="table", state=RunState.RUNNING
    )
    sha256 = store.ledger(run_id).save_artifact(TABLE_FILE, dump_table(NET.space, rows, values), "x/parquet")
    if done:
        store.set_state(run_id, RunState.DONE)
    return sha256


def accuracies(store: RunStore, supernet_id: str) -> set[float] | None:
    table = supernets.table(supernets.find(store, supernet_id))
    return None if table is None else set(table["accuracy"])


def own(store: RunStore) -> list[str]:
    return [entry.supernet_id for entry in supernets.entries(store) if entry.origin != "shipped"]


def test_shipped_ones_come_first_then_the_newest(store: RunStore) -> None:
    added = [add_supernet(store, f"n{seed}", file_of(seed)).supernet_id for seed in range(3)]
    found = supernets.entries(store)
    origins = [entry.origin for entry in found]
    assert origins == sorted(origins), "shipped before uploaded"
    assert own(store) == added[::-1]
    assert len({entry.revision for entry in found}) == len(found)
    assert supernets.entries() == [entry for entry in found if entry.origin == "shipped"]


@pytest.mark.parametrize(("said", "title"), [("  Mine ", "Mine"), ("", UNNAMED), (" \t\n", UNNAMED)])
def test_a_name_is_trimmed_and_there_is_always_one(store: RunStore, said: str, title: str) -> None:
    added = add_supernet(store, said, file_of(0))
    assert (added.title, added.was_there) == (title, False)
    assert store.get_supernet(added.supernet_id).name == title
    assert supernets.find(store, added.supernet_id).title == title


@pytest.mark.parametrize("name", ["x" * 201, "two\nlines", "\x00"])
def test_a_name_that_cannot_be_shown_is_refused_and_nothing_is_kept(store: RunStore, name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        add_supernet(store, name, file_of(0))
    assert store.list_supernets() == []


def test_a_file_that_is_no_supernet_leaves_nothing(store: RunStore) -> None:
    whole = file_of(0)
    for data in (b"", b"x" * 100, whole[:-1], whole + b"x", whole[: len(whole) // 2]):
        with pytest.raises(InvalidInput):
            add_supernet(store, "no", data)
    assert (store.list_supernets(), own(store), supernets.damaged(store)) == ([], [], [])


@pytest.mark.parametrize("gone", [True, False])
def test_a_damaged_one_stands_for_itself_and_adding_it_again_makes_it_whole(
    store: RunStore, gone: bool
) -> None:
    data = file_of(1)
    broken = add_supernet(store, "Broken", data).supernet_id
    fine = add_supernet(store, "Fine", file_of(2)).supernet_id
    path = blob(store, store.get_supernet(broken).sha256)
    path.unlink() if gone else path.write_bytes(data[:-1])
    supernets._header.cache.clear()
    assert own(store) == [fine]
    [lost] = supernets.damaged(store)
    assert (lost.supernet_id, lost.title, lost.origin) == (broken, "Broken", "uploaded")
    assert lost.sentence.endswith(".")
    with pytest.raises(NotFound):
        supernets.find(store, broken)
    again = add_supernet(store, "Another name", data)
    assert (again.supernet_id, again.title, again.was_there) == (broken, "Broken", True)
    assert own(store) == [fine, broken]
    assert supernets.damaged(store) == []
    assert supernets.load(supernets.find(store, broken)).space == NET.space


def test_a_file_damaged_after_it_was_listed_is_noticed_when_it_is_loaded(store: RunStore) -> None:
    entry = supernets.find(store, add_supernet(store, "Mine", file_of(4)).supernet_id)
    blob(store, entry.sha256).write_bytes(b"changed")
    with pytest.raises(DamagedArtifact):
        supernets.load(entry)
    assert entry.space == NET.space, "what was read of it before still holds"


def test_of_several_tables_the_newest_whole_and_finished_one_counts(store: RunStore) -> None:
    mine = add_supernet(store, "Mine", file_of(5)).supernet_id
    other = add_supernet(store, "Other", file_of(6)).supernet_id
    before = supernets.find(store, mine).revision
    assert accuracies(store, mine) is None
    measured(store, mine, 0.25)
    newest = measured(store, mine, 0.5)
    measured(store, mine, 0.75, done=False)
    assert (accuracies(store, mine), accuracies(store, other)) == ({0.5}, None)
    assert supernets.find(store, mine).revision != before
    path = blob(store, newest)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    supernets._checked.cache.clear()
    assert accuracies(store, mine) == {0.25}, "a damaged table is as if it had not been measured"
    path.write_bytes(whole)
    assert accuracies(store, mine) == {0.5}


def test_of_equally_accurate_subnets_the_cheapest_is_suggested(store: RunStore) -> None:
    mine = add_supernet(store, "Mine", file_of(7)).supernet_id
    plain = suggestions(store, supernets.find(store, mine))
    space = NET.space
    assert [info.arch_id for info in plain] == [space.arch_id(end) for end in space.ends or ()]
    measured(store, mine, 0.5)
    found = suggestions(store, supernets.find(store, mine))
    cheapest = space.arch_id(tuple(space.array()[0].tolist()))
    [best] = [info for info in found if "most accurate" in info.title]
    assert best.arch_id == cheapest == found[0].arch_id
    assert "smallest, most accurate" in best.title, "one network, once, with all that is said of it"
    assert len({info.model_id for info in found}) == len(found)
    assert all(info.supernet_id == mine and info.seed == 7 for info in found)


def test_a_training_of_ones_own_takes_over_everything_but_strategy_and_seed(store: RunStore) -> None:
    used = TrainingConfig(epochs=7, learning_rate=0.03, strategy="sandwich", seed=41).model_dump(mode="json")
    entry = supernets.from_bytes(file_of(8, training=used), title="x")
    config, from_card = training_of(entry)
    assert from_card
    assert (config.epochs, config.learning_rate) == (7, 0.03)
    plain = TrainingConfig()
    assert [getattr(config, n) for n in OF_THE_SUPERNET] == [getattr(plain, n) for n in OF_THE_SUPERNET]
    changed, _ = training_of(entry, seed=3, epochs=1)
    assert (changed.seed, changed.epochs, changed.learning_rate) == (3, 1, 0.03)
    only = supernets.from_bytes(file_of(9, training={n: used[n] for n in OF_THE_SUPERNET}), title="x")
    assert training_of(only) == (plain, False), "a card that names these alone says nothing"
    with pytest.raises(ValidationError):
        training_of(entry, epochs=0)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_says_no_more_than_its_parts_understand(name: str) -> None:
    from core.datasets import DATASETS
    from core.supernets.families import FAMILIES

    preset = PRESETS[name]
    family = FAMILIES.get(preset["family"])
    net = family(family.Config.model_validate(preset["config"]))
    assert TrainingConfig.model_validate(preset["training"]).epochs == preset["training"]["epochs"]
    assert DATASETS.create(preset["data"]["name"], preset["data"]["config"])
    counted = re.search(r"([\d,]+) (subnets|cells)", preset["summary"])
    if counted:
        assert counted[1] == f"{net.space.size:,}", "the number it advertises is that of its space"


@pytest.mark.slow
def test_an_upload_is_checked_in_a_process_of_its_own_and_nothing_of_it_is_built_here(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import confined
    from core.library import loading
    from core.supernets import files

    def never(*_: object) -> None:
        raise AssertionError("built in the server's process")

    monkeypatch.setattr(loading, "run_confined", confined.run_confined)
    monkeypatch.setattr(files, "outline_of", never)
    monkeypatch.setattr(files, "load_tensors", never)
    data = file_of(3)
    added = add_supernet(store, "Mine", data)
    kept = store.get_supernet(added.supernet_id)
    assert store.supernet_path(kept.supernet_id).read_bytes() == data
    assert (kept.card["seed"], kept.card["family"]) == (3, NET.name)
    began = time.process_time()
    with pytest.raises(InvalidInput, match="do not fit"):
        add_supernet(store, "Other", data.replace(b"[2, 4]", b"[2, 6]"))
    assert time.process_time() - began < 0.1
    assert len(store.list_supernets()) == 1
