"""NAS-Bench-201's published costs: its closed form for all 15,625 cells, and its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.evaluation.costs import CostTable
from core.spaces.cell_string import EDGES, OPERATIONS, cell_space, parse_arch_string
from core.supernets.nas_bench_201 import NASBench201, NASBench201Config
from tests.helpers.nets import disturb

TABLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "tables"
SPACE = cell_space()


def arch(*operations: str) -> tuple[int, ...]:
    return tuple(OPERATIONS.index(op) for op in operations)


def published(shape: tuple[int, int, int] = (3, 32, 32), classes: int = 10) -> NASBench201:
    with torch.device("meta"):
        return NASBench201(NASBench201Config(input_shape=shape, classes=classes))


@pytest.mark.slow
def test_closed_form_for_every_cell() -> None:
    rows, table = SPACE.array(), CostTable.of(published())
    n1, n3 = ((rows == OPERATIONS.index(op)).sum(1) for op in ("nor_conv_1x1", "nor_conv_3x3"))
    params, macs = table.total("params", rows), table.total("macs", rows)
    np.testing.assert_array_equal(params, 73_306 + 243_040 * n3 + 28_000 * n1)
    # The published count adds the bias of the last layer: 10 here.
    np.testing.assert_array_equal(macs + 10, 7_783_050 + 35_389_440 * n3 + 3_932_160 * n1)
    assert len(set(zip(params.tolist(), macs.tolist(), strict=True))) == 28


C3, C1, SKIP, NONE, POOL = "nor_conv_3x3", "nor_conv_1x1", "skip_connect", "none", "avg_pool_3x3"


@pytest.mark.parametrize(
    ("operations", "shape", "classes", "params", "flops"),
    [
        ((NONE,) * 6, (3, 32, 32), 10, 0.073306, 7.78305),
        ((SKIP,) * 6, (3, 32, 32), 10, 0.073306, 7.78305),
        ((POOL,) * 6, (3, 32, 32), 10, 0.073306, 7.78305),
        ((C1,) * 6, (3, 32, 32), 10, 0.241306, 31.37601),
        ((C3,) * 6, (3, 32, 32), 10, 1.531546, 220.11969),
        ((C3, NONE, C3, SKIP, NONE, NONE), (3, 32, 32), 10, 0.559386, 78.56193),
        ((C3, C3, C3, SKIP, C3, C3), (3, 32, 32), 10, 1.288506, 184.73025),
        ((C3,) * 6, (3, 32, 32), 100, 1.537396, 220.12554),
        ((NONE,) * 6, (3, 32, 32), 100, 0.079156, 7.7889),
        ((C3,) * 6, (3, 16, 16), 120, 1.538696, 55.03756),
        ((NONE,) * 6, (3, 16, 16), 120, None, 1.9534),
    ],
)
def test_published_table(operations, shape, classes, params, flops) -> None:
    found = published(shape, classes).published_costs(arch(*operations))
    assert found[1] == pytest.approx(flops, abs=5e-6)
    if params is not None:
        assert found[0] == pytest.approx(params, abs=5e-7)


def test_a_cell_without_a_path_answers_a_constant() -> None:
    torch.manual_seed(0)
    net = disturb(NASBench201(NASBench201Config(channels=4, cells_per_stage=1)))
    blocked = arch(C3, C3, C3, NONE, NONE, NONE)
    images = torch.rand(6, 1, 8, 8)
    statistics = net.calibrate(blocked, images)
    logits = net.extract(blocked, statistics)(images)
    # Within one cell nothing passes; only the reductions' inputs, all zeros, reach the head.
    torch.testing.assert_close(logits, logits[:1].expand_as(logits))


def test_smallest_skips_and_largest_convolves_everywhere() -> None:
    net = published()
    assert net.arch_string(net.smallest) == f"|{SKIP}~0|+|{SKIP}~0|{SKIP}~1|+|{SKIP}~0|{SKIP}~1|{SKIP}~2|"
    assert net.arch_string(net.largest) == f"|{C3}~0|+|{C3}~0|{C3}~1|+|{C3}~0|{C3}~1|{C3}~2|"


def test_which_cells_compute_something() -> None:
    """All paths of the cell by hand; then the network: answers differ between images exactly there."""
    paths = [{(0, 3)}, {(0, 1), (1, 3)}, {(0, 2), (2, 3)}, {(0, 1), (1, 2), (2, 3)}]
    rows = SPACE.array().tolist()
    alive = [any({e for e, op in zip(EDGES, r, strict=True) if op} >= path for path in paths) for r in rows]
    assert [SPACE.computes(row) for row in rows] == alive
    assert sum(alive) == 15_284
    torch.manual_seed(0)
    net = disturb(NASBench201(NASBench201Config(channels=4, cells_per_stage=1)))
    images = torch.rand(6, 1, 8, 8)
    for row, lives in [
        *zip(rows[::391], alive[::391], strict=True),
        (SPACE.smallest, True),
        ((0,) * 6, False),
    ]:
        with torch.no_grad():
            logits = net(images, row)
        assert (float((logits - logits[:1]).abs().max()) > 1e-4) == lives


@pytest.mark.skipif(not TABLES.is_dir(), reason="the published tables are not beside this checkout")
def test_every_published_string_is_one_of_the_space() -> None:
    import pandas as pd

    names = pd.read_parquet(TABLES / "nas_bench_201_accuracy.parquet")["arch_str"]
    net = published()
    archs = {arch(*parse_arch_string(name)) for name in names}
    assert len(archs) == len(names) == SPACE.size
    assert all(net.arch_string(arch(*parse_arch_string(name))) == name for name in names.iloc[::97])
