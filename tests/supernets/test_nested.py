"""Siblings by partial sums: what they compute is in the contract suite, how much they compute is here."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.networks.trees import leaves
from core.supernets import FAMILIES
from core.supernets.base import BranchContext, Stage, Supernet
from core.supernets.files import build

HEADS, HIDDEN = (1, 2, 3, 4), (16, 32, 48, 64)


def made(family: str) -> Supernet:
    torch.manual_seed(0)
    sizes = {"widths": (16,), "depths": (1,), "heads": HEADS, "hidden": HIDDEN, "head_size": 4}
    data = (
        {"vocabulary": 20, "input_shape": (12,)} if family == "elastic_bert" else {"input_shape": (1, 8, 8)}
    )
    return build(family, {**sizes, **data}).requires_grad_(False)


def flops(run: Any) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def siblings(net: Supernet) -> tuple[Stage, Any, list[tuple[int, ...]]]:
    """The one layer, what flows into it, and all that differ in nothing but its heads and hidden units."""
    rows = [tuple(row) for row in net.space.array().tolist()]
    inputs = net.task.random_inputs(net.config, 6, torch.Generator().manual_seed(1))
    return net.chain[1], net.chain[0](inputs, net.largest), rows


@pytest.mark.parametrize("family", ["elastic_bert", "plain_vit"])
def test_all_siblings_cost_one_attention_and_one_mlp_per_number_of_heads(family: str) -> None:
    net = made(family)
    stage, x, archs = siblings(net)
    assert len(archs) == len(HEADS) * len(HIDDEN)
    together = flops(lambda: stage.branch(x, archs, BranchContext(0)))
    apart = flops(lambda: [stage(x, arch) for arch in archs])
    largest = net.largest
    smallest = net.space.canonical(
        [0 if c.name == "hidden1" else i for c, i in zip(net.space.choices, largest, strict=True)]
    )
    whole, less = (flops(lambda arch=arch: stage(x, arch)) for arch in (largest, smallest))
    mlp = (whole - less) * HIDDEN[-1] // (HIDDEN[-1] - HIDDEN[0])
    assert together == whole + (len(HEADS) - 1) * mlp
    assert apart / together > 2.5
    print(f"{family}: {apart / together:.2f} times less than one by one")


@pytest.mark.parametrize("family", ["elastic_bert", "plain_vit"])
def test_only_what_is_asked_for_is_computed(family: str) -> None:
    """Two of the smallest cost no more than what is in both of them."""
    net = made(family)
    stage, x, archs = siblings(net)
    small = [arch for arch in archs if arch[2] == 0 and arch[3] < 2]
    larger = stage.branch
    assert flops(lambda: larger(x, small, BranchContext(0))) == flops(lambda: stage(x, small[1]))
    assert set(FAMILIES.names()) >= {family}


@pytest.mark.parametrize("family", ["elastic_bert", "plain_vit"])
def test_each_sibling_is_what_it_is_alone(family: str) -> None:
    net = made(family)
    stage, x, archs = siblings(net)
    for arch, found in zip(archs, stage.branch(x, archs, BranchContext(0)), strict=True):
        for one, other in zip(leaves(found), leaves(stage(x, arch)), strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
