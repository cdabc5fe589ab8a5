"""Dropped branches and features, in every family that has some: in training of one draw alone, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.supernets.drop_path import DroppingArch, thinned
from tests.helpers.nets import disturb

BRANCHES = {
    "elastic_bert",
    "elastic_cnn",
    "elastic_conv_vit",
    "elastic_decoder",
    "elastic_encoder",
    "elastic_vit",
    "few_shot",
    "image_sub_spaces",
    "nasnet_cells",
    "ofa_mobilenet_v3",
    "ofa_proxyless",
    "ofa_resnet50",
    "plain_vit",
    "text_sub_spaces",
}
FEATURES = BRANCHES | {"chain", "nas_bench_201", "nas_bench_macro"}
N = 6


def made(name: str) -> tuple[Supernet, Any]:
    torch.manual_seed(0)
    family = FAMILIES.get(name)
    config = family.examples()[0]
    net = disturb(family(config))
    return net, net.task.random_inputs(config, N, torch.Generator().manual_seed(1))


def answers(net: Supernet, inputs: Any, seed: int = 3, *, drop: float = 0.0, dropout: float = 0.0) -> Tensor:
    arch = net.space.largest if net.space.ends else net.space.canonical([0] * len(net.space))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return net(inputs, DroppingArch.of(arch, drop, generator, dropout=dropout))


@pytest.mark.parametrize("name", [n for n in FAMILIES.names() if FAMILIES.get(n).task_name != "graph"])
def test_what_is_said_to_drop_drops_and_only_when_asked(name: str) -> None:
    net, inputs = made(name)
    arch = net.space.largest if net.space.ends else net.space.canonical([0] * len(net.space))
    with torch.no_grad():
        plain = net(inputs, arch)
    assert torch.equal(answers(net, inputs), plain)
    if name in BRANCHES:
        assert not torch.equal(answers(net, inputs, drop=0.6), plain)
    if name in FEATURES:
        assert not torch.equal(answers(net, inputs, dropout=0.6), plain)
    # The generator travels with the architecture: the same one, the same answers.
    again = [answers(net, inputs, seed, drop=0.5, dropout=0.5) for seed in (3, 3, 4)]
    assert torch.equal(again[0], again[1])
    assert name not in FEATURES or not torch.equal(again[0], again[2])


def test_later_branches_are_dropped_more_often() -> None:
    net, _ = made("elastic_cnn")
    shares = [stage.depth_share for stage in net.chain]
    assert shares == [index / len(shares) for index in range(len(shares))]
    arch = DroppingArch.of(net.space.largest, 0.8, torch.Generator().manual_seed(0))
    x = torch.ones(4000, 1)
    for share in (0.0, 0.25, 1.0):
        found = thinned(x, arch, share)
        assert float((found == 0).float().mean()) == pytest.approx(0.8 * share, abs=0.03)
        assert float(found.mean()) == pytest.approx(1, abs=0.08)
