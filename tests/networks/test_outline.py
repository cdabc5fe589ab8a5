"""Networks without weights: the sizes are those of real ones, and nothing heavy is loaded for them."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from core.networks.outline import outline


def test_shapes_are_those_of_the_real_one_and_there_are_no_numbers() -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Embedding(5, 4), nn.LayerNorm(4))

    with outline():
        empty = make()
    real = {name: tensor.shape for name, tensor in make().state_dict().items()}
    assert {name: tensor.shape for name, tensor in empty.state_dict().items()} == real
    assert all(tensor.is_meta for tensor in empty.state_dict().values())
    assert not any(tensor.is_meta for tensor in make().state_dict().values()), (
        "outside, weights are drawn again"
    )


def test_draws_outside_are_what_they_were() -> None:
    torch.manual_seed(0)
    before = nn.Linear(3, 3).weight
    torch.manual_seed(0)
    with outline():
        nn.Linear(100, 100)
    assert torch.equal(nn.Linear(3, 3).weight, before)


def test_no_supernet_loads_torchs_compiler() -> None:
    code = (
        "import sys\n"
        "from core.library import supernets\n"
        "from core.networks.outline import outline\n"
        "from core.supernets.families import FAMILIES\n"
        "from core.supernets.files import build\n"
        "for name in FAMILIES.names():\n"
        "    with outline():\n"
        "        build(name, {})\n"
        "for entry in supernets.entries():\n"
        "    supernets.load(entry)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
