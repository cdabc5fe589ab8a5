"""`latency`: every subnet of a supernet, timed or predicted, and usable by the other commands afterwards."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from core.supernets.elastic_cnn import GroupConfig
from core.supernets.files import dump_supernet
from tests.cli.conftest import Call
from tests.helpers.nets import small_cnn


@pytest.mark.slow
def test_every_subnet_is_written(call: Call, tmp_path: Path) -> None:
    net = small_cnn(groups=(GroupConfig(widths=(2, 4)), GroupConfig(widths=(3, 6))))
    file, csv = tmp_path / "toy.safetensors", tmp_path / "latency.csv"
    file.write_bytes(dump_supernet(net, {"title": "Toy"}))
    status, out, err = call("latency", str(file), "--csv", str(csv), "--subnets", "16", "--name", "Box")
    assert status == 0, err
    assert out.strip() == str(csv)
    assert "16 subnets timed; unseen ones are predicted with rank correlation" in err
    found = pd.read_csv(io.BytesIO(csv.read_bytes()), dtype={"arch_id": str})
    assert list(found) == ["architecture", "arch_id", "latency_ms", "latency_source"]
    assert len(found) == net.space.size
    assert found["latency_source"].value_counts()["measured"] == 16
    assert set(found["latency_source"]) == {"measured", "predicted"}
    assert (found["latency_ms"] > 0).all()
    assert net.space.arch_id(net.space.from_dict(json.loads(found["architecture"][5]))) == found["arch_id"][5]
    about = json.loads((tmp_path / "latency.about.json").read_text())
    assert about["device"]["name"] == "Box"
    assert about["objective"].startswith("latency_ms.Box_1-thread_")
    assert set(about["columns"]) == set(found)


def test_arguments_out_of_bounds_end_with_a_sentence(call: Call) -> None:
    assert call("latency", "digits-cnn", "--threads", "0")[0] == 2
    status, _, err = call("latency", "no-such-net")
    assert (status, "no supernet called" in err) == (2, True)
