"""Published tables of devices: read, named, what was never measured left off; the real one if it is here."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.library import supernets
from core.library.device_tables import (
    DeviceTableRecord,
    decoded,
    device_tables,
    read_table,
    require_cells,
    sentences,
)
from core.library.evaluations import evaluations, measurements_of, source_column
from core.library.fronts import front
from core.library.latency import with_latencies
from core.library.library import Library
from core.library.measuring import FROM_TABLE
from core.library.uploaded import keep_file
from core.objectives.base import device_of, objective, objectives
from core.records import Source
from core.spaces.cell_string import OPERATIONS, cell_space, format_arch_string
from core.store import RunStore
from core.supernets.files import dump_supernet
from core.supernets.nas_bench_201 import NASBench201
from core.workflows import import_device_table
from tests.helpers.nets import small_cnn

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "tables" / "nas_bench_201_hardware.parquet"
SPACE = cell_space()
PIXEL, EYERISS = "latency_ms.Pixel-3_CIFAR-10_published", "energy_mj.Eyeriss_CIFAR-10_published"


def small_table(n: int = 40) -> pd.DataFrame:
    """Some cells as HW-NAS-Bench lists them, one in four never measured on the Edge TPU."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(SPACE.array())[:n]
    edge = np.where(np.arange(n) % 4 == 0, -1.0, rng.random(n) + 0.5)
    return pd.DataFrame(
        {
            "arch_str": [format_arch_string([OPERATIONS[i] for i in row]) for row in rows],
            "nats_index": np.arange(n),
            "cifar10__pixel3_latency": rng.random(n) + 1,
            "cifar10__edgetpu_latency": edge,
            "cifar10__eyeriss_energy": rng.random(n) + 2,
            "cifar100__pixel3_latency": rng.random(n) + 9,
        }
    )


def written(frame: pd.DataFrame, kind: str = "parquet") -> bytes:
    buffer = io.BytesIO()
    (frame.to_parquet if kind == "parquet" else frame.to_csv)(buffer, index=False)
    return buffer.getvalue()


def entry(net: torch.nn.Module | None = None, seed: int = 0) -> supernets.SupernetEntry:
    torch.manual_seed(seed)
    made = net or NASBench201(NASBench201.example((1, 8, 8)))
    file = dump_supernet(made, {"title": "Cells"})  # type: ignore[arg-type]
    return supernets.from_bytes(file, title="Cells", supernet_id="cells")


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_table_gives_an_objective_per_device_and_names_what_was_never_measured(kind: str) -> None:
    frame = small_table()
    # One of them through the confined process.
    data = written(frame, kind)
    found, values = read_table(data) if kind == "parquet" else decoded(data, "", SPACE)
    assert found.data == ("cifar10", "cifar100")
    assert found.ignored == ("nats_index",)
    assert [c.objective for c in found.columns] == [PIXEL, "latency_ms.Edge-TPU_CIFAR-10_published", EYERISS]
    assert [c.missing for c in found.columns] == [SPACE.size - 40, SPACE.size - 30, SPACE.size - 40]
    with np.load(io.BytesIO(values)) as file:
        order = {arch_id: at for at, arch_id in enumerate(SPACE.arch_ids(SPACE.array()))}
        for row in frame.to_dict("records"):
            operations = [part.split("~")[0] for part in row["arch_str"].replace("+", "").split("|") if part]
            at = order[SPACE.arch_id([OPERATIONS.index(operation) for operation in operations])]
            assert file[PIXEL][at] == row["cifar10__pixel3_latency"]
            assert file[EYERISS][at] == row["cifar10__eyeriss_energy"]
            edge = file["latency_ms.Edge-TPU_CIFAR-10_published"][at]
            assert np.isnan(edge) if row["cifar10__edgetpu_latency"] <= 0 else edge > 0
        assert np.isfinite(file[PIXEL]).sum() == 40


def test_another_of_the_data_can_be_chosen_and_names_read_as_people_call_them() -> None:
    found, _ = decoded(written(small_table()), "cifar100", SPACE)
    [column] = found.columns
    assert column.objective == "latency_ms.Pixel-3_CIFAR-100_published"
    told = objective(column.objective)
    assert (told.label, told.unit, told.how) == (
        "Latency on Pixel 3, CIFAR 100, published",
        "ms",
        Source.MEASURED,
    )
    assert "benchmark's own networks" in told.summary
    assert device_of(EYERISS) == "Eyeriss, CIFAR 10, published"
    assert objective(EYERISS).unit == "mJ"


def changed(**columns: object) -> bytes:
    return written(small_table().assign(**columns))


