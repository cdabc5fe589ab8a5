"""What the page of a supernet in parts says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.library import supernets
from core.supernets.elastic_cnn import ElasticCNN
from core.supernets.few_shot import FewShot
from core.supernets.files import dump_supernet
from core.views.supernet_page import part_rows


def test_each_part_has_a_row_and_a_whole_supernet_none(tmp_path: Path) -> None:
    file = tmp_path / "parts.safetensors"
    net = FewShot(FewShot.example((1, 8, 8)))
    file.write_bytes(dump_supernet(net, {"title": "Parts"}))
    entry = supernets.resolve(None, str(file))
    rows = part_rows(entry)
    assert [(row["part"], row["has"]) for row in rows] == [
        ("1", "width2: 3"),
        ("2", "width2: 6; depth1: 2"),
        ("3", "width2: 6; depth1: 1"),
    ]
    assert sum(int(row["subnets"].replace(",", "")) for row in rows) == net.space.size
    broken = {**entry.header, "config": {"splits": [{"choice": "nothing", "groups": [[0], [1]]}]}}
    assert part_rows(replace(entry, header=broken)) == []
    whole = tmp_path / "whole.safetensors"
    whole.write_bytes(dump_supernet(ElasticCNN(ElasticCNN.example((1, 8, 8))), {"title": "Whole"}))
    assert part_rows(supernets.resolve(None, str(whole))) == []
