"""NAS-Bench-Macro's published parameters and FLOPs of all 6,561 networks."""

from __future__ import annotations

import hashlib
import io

import pandas as pd
import pytest

from core.cli.costing import costs_csv

# SHA-256 of the lines "architecture params flops" of data/nas-bench-macro_cifar10.json, in order of the names
# (xiusu/NAS-Bench-Macro, Apache-2.0). Its FLOPs are multiply-accumulates of convolutions and the linear layer.
PUBLISHED = "ab358efb6c1b66fadb564c105b6d550cd4e2e81642e497d8a1bc639e61cb2e2e"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(costs_csv("nas-bench-macro", 0, 0)), dtype={"arch_str": str})


@pytest.mark.parametrize(
    ("name", "params", "flops"),
    [
        ("00000000", 387_882, 7_713_280),
        ("10000000", 396_298, 12_128_768),
        ("00000001", 791_594, 14_115_328),
        ("12012012", 2_014_602, 67_092_992),
        ("11111111", 1_588_874, 53_246_464),
        ("22222222", 2_932_586, 105_660_928),
    ],
)
def test_published_networks(table, name, params, flops) -> None:
    row = table.set_index("arch_str").loc[name]
    assert (row["params"], row["macs"], row["source"]) == (params, flops, "counted")


def test_every_published_network(table) -> None:
    rows = table.sort_values("arch_str")[["arch_str", "params", "macs"]].itertuples(index=False)
    text = "".join(f"{name} {params} {macs}\n" for name, params, macs in rows)
    assert len(table) == 6_561
    assert hashlib.sha256(text.encode()).hexdigest() == PUBLISHED
