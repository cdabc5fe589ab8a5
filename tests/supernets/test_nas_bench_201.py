"""How a cell is wired, by algebra: the output is the sum over all paths of the products along them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.spaces.cell_string import OPERATIONS
from core.supernets.nas_bench_201 import CellStage, NASBench201, NASBench201Config
from tests.helpers.nets import disturb

SIDE = 4
PATHS = [[(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]]
STRING_ORDER = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
LINEAR = ("none", "skip_connect", "avg_pool_3x3")


def mean_of_neighbors() -> np.ndarray:
    """The mean over the pixels of a 3x3 window that lie inside the image, as a matrix."""
    pixels = list(itertools.product(range(SIDE), repeat=2))
    near = np.array([[abs(a - c) <= 1 and abs(b - d) <= 1 for c, d in pixels] for a, b in pixels], float)
    return near / near.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def net() -> NASBench201:
    torch.manual_seed(0)
    config = NASBench201Config(input_shape=(1, SIDE, SIDE), channels=3, cells_per_stage=1)
    return disturb(NASBench201(config)).requires_grad_(False)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def cell(net) -> CellStage:
    return next(stage for stage in net.stages if isinstance(stage, CellStage))


def arch(operations: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(OPERATIONS.index(op) for op in operations)


def test_cells_without_convolutions_are_sums_over_paths(cell) -> None:
    matrices = {
        "none": np.zeros((SIDE**2,) * 2),
        "skip_connect": np.eye(SIDE**2),
        "avg_pool_3x3": mean_of_neighbors(),
    }
    x = torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64)
    flat = x.flatten(2).numpy()
    for operations in itertools.product(LINEAR, repeat=6):
        by_edge = dict(zip(STRING_ORDER, operations, strict=True))
        total = np.zeros((SIDE**2,) * 2)
        for path in PATHS:
            product = np.eye(SIDE**2)
            for edge in path:
                product = matrices[by_edge[edge]] @ product
            total += product
        found = cell(x, arch(operations)).flatten(2).numpy()
        np.testing.assert_allclose(found, flat @ total.T, atol=1e-12, err_msg=str(by_edge))


def test_all_skips_quadruple_the_input(cell) -> None:
    x = torch.randn(2, 3, SIDE, SIDE)
    torch.testing.assert_close(cell(x, arch(("skip_connect",) * 6)), 4 * x)


@pytest.mark.parametrize("operation", ["nor_conv_1x1", "nor_conv_3x3"])
@pytest.mark.parametrize("edge", range(6))
def test_a_convolution_is_relu_convolution_norm_with_the_edges_own_weights(
    cell, operation: str, edge: int
) -> None:
    """Every other edge on the way is a skip, so the operation's value arrives unchanged."""
    path = next(p for p in PATHS if STRING_ORDER[edge] in p)
    operations = ["skip_connect" if e in path else "none" for e in STRING_ORDER]
    operations[edge] = operation
    kernel = 1 if operation == "nor_conv_1x1" else 3
    conv, norm = cell.convs[f"{edge}_{kernel}"], cell.norms[f"{edge}_{kernel}"]
    x = torch.randn(6, 3, SIDE, SIDE)
    y = F.conv2d(F.relu(x), conv.weight, padding=kernel // 2)
    mean, variance = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, correction=0)
    expected = (y - mean) / torch.sqrt(variance + 1e-5) * norm.weight.view(1, -1, 1, 1) + norm.bias.view(
        1, -1, 1, 1
    )
    torch.testing.assert_close(cell(x, arch(tuple(operations))), expected, atol=1e-5, rtol=1e-5)


def test_no_two_edges_share_weights(net) -> None:
    convs = [c for stage in net.stages if isinstance(stage, CellStage) for c in stage.convs.values()]
    assert len({c.weight.data_ptr() for c in convs}) == len(convs) == 3 * 12


def spread(net: NASBench201, operations: tuple[str, ...], images: Tensor) -> float:
    logits = net(images, arch(operations), net.calibrate(arch(operations), images))
    return float(logits.std(0).max())


def test_exactly_the_cells_without_a_path_answer_a_constant(net) -> None:
    images = torch.rand(16, 1, SIDE, SIDE)
    rng = np.random.default_rng(7)
    blocked = 0
    for pattern in itertools.product((False, True), repeat=6):
        operations = tuple(str(rng.choice(OPERATIONS[1:])) if on else "none" for on in pattern)
        open_edges = {edge for edge, on in zip(STRING_ORDER, pattern, strict=True) if on}
        connected = any(set(path) <= open_edges for path in PATHS)
        blocked += not connected
        value = spread(net, operations, images)
        assert (value > 1e-3) if connected else (value < 1e-5), operations
    assert blocked > 10


def test_reduction_halves_and_doubles(net) -> None:
    shapes = [c.output_shape for c in net.costs(net.largest)]
    assert shapes == [(3, 4, 4), (3, 4, 4), (6, 2, 2), (6, 2, 2), (12, 1, 1), (12, 1, 1), (10,)]
    reduction = net.stages[2]
    assert isinstance(reduction.shortcut, nn.Conv2d)
    x = torch.randn(5, 3, SIDE, SIDE)

    def unit(y: Tensor, norm: nn.Module) -> Tensor:
        return F.batch_norm(y, None, None, norm.weight, norm.bias, training=True)

    y = unit(F.conv2d(F.relu(x), reduction.conv1.weight, stride=2, padding=1), reduction.norm1)
    y = unit(F.conv2d(F.relu(y), reduction.conv2.weight, padding=1), reduction.norm2)
    pooled = x.unflatten(2, (2, 2)).unflatten(4, (2, 2)).mean((3, 5))
    expected = y + torch.einsum("oi,nihw->nohw", reduction.shortcut.weight[:, :, 0, 0], pooled)
    torch.testing.assert_close(reduction(x, net.largest), expected, atol=1e-5, rtol=1e-5)
