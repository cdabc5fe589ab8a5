"""The library: tables and cards as they come back, other people's files, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core.errors import InvalidInput, NotFound
from core.library import supernets
from core.library.evaluate_subnet import evaluate_subnet
from core.library.tables import dump_table, parse_table
from core.objectives.base import names_of
from core.objectives.extracted import FromWeights
from core.store import RunStore


def test_table_has_every_architecture_once_in_prefix_order(digits_entry) -> None:
    table = supernets.table(digits_entry)
    space = digits_entry.space
    assert table["arch_id"].tolist() == space.arch_ids(space.array())
    arch = space.from_id(table["arch_id"].iloc[-1])
    assert {n: table[n].iloc[-1] for n in space.to_dict(arch)} == space.to_dict(arch)
    assert supernets.table(digits_entry) is table, "kept in memory"


def test_stage_rows_need_no_weights_and_add_up(digits_entry) -> None:
    table = supernets.table(digits_entry)
    for arch_id in table["arch_id"].iloc[::7]:
        rows = supernets.stage_rows(digits_entry, digits_entry.space.from_id(arch_id))
        here = table.set_index("arch_id").loc[arch_id]
        assert sum(r.macs for r in rows) == here["macs"]
        assert sum(r.params for r in rows) == here["params"]


def test_one_subnet_measured_alone_equals_its_row(digits_entry) -> None:
    table = supernets.table_with_counts(digits_entry).set_index("arch_id")
    for arch_id in table.index[::11]:
        found = evaluate_subnet(digits_entry, digits_entry.space.from_id(arch_id))
        # What is counted from weights is not in the tables of releases that did not count it.
        assert set(found.values) - set(table.columns) <= set(names_of(FromWeights))
        for name, value in found.values.items():
            if name not in table.columns:
                continue
            assert value == pytest.approx(table.loc[arch_id, name], rel=1e-6), name


def test_an_uploaded_supernet_joins_the_library(digits_entry, tmp_path) -> None:
    store = RunStore(f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    supernet_id = store.add_supernet("Mine", digits_entry.read(), {"family": digits_entry.family})
    found = supernets.find(store, supernet_id)
    assert (found.origin, found.title, found.sha256) == ("uploaded", "Mine", digits_entry.sha256)
    assert supernets.table(found) is None
    assert supernets.stage_rows(found, found.space.largest) == supernets.stage_rows(
        digits_entry, found.space.largest
    )
    with pytest.raises(NotFound, match="no supernet called"):
        supernets.find(store, "nonsense")


def test_weights_that_do_not_fit_are_refused(digits_entry) -> None:
    for change in ("family", "config", "space"):
        data = _with_header(digits_entry.read(), change)
        with pytest.raises(InvalidInput):
            supernets.load(supernets.from_bytes(data, title="x"))


def _with_header(data: bytes, change: str) -> bytes:
    import json

    from safetensors.numpy import load, save

    from core.supernets.headers import KEY, peek_supernet

    header = peek_supernet(data)
    if change == "family":
        header["family"] = "no_such_family"
    elif change == "config":
        header["config"]["classes"] = 7
    else:
        header["space"] = header["space"][:-1]
    return save(load(data), metadata={KEY: json.dumps(header)})


def test_a_table_of_another_space_is_refused(digits_entry) -> None:
    rows = np.zeros((3, 2), np.uint8)
    from core.spaces import Choice, SearchSpace

    other = SearchSpace([Choice("a", (1, 2)), Choice("b", (1, 2))])
    data = dump_table(other, rows, {"accuracy": np.zeros(3)})
    for broken in (data, b"not parquet", b""):
        with pytest.raises(InvalidInput, match="table"):
            parse_table(broken, digits_entry.space)


def test_changed_data_are_noticed(digits_entry) -> None:
    header = {
        **digits_entry.header,
        "card": {**digits_entry.header["card"], "data": {"name": "digits", "seed": 0, "fingerprint": "x"}},
    }
    with pytest.raises(InvalidInput, match="differs"):
        supernets.dataset(dataclasses.replace(digits_entry, header=header))
    with pytest.raises(InvalidInput, match="does not say"):
        supernets.dataset(dataclasses.replace(digits_entry, header={**digits_entry.header, "card": {}}))


def test_a_packaged_supernet_is_found_by_the_library(digits_entry, tmp_path, monkeypatch) -> None:
    from core.library.package_supernet import package_supernet

    monkeypatch.setattr("core.library.shipped.FOLDER", tmp_path / "supernets")
    package_supernet(digits_entry, digits_entry.read_table(), tmp_path / "supernets" / "mine")
    [found] = supernets.entries()
    assert (found.supernet_id, found.origin, found.sha256) == ("mine", "shipped", digits_entry.sha256)
    assert supernets.table(found).equals(supernets.table(digits_entry))
    # A cost table too large for the card is left out, not an obstacle.
    monkeypatch.setattr("core.evaluation.costs._MOST_STORED", 1)
    package_supernet(digits_entry, digits_entry.read_table(), tmp_path / "supernets" / "mine")
    [again] = supernets.entries()
    assert again.costs is None
    arch = again.space.largest
    assert supernets.stage_rows(again, arch) == supernets.stage_rows(digits_entry, arch)
