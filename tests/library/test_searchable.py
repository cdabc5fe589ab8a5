"""What a search may look at: what is measured, counted or looked up here, and a sentence for everything else."""

from __future__ import annotations

import dataclasses

import pytest

from core.library import searchable as module
from core.library import supernets
from core.library.searchable import refusal, searchable
from core.library.supernets import SupernetEntry

DEVICE = "latency_ms.Phone_1-thread_0a1b2c"


def changed(entry: SupernetEntry, name: str, **fields: object) -> SupernetEntry:
    return dataclasses.replace(entry, sha256=name, **fields)  # type: ignore[arg-type]


@pytest.fixture
def shipped() -> SupernetEntry:
    return supernets.find(None, "digits-cnn")


def test_what_is_measured_counted_or_looked_up_is_offered_and_test_data_are_not(
    shipped: SupernetEntry,
) -> None:
    found = searchable(shipped)
    assert found.names[:2] == ("accuracy", "macs")
    assert "latency_ms" in found.names
    assert not {"test_accuracy", "test_loss", "energy_mj"} & {*found.names, *found.why_not}
    assert "accuracy" in found.looked_up
    assert "latency_ms" not in found.looked_up


def test_without_its_instrument_or_its_data_an_objective_is_not_offered(
    shipped: SupernetEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert "onnxruntime" in searchable(changed(shipped, "1")).why_not["latency_ms"]
    monkeypatch.undo()
    header = {**shipped.header, "card": {"title": "x"}}
    bare = searchable(changed(shipped, "2", header=header, read_table=None))
    assert "does not say on which" in bare.why_not["accuracy"]
    assert "accuracy" not in bare.names
    assert {"macs", "params"} <= set(bare.names), "what is counted needs no data"
    # A table has what data would be needed for.
    assert "accuracy" in searchable(changed(shipped, "3", header=header)).names


@pytest.mark.parametrize(("predicted", "offered"), [(0, True), (1, False)])
def test_what_only_a_profile_knows_is_offered_where_all_of_it_was_measured(
    shipped: SupernetEntry, predicted: int, offered: bool
) -> None:
    table = supernets.table(shipped)
    assert table is not None
    source = ["measured"] * (len(table) - predicted) + ["predicted"] * predicted
    told = table.assign(**{DEVICE: 1.0, f"{DEVICE}_source": source})
    entry = changed(shipped, f"4-{predicted}")

    def made(given: SupernetEntry) -> object:
        return told

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supernets, "table_with_counts", made)
        found = searchable(entry)
    assert (DEVICE in found.names) is offered
    if not offered:
        assert "may not stand on a front" in found.why_not[DEVICE]
        return
    assert refusal(found, ("accuracy", DEVICE), use_table=True) == ""
    assert "switch the table on" in refusal(found, ("accuracy", DEVICE), use_table=False)
    assert "Latency is not in it" in refusal(found, ("latency_ms", DEVICE), use_table=True)
