"""Fronts of imported tables against brute force: limits, samples, ranks, groups; a supernet's own front comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from core.library import kept_tables, supernets
from core.library.foreign_tables.decoding import decoded
from core.library.fronts import front
from core.library.imported_tables import TableRows, rows_of
from core.library.table_guessing import guessed
from core.pareto import Constraint, non_dominated
from core.store import RunStore
from core.views.several_fronts import agreements
from core.views.table_front import choices, row_of, standing_of, stops, table_front
from core.views.table_several import by_columns, by_group, by_tables, sizes
from core.views.table_third import third_fronts
from tests.helpers.foreign_tables import ROWS, as_csv

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "tables"


def rows(frame: pd.DataFrame) -> TableRows:
    found, data = decoded(as_csv(frame))
    return rows_of(data, guessed(found), revision=str(id(frame)))


def random_table(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Coarse values, so that ties are common; some were never measured."""
    rng = np.random.default_rng(seed)
    latency = rng.integers(1, 25, n).astype(float)
    latency[rng.random(n) < 0.1] = -1
    return pd.DataFrame(
        {
            "arch": [f"a{k}" for k in range(n)],
            "device": rng.choice(["phone", "board"], n),
            "accuracy": rng.integers(0, 30, n) / 30,
            "latency": latency,
            "energy": rng.integers(1, 9, n).astype(float),
        }
    )


def beaten(frame: pd.DataFrame) -> list[int]:
    """How many rows beat each, by definition, among rows with a latency above 0."""
    a, b = frame["latency"].to_numpy(), -frame["accuracy"].to_numpy()
    counts = []
    for k in range(len(frame)):
        beats = (a > 0) & (a <= a[k]) & (b <= b[k]) & ((a < a[k]) | (b < b[k]))
        counts.append(int(beats.sum()) if a[k] > 0 else -1)
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_front_limits_and_standing_by_definition(seed: int) -> None:
    frame = random_table(seed=seed)
    table = rows(frame)
    x, y = table.goal("latency"), table.goal("accuracy")
    found, counts = table_front(table, x, y), beaten(frame)
    assert sorted(found.at) == [k for k, n in enumerate(counts) if n == 0]
    assert found.n_off == counts.count(-1)
    for row in range(0, len(frame), 37):
        told = standing_of(table, found, x, y, row)
        assert told.beaten_by == (counts[row] if counts[row] >= 0 else None)
        better = (frame["accuracy"] > frame["accuracy"][row]).sum() + 1
        assert told.ranks["accuracy"] == (better, len(frame))
    limits = (Constraint("energy", upper=4.0), Constraint("accuracy", lower=0.2))
    within = frame[(frame["energy"] <= 4) & (frame["accuracy"] >= 0.2) & (frame["latency"] > 0)]
    limited = table_front(table, x, y, limits)
    assert limited.n_kept == len(within)
    mask = non_dominated(within[["latency", "accuracy"]].to_numpy(), maximize=[False, True])
    assert sorted(limited.at) == within.index[mask].tolist()
    assert limited.front.reference == found.front.reference
    assert limited.front.hypervolume <= found.front.hypervolume


def test_what_is_drawn_of_many_rows_and_what_is_said() -> None:
    table = rows(random_table(600))
    x, y = table.goal("latency"), table.goal("accuracy")
    few, whole = table_front(table, x, y, most=50), table_front(table, x, y)
    assert len(few.front.table) <= 50 + len(few.at)
    assert (few.at == whole.at).all()
    assert few.front.hypervolume == whole.front.hypervolume
    assert few.front.knees == whole.front.knees
    assert few.told[0].startswith(f"The chart draws the whole front ({len(few.at)} rows)")
    assert not whole.told[0].startswith("The chart draws")


@pytest.mark.slow
def test_a_supernets_own_front_comes_back_from_its_file() -> None:
    entry = supernets.find(None, "digits-cnn")
    own = supernets.table_with_counts(entry)
    assert own is not None
    _, data = kept_tables.sample_file()
    found, columns = decoded(data)
    table = rows_of(columns, guessed(found), "sample")
    imported = table_front(table, table.goal("macs"), table.goal("accuracy"))
    expected = front(own, ("macs", "accuracy"))
    assert len(imported.at) == len(expected.members)
    assert imported.front.hypervolume == pytest.approx(expected.hypervolume)
    assert choices(table.identity(0)).keys() <= set(entry.space.names)


