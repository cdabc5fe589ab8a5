"""The ranking check as a job: which subnets, that it resumes, what it does not train twice, and tables as the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput, NotFound
from core.library import alone, supernets
from core.library.foreign_tables.decoding import decoded
from core.library.library import Library
from core.library.published import published
from core.library.ranking_check import KIND, RankingRecord, choose, gaps
from core.records import RunState
from core.store import MemoryLedger, RunStore
from core.workflows import check_ranking, train_alone
from core.workflows.check_ranking import Request


@pytest.fixture(autouse=True)
def found(digits_entry: supernets.SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore("sqlite://", tmp_path) as opened:
        yield opened


def request(**changes: Any) -> Request:
    return Request.model_validate({"supernet": "small", "subnets": 3, "seeds": 2, "epochs": 1, **changes})


def record_of(ledger: Any) -> RankingRecord:
    record = RankingRecord.so_far(ledger)
    assert record is not None
    return record


def without_times(record: RankingRecord) -> dict[str, Any]:
    told = record.model_dump()
    for net in told["nets"]:
        net.pop("seconds")
    return told


@pytest.mark.slow
def test_every_subnet_is_trained_once_before_any_is_again_and_a_stop_changes_nothing(
    digits_entry: supernets.SupernetEntry,
) -> None:
    whole = MemoryLedger()
    steps = list(check_ranking.run(request(), whole, Library()))
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    record = record_of(whole)
    assert [net.seed for net in record.nets] == [1, 1, 1, 2, 2, 2]
    assert [net.arch_id for net in record.nets] == [s.arch_id for s in record.subnets] * 2
    assert not record.missing
    table = supernets.table(digits_entry)
    assert table is not None
    inside = table.set_index("arch_id")
    for subnet in record.subnets:
        row = inside.loc[subnet.arch_id]
        assert (subnet.accuracy, subnet.test_accuracy) == (row["accuracy"], row["test_accuracy"])
        cheaper = table[table["macs"] <= row["macs"]]
        assert subnet.gap == pytest.approx(cheaper["accuracy"].max() - row["accuracy"])
    # Stopped within the second and within the fifth network, and taken up again.
    for kept in (1, 4):
        ledger = MemoryLedger()
        running = check_ranking.run(request(), ledger, Library())
        for step in running:
            before = RankingRecord.so_far(ledger)
            if before is not None and len(before.nets) == kept and step.fraction > kept / 6:
                break
        running.close()
        assert len(record_of(ledger).nets) == kept
        list(check_ranking.run(request(), ledger, Library()))
        assert without_times(record_of(ledger)) == without_times(record)


@pytest.mark.slow
def test_it_is_the_training_of_train_alone_and_what_is_there_counts(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ended(store, KIND, request(seeds=1))
    arch_id = first.subnets[0].arch_id
    asked = train_alone.Request(supernet="small", arch=arch_id, seeds=2, epochs=1)
    run_id = store.create_run(alone.KIND, asked.model_dump(), title="alone", state=RunState.RUNNING)
    list(train_alone.run(asked, store.ledger(run_id), Library(store)))
    kept = train_alone.AloneRecord.so_far(store.ledger(run_id))
    assert kept is not None
    assert (kept.nets[0].accuracy, kept.nets[0].test_accuracy) == (
        first.nets[0].accuracy,
        first.nets[0].test_accuracy,
    )
    second = ended(store, KIND, request(seeds=2))
    there = {(net.arch_id, net.seed) for net in second.nets if net.run}
    assert there == {(each.arch_id, 1) for each in first.subnets} | {(arch_id, 2)}
    assert [net.test_accuracy for net in second.nets if net.seed == 1] == [
        net.test_accuracy for net in first.nets
    ]
    assert next(net.run for net in second.nets if net.arch_id == arch_id) == run_id, (
        "a kept network counts first"
    )
    # Nothing is left to train, and nothing of other settings counts.
    monkeypatch.setattr("core.training.alone.train_alone", lambda *_, **__: pytest.fail("trained twice"))
    again = ended(store, KIND, request(seeds=2))
    assert [net.test_accuracy for net in again.nets] == [
        next(n.test_accuracy for n in second.nets if (n.arch_id, n.seed) == each) for each in again.wanted
    ]
    with pytest.raises(pytest.fail.Exception, match="trained twice"):
        ended(store, KIND, request(seeds=2, learning_rate=0.02))


def ended(store: RunStore, kind: str, asked: Request) -> RankingRecord:
    run_id = store.create_run(kind, asked.model_dump(mode="json"), title="check", state=RunState.RUNNING)
    list(check_ranking.run(asked, store.ledger(run_id), Library(store)))
    store.set_state(run_id, RunState.DONE)
    return record_of(store.ledger(run_id))


# --- which subnets --------------------------------------------------------------------------------


def test_ways_to_choose(digits_entry: supernets.SupernetEntry) -> None:
    table = supernets.table(digits_entry)
    assert table is not None
    below = gaps(table["accuracy"], table["macs"], table["accuracy"], table["macs"])
    by_id = dict(zip(table["arch_id"], below, strict=True))
    cost = dict(zip(table["arch_id"], table["macs"], strict=True))

    def chosen(way: str, n: int, seed: int = 1, among: tuple[str, ...] = ()) -> tuple[str, ...]:
        ids, said = choose(digits_entry, table, way=way, n=n, seed=seed, cost="macs", among=among)  # type: ignore[arg-type]
        assert said.startswith(str(len(ids)))
        assert len(set(ids)) == len(ids) <= n
        assert [cost[i] for i in ids] == sorted(cost[i] for i in ids)
        return ids

    space = digits_entry.space
    spread = chosen("spread", 8)
    assert {space.arch_id(space.smallest), space.arch_id(space.largest)} <= set(spread)
    front = chosen("front", 100)
    assert all(by_id[i] == 0 for i in front)
    few = chosen("front", 3)
    assert (few[0], few[-1]) == (front[0], front[-1])
    near = chosen("near", 4)
    assert max(by_id[i] for i in near) <= np.quantile(below, 0.2)
    assert chosen("near", 4) == near != chosen("near", 4, seed=2)
    among = tuple(table["arch_id"][::5])
    assert set(chosen("spread", 4, among=among)) <= set(among)


def test_gaps_are_those_of_a_slow_definition() -> None:
    rng = np.random.default_rng(0)
    accuracy, cost = rng.random(40).round(1), rng.integers(1, 9, 40)
    known, costs = rng.random(25).round(1), rng.integers(2, 9, 25)
    for a, c, found in zip(accuracy, cost, gaps(accuracy, cost, known, costs), strict=True):
        best = max((k for k, of in zip(known, costs, strict=True) if of <= c), default=a)
        assert found == pytest.approx(max(best - a, 0))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ids": ("zzzz", "0", "1")}, "zzzz|architecture"),
        ({"ids": ("*0", "*1")}, "at least 3"),
        ({"table": "nowhere.csv"}, "no table"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    changes: dict[str, Any], said: str, digits_entry: supernets.SupernetEntry
) -> None:
    ids = digits_entry.space.arch_ids(digits_entry.space.array())
    if "ids" in changes:
        changes = {"ids": tuple(ids[int(i[1:])] if i.startswith("*") else i for i in changes["ids"])}
    ledger = MemoryLedger()
    with pytest.raises((InvalidInput, NotFound), match=said):
        list(check_ranking.run(request(**changes), ledger, Library()))
    assert ledger.artifacts() == []


def test_without_measurements_there_is_no_front(digits_entry: supernets.SupernetEntry) -> None:
    with pytest.raises(InvalidInput, match="measure them on the Front page"):
        choose(digits_entry, None, way="front", n=4, seed=0, cost="macs")


# --- published tables -----------------------------------------------------------------------------


class Named:
    """A supernet as `published` needs it, with a benchmark's names."""

    def __init__(self, entry: supernets.SupernetEntry, named: bool = True) -> None:
        self.space = entry.space
        if named:
            self.arch_string = lambda arch: "".join(map(str, arch))


