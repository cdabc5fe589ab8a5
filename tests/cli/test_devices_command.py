"""Kits, profiles and tables of devices on the command line: from a zip to a column of a CSV."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from core.cli.driving import find_supernet, open_store
from core.library import profile_worker, profiles, supernets
from core.library.latency import latencies, with_latencies
from core.supernets.files import dump_supernet
from core.supernets.nas_bench_201 import NASBench201
from tests.cli.conftest import Call
from tests.helpers.nets import small_cnn

ROWS = supernets.find(None, "digits-cnn").space.array()[:100]


@pytest.fixture
def supernet(tmp_path: Path) -> str:
    path = tmp_path / "small.safetensors"
    path.write_bytes(dump_supernet(small_cnn(), {"title": "Small"}))
    return str(path)


def profile_of(kit: bytes) -> bytes:
    """What measure.py would write of a device that takes a microsecond for each character of an id, and its digits."""
    with zipfile.ZipFile(io.BytesIO(kit)) as archive:
        told = json.loads(archive.read("kit.json"))
    ms = [0.01 + 0.001 * sum(int(digit) for digit in arch_id) for arch_id in told["subnets"]]
    anchors = [ms[at] for at in told["anchors"]]
    device = {"name": "Board", "threads": told["threads"], "version": "1.20", "precision": told["precision"]}
    profile = {
        "format": 1,
        "supernet": told["supernet"],
        "device": device,
        "protocol": {"rounds": 6, "runs": 4, "agreement": 0.99},
        "planned": len(ms),
        "timings": {"arch_ids": told["subnets"], "ms": ms, "spread": [0.0] * len(ms)},
        "anchors": {
            "arch_ids": [told["subnets"][at] for at in told["anchors"]],
            "start": anchors,
            "end": anchors,
        },
        "date": "2026-11-28T09:00:00Z",
    }
    return json.dumps(profile).encode()


@pytest.mark.slow
def test_from_a_kit_to_a_column_of_every_table(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        profiles,
        "run_confined",
        lambda _, data, options, target, limits: profile_worker.work(data, options, target),
    )
    out = tmp_path / "kit.zip"
    status, said, error = call("kit", "digits-cnn", "--out", str(out), "--subnets", "16", "--threads", "4")
    assert (status, said.strip()) == (0, str(out)), error
    assert out.stat().st_size < 300_000
    with zipfile.ZipFile(out) as archive:
        told = json.loads(archive.read("kit.json"))
        assert "--threads 4" in archive.read("README.txt").decode()
    assert (told["threads"], told["precision"], len(told["subnets"])) == (4, "float32", 16)
    profile = tmp_path / "profile.json"
    profile.write_bytes(profile_of(out.read_bytes()))
    status, said, error = call("add-profile", "digits-cnn", str(profile))
    name = said.strip()
    assert (status, name.startswith("latency_ms.Board_4-threads_")) == (0, True), error
    with open_store() as store:
        [kept] = latencies(store, find_supernet("digits-cnn"))
        timed = kept.record.profile.timings.arch_ids
        other = next(i for i in find_supernet("digits-cnn").space.arch_ids(ROWS) if i not in timed)
        table = pd.DataFrame({"arch_id": [other, *timed]})
        _, found = with_latencies(store, find_supernet("digits-cnn"), "", table)
    assert found[f"{name}_source"].tolist() == ["predicted", *["measured"] * 16]
    assert found[name].tolist()[1:] == list(kept.record.profile.timings.ms)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--precision", "int4"), "--precision"),
        (("--runtime", "torch", "--precision", "int8"), "float32"),
        (("--batch", "0"), "--batch"),
        (("--subnets", "3"), "--subnets"),
    ],
)
def test_a_kit_that_cannot_be_is_refused(
    arguments: tuple[str, ...], said: str, call: Call, supernet: str, tmp_path: Path
) -> None:
    status, _, error = call("measuring-kit", supernet, "--out", str(tmp_path / "k.zip"), *arguments)
    assert status == 2
    assert said in error
    assert not (tmp_path / "k.zip").exists()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no file"), (b"{}", "cannot be used"), (b"", "not JSON")], ids=str
)
def test_a_profile_that_is_none_is_refused(
    content: bytes | None,
    said: str,
    call: Call,
    supernet: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        profiles,
        "run_confined",
        lambda _, data, options, target, limits: profile_worker.work(data, options, target),
    )
    path = tmp_path / "profile.json"
    if content is not None:
        path.write_bytes(content)
    status, _, error = call("add-profile", supernet, str(path))
    assert status == 2
    assert said in error


@pytest.mark.slow
def test_a_published_table_is_imported_for_cells_alone(call: Call, supernet: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    cells, table = tmp_path / "cells.safetensors", tmp_path / "HW.csv"
    cells.write_bytes(dump_supernet(NASBench201(NASBench201.example((1, 8, 8))), {"title": "Cells"}))
    space = NASBench201(NASBench201.example((1, 8, 8)))
    rows = [
        {"arch_str": space.arch_string(row), "pixel3_latency": 1 + at, "eyeriss_energy": -1 if at == 2 else 2}
        for at, row in enumerate(space.space.sample_array(4, np.random.default_rng(0)).tolist())
    ]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    status, said, error = call("device-table", str(cells), str(table))
    assert status == 0, error
    assert said.splitlines() == [
        "latency_ms.Pixel-3_published  (15,621 of 15,625 cells were never measured)",
        "energy_mj.Eyeriss_published  (15,622 of 15,625 cells were never measured)",
    ]
    status, _, error = call("device-table", supernet, str(table))
    assert status == 2
    assert "no NAS-Bench-201 cell space" in error