CELL = small_table()["arch_str"][0]
REFUSED = {
    "no table": (b"\xff\xfe\x00", "", "cannot be read as a CSV or Parquet"),
    "empty": (b"", "", "cannot be read as a CSV or Parquet"),
    "cut off": (written(small_table())[:900], "", "cannot be read as a CSV or Parquet"),
    "a pickle": (b"\x80\x04\x95" + b"." * 40, "", "cannot be read as a CSV or Parquet"),
    "no cells": (written(small_table().drop(columns="arch_str")), "", "no column arch_str"),
    "no rows": (written(small_table(0)), "", "has no rows"),
    "no devices": (written(small_table()[["arch_str", "nats_index"]]), "", "no column of latency or energy"),
    "other data": (written(small_table()), "mnist", "has nothing of 'mnist'; it has cifar10, cifar100"),
    "a foreign cell": (changed(arch_str=["|x~0|"] * 40), "", "Row 1: This is no NAS-Bench-201 cell"),
    "a number for a cell": (changed(arch_str=list(range(40))), "", "Row 1: This is no NAS-Bench-201 cell"),
    "a cell twice": (changed(arch_str=[CELL] * 40), "", "lists a cell twice"),
    "words": (changed(cifar10__pixel3_latency=["fast"] * 40), "", "something other than numbers"),
    "nothing measured": (changed(cifar10__pixel3_latency=[-1.0] * 40), "", "has no value"),
    "not finite": (changed(cifar10__pixel3_latency=[np.inf] * 40), "", "has no value"),
    "many devices": (
        written(pd.DataFrame({"arch_str": [CELL]} | {f"d{i}_latency": [1.0] for i in range(201)})),
        "",
        "more than 200 columns",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_such_table_is_refused_in_a_sentence(case: str) -> None:
    data, chosen, said = REFUSED[case]
    with pytest.raises(InvalidInput) as refused:
        decoded(data, chosen, SPACE)
    assert said in str(refused.value)
    assert str(refused.value).endswith(".")


def test_only_cells_have_published_tables() -> None:
    with pytest.raises(InvalidInput, match="no NAS-Bench-201 cell space"):
        require_cells(entry(small_cnn()))


@pytest.mark.slow
def test_imported_it_is_an_axis_with_its_source_and_the_unmeasured_stay_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    cells = entry()
    with RunStore("sqlite://", tmp_path) as store:
        monkeypatch.setattr(Library, "supernet", lambda self, name: cells)
        run_id = store.create_run("import_device_table", {"supernet": "cells"}, title="x")
        request = import_device_table.Request(
            supernet="cells", file=keep_file(written(small_table())), title="HW-NAS-Bench"
        )
        *_, last = import_device_table.run(request, store.ledger(run_id), Library(store))
        assert "15,595 of 15,625 cells were never measured" in last.message
        [result] = device_tables(store, cells)
        assert isinstance(result.record, DeviceTableRecord)
        assert device_tables(store, entry(small_cnn())) == []
        assert device_tables(store, entry(seed=1)) == []

        rows = SPACE.array()
        macs = CostTable.of(NASBench201(NASBench201.example((1, 8, 8)))).total("macs", rows)
        table = pd.DataFrame({"arch_id": SPACE.arch_ids(rows), "macs": macs.astype(float)})
        for choice, column in zip(SPACE.choices, rows.T, strict=True):
            table[choice.name] = np.array(choice.options)[column]
        # A part of the table, in another order: what a search has found.
        part = table.sample(frac=1, random_state=0)
        revision, found = with_latencies(store, cells, "r", part)
        assert revision != "r"
        assert set(found[source_column(PIXEL)]) == {"measured (HW-NAS-Bench)"}
        assert found[PIXEL].notna().sum() == 40
        known = found.set_index("arch_id")[PIXEL]
        cell = small_table().iloc[3]
        operations = [p.split("~")[0] for p in cell["arch_str"].replace("+", "").split("|") if p]
        assert known[SPACE.arch_id([OPERATIONS.index(o) for o in operations])] == pytest.approx(
            cell["cifar10__pixel3_latency"]
        )
        view = front(found, ("macs", PIXEL))
        assert view.members[PIXEL].notna().all()
        assert len(view.members) > 0
        assert view.left_out == (
            "15,585 subnets are left off: latency on Pixel 3, CIFAR 10, published was never measured for them."
        )
        # In a file a row without a value does not say that it was measured.
        some = found[found[PIXEL].isna()].head(2)
        names = ["macs", PIXEL]
        told = evaluations(SPACE, objectives(names), measurements_of(SPACE, some, names, FROM_TABLE))
        assert told[PIXEL].isna().all()
        assert set(told["source"]) == {"counted"}
        assert not told["on_front"].any()


def test_what_is_said_of_an_import() -> None:
    found, _ = decoded(written(small_table()), "", SPACE)
    whole = found.columns[0].model_copy(update={"missing": 0})
    said = sentences([whole, found.columns[1]], SPACE.size)
    assert said[0] == "Latency on Pixel 3, CIFAR 10, published: measured for every cell."
    assert "Edge TPU, CIFAR 10, published: 15,595 of 15,625 cells were never measured" in said[1]


@pytest.mark.skipif(not REAL.is_file(), reason="HW-NAS-Bench lies beside the project, not in it")
def test_the_real_table() -> None:
    """Six devices, 4,699 cells that the Edge TPU never ran; the front by Eyeriss is a front."""
    found, values = decoded(REAL.read_bytes(), "", SPACE)
    assert found.data == ("cifar10", "cifar100", "imagenet16")
    assert found.cells == SPACE.size
    missing = {column.objective: column.missing for column in found.columns}
    assert len(missing) == 9
    assert {name: n for name, n in missing.items() if n} == {"latency_ms.Edge-TPU_CIFAR-10_published": 4699}
    with np.load(io.BytesIO(values)) as file:
        convolutions = SPACE.arch_ids(SPACE.array()).index("444444")
        assert file[EYERISS][convolutions] == np.nanmax(file[EYERISS])