def test_rows_are_found_by_name_by_digits_and_by_choices(
    digits_entry: supernets.SupernetEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.library.published.read_foreign", decoded)
    space = digits_entry.space
    rows = [tuple(row) for row in space.array()[2:9].tolist()]
    accuracy = np.linspace(40, 90, len(rows)).round(2)
    names = ["".join(map(str, row)) for row in rows]
    expected = {space.arch_id(row): (a / 100,) for row, a in zip(rows, accuracy, strict=True)}
    frames = {
        "names.parquet": pd.DataFrame(
            {"arch_str": [*names, "no cell"], "acc": [*accuracy, 1.0], "n": range(8)}
        ),
        "digits.csv": pd.DataFrame({"which": names, "acc": accuracy}),
        "choices.csv": pd.DataFrame(
            {"architecture": [json.dumps(space.to_dict(row)) for row in rows], "acc": accuracy}
        ),
    }
    for name, frame in frames.items():
        path = tmp_path / name
        if name.endswith("csv"):
            frame.to_csv(path, index=False)
        else:
            frame.to_parquet(path)
        of = Named(digits_entry, named=not name.startswith("choices"))
        known = published(None, str(path), (), of)  # type: ignore[arg-type]
        assert list(known.accuracies) == list(expected), name
        assert np.array(list(known.accuracies.values())) == pytest.approx(np.array(list(expected.values())))
        assert known.columns == ("acc",)
    with pytest.raises(InvalidInput, match="is an architecture of this supernet"):
        published(None, str(tmp_path / "digits.csv"), (), Named(digits_entry, named=False))  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="no column 'top1'"):
        published(None, str(tmp_path / "digits.csv"), ("top1",), Named(digits_entry))  # type: ignore[arg-type]


def test_a_table_stands_in_for_trainings(
    digits_entry: supernets.SupernetEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.library.published.read_foreign", decoded)
    monkeypatch.setattr("core.training.alone.train_alone", lambda *_, **__: pytest.fail("trained"))
    space, path = digits_entry.space, tmp_path / "t.csv"
    rows = [tuple(row) for row in space.array().tolist()][::3]
    told = pd.DataFrame({"architecture": [json.dumps(space.to_dict(row)) for row in rows]})
    told["one"], told["two"] = np.linspace(0.2, 0.9, len(rows)), np.linspace(0.9, 0.3, len(rows))
    told.to_csv(path, index=False)
    ledger = MemoryLedger()
    asked = request(subnets=5, table=str(path), columns=("one", "two"))
    steps = list(check_ranking.run(asked, ledger, Library()))
    record = record_of(ledger)
    assert steps[-1].message == "5 subnets checked: against one, two of t.csv."
    assert (record.seeds, record.training, record.learns) == ((1, 2), None, "")
    of = {space.arch_id(row): at for at, row in enumerate(rows)}
    for net in record.nets:
        assert net.accuracy is None
        assert net.test_accuracy == pytest.approx(told.iloc[of[net.arch_id], net.seed])
    gone = [i for i in space.arch_ids(space.array()) if i not in of][:3]
    asked = request(table=str(path), columns=("one",), ids=gone)
    with pytest.raises(InvalidInput, match="has no row"):
        list(check_ranking.run(asked, MemoryLedger(), Library()))
