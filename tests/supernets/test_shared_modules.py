"""Stages that share a module: stored once, loaded shared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from core.spaces import Choice, SearchSpace
from core.supernets import files
from core.supernets.base import Stage, Supernet
from core.supernets.files import dump_supernet, load_supernet
from core.supernets.statistics import Statistics
from core.tasks.image import ImageConfig


class TiedStage(Stage):
    """A linear layer that another stage may have as well."""

    def __init__(self, space: SearchSpace, linear: nn.Linear) -> None:
        super().__init__(space)
        self.linear = linear

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return torch.relu(self.linear(x.flatten(1)))


class Tied(Supernet):
    """Two stages with one layer, and one of its own."""

    name = "tied"
    label = "Tied"
    source = "made for this test"
    Config = ImageConfig

    def __init__(self, config: ImageConfig) -> None:
        space, shared = SearchSpace([Choice("width", (1, 2))]), nn.Linear(64, 64)
        stages = [TiedStage(space, layer) for layer in (shared, shared, nn.Linear(64, 64))]
        super().__init__(config, space, stages)


@pytest.fixture
def tied(monkeypatch: pytest.MonkeyPatch) -> Tied:
    monkeypatch.setattr(files, "FAMILIES", SimpleNamespace(get=lambda name: Tied))
    torch.manual_seed(0)
    return Tied(ImageConfig())


def answers(net: Supernet) -> Tensor:
    with torch.no_grad():
        return net(torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1)), (0,))


def test_a_shared_tensor_is_stored_once_and_loaded_shared(tied: Tied) -> None:
    data = dump_supernet(tied, {})
    assert set(load(data)) == {f"stages.{i}.linear.{n}" for i in (0, 2) for n in ("weight", "bias")}
    assert len(data) < 2.2 * 4 * 64 * 64
    again, _ = load_supernet(data)
    one, other, third = (stage.linear for stage in again.stages)
    assert one is other
    assert one is not third
    assert torch.equal(answers(again), answers(tied))
    assert dump_supernet(again, {}) == data


def test_files_that_store_it_under_each_name_are_still_read(tied: Tied) -> None:
    data = dump_supernet(tied, {})
    whole = {name: tensor.clone() for name, tensor in tied.state_dict().items()}
    assert len(whole) == 6
    length = int.from_bytes(data[:8], "little")
    metadata: dict[str, Any] = json.loads(data[8 : 8 + length])["__metadata__"]
    again, _ = load_supernet(save(whole, metadata=metadata))
    assert torch.equal(answers(again), answers(tied))
    assert dump_supernet(again, {}) == data