def test_several_fronts_of_columns_groups_and_tables() -> None:
    frame = random_table()
    table = rows(frame)
    x, y = table.goal("latency"), table.goal("accuracy")
    columns = by_columns(table, ["latency", "energy"], y)
    assert next(len(s.members) for s in columns.series) == len(table_front(table, x, y).at)
    [agreed] = agreements(columns)
    assert agreed.n == int((frame["latency"] > 0).sum())
    assert agreements(columns, most=100)[0].n == 100
    groups = by_group(table, ["phone", "board"], x, y)
    for series, name in zip(groups.series, ["phone", "board"], strict=True):
        part = frame[(frame["device"] == name) & (frame["latency"] > 0)]
        mask = non_dominated(part[["latency", "accuracy"]].to_numpy(), maximize=[False, True])
        assert sorted(series.ids[series.members]) == sorted(part["arch"][mask])
    two = by_tables([("a", "One", table), ("b", "Two", rows(random_table(seed=1)))], "latency", "accuracy")
    assert two.matched
    assert [row["left off"] for row in sizes(two)] == [
        str(s) for s in (table.left["latency"].total, _left(1))
    ]
    for wrong in (
        lambda: by_columns(table, [], y),
        lambda: by_group(table, ["car"], x, y),
        lambda: by_tables([("a", "One", table)], "nope", "accuracy"),
    ):
        with pytest.raises(InvalidInput):
            wrong()


def _left(seed: int) -> int:
    return int((random_table(seed=seed)["latency"] <= 0).sum())


def test_a_third_objective_looks_at_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    table = rows(random_table(2_000))
    goals = [table.goal(name) for name in ("latency", "accuracy", "energy")]
    whole = third_fronts(table, *goals)
    monkeypatch.setattr("core.views.table_third.MOST_WHOLE", 300)
    few = third_fronts(table, *goals)
    assert (whole.sampled, few.sampled) == (False, True)
    assert len(few.table) < len(whole.table)
    assert few.fronts.on_all == whole.fronts.on_all
    ends = [
        {
            tuple(v)
            for v in found.table[["latency", "accuracy"]].to_numpy()[
                found.fronts.members[found.fronts.loosest]
            ]
        }
        for found in (whole, few)
    ]
    assert ends[0] == ends[1]


def test_small_things() -> None:
    table = rows(ROWS)
    assert [row_of(table, text) for text in ("1", "6", "0", "7", "x", "9" * 30)] == [
        0,
        5,
        None,
        None,
        None,
        None,
    ]
    assert stops(table, table.goal("latency_ms"))[0] > 0
    assert choices("{'d': [2, 3], 'k': 'x'}") == {"d": "[2, 3]", "k": "x"}
    for text in ("plain", "{broken", "{" * 3000, "{'a': __import__('os')}", "{1}"):
        assert choices(text) == {}


@pytest.mark.skipif(not REAL.exists(), reason="the published tables are not on this machine")
def test_two_published_files_joined_by_their_cells(tmp_path: Path) -> None:
    read = {
        name: decoded((REAL / f"nas_bench_201_{name}.parquet").read_bytes())
        for name in ("accuracy", "hardware")
    }
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        found, data = read["accuracy"]
        table_id = kept_tables.add(store, "Cells", found, data, guessed(found), "0" * 64)
        found, data = read["hardware"]
        shuffled = pd.read_parquet(REAL / "nas_bench_201_hardware.parquet").sample(frac=1, random_state=0)
        found, data = decoded(shuffled.to_parquet())
        keys = {"here": "arch_str", "there": "arch_str"}
        said = kept_tables.join(store, store.tables.get(table_id), found, data, guessed(found), **keys)
        assert said.startswith("30 columns were added; 15,625 of 15,625 rows")
        _, table = kept_tables.opened(store, store.tables.get(table_id))
    devices = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
    view = by_columns(
        table, [f"cifar10__{device}_latency" for device in devices], table.goal("cifar10_test_acc200")
    )
    accuracy = pd.read_parquet(REAL / "nas_bench_201_accuracy.parquet").set_index("arch_str")[
        "cifar10_test_acc200"
    ]
    for series, device in zip(view.series, devices, strict=True):
        latency = shuffled.set_index("arch_str")[f"cifar10__{device}_latency"]
        both = pd.concat([latency, accuracy], axis=1)
        both = both[both.iloc[:, 0] > 0]
        assert len(series.members) == non_dominated(both.to_numpy(), maximize=[False, True]).sum()
    assert sizes(view)[2]["left off"] == "4,699"
