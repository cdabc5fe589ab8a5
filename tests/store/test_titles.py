"""Renaming runs and supernets: the rows stay whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import CoreError, InvalidInput, NotFound
from core.records import Measurement
from core.store import RunStore


def test_a_renamed_run_is_whole_and_keeps_everything(tmp_path: Path) -> None:
    with RunStore("sqlite://", tmp_path) as store:
        run_id = store.create_run("search_front", {"supernet": "x"}, title="old", seed=3)
        store.ledger(run_id).add_measurements(0, [Measurement((0, 1), {"accuracy": 0.5})])
        before = store.get_run(run_id)
        store.titles.rename_run(run_id, "  new\x07 name ")
        after = store.get_run(run_id)  # which checks the row's hash
        assert after.title == "new  name"
        assert (after.params, after.seed, after.state) == (before.params, before.seed, before.state)
        assert store.check() == []
        assert store.titles.measured(("search_front",)) == {run_id: 1}
        assert store.titles.measured(("measure_sample",)) == {}


def test_a_renamed_supernet_is_whole(tmp_path: Path) -> None:
    with RunStore("sqlite://", tmp_path) as store:
        supernet_id = store.add_supernet("old", b"data", {"family": "f"})
        store.titles.rename_supernet(supernet_id, "new")
        assert store.get_supernet(supernet_id).name == "new"
        assert store.check() == []


def test_what_cannot_be_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with RunStore("sqlite://", tmp_path) as store:
        run_id = store.create_run("search_front", {}, title="old")
        for wrong in ("", "   ", "\x00"):
            with pytest.raises(InvalidInput):
                store.titles.rename_run(run_id, wrong)
        for rename in (store.titles.rename_run, store.titles.rename_supernet):
            with pytest.raises(NotFound):
                rename("0" * 32, "x")
        assert store.get_run(run_id).title == "old"
        assert issubclass(InvalidInput, CoreError)
