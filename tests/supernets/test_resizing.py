"""The shared resolution stage."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.spaces import SearchSpace
from core.supernets import resizing
from core.supernets.base import BranchContext
from core.supernets.resizing import ResizeStage, resolution_choice


@pytest.fixture
def stage() -> ResizeStage:
    return ResizeStage(SearchSpace([resolution_choice((6, 8, 11))]), (3, 8, 8))


def test_images_of_the_right_size_pass_untouched(stage) -> None:
    assert [stage.key((option,)) for option in range(3)] == [6, None, 11]
    other = ResizeStage(stage.space, (3, 8, 6))
    assert other.key((1,)) == 8


def test_in_pieces_it_computes_the_same(stage, monkeypatch) -> None:
    images = torch.rand(50, 3, 8, 8)
    whole = stage.branch(images, [(0,), (2,)], BranchContext(10))
    monkeypatch.setattr(resizing, "_PIECE", 3 * 64 * 7)
    pieces = stage.branch(images, [(0,), (2,)], BranchContext(10))
    for option, a, b in zip((0, 2), whole, pieces, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, stage.extract((option,), None)(images))


def test_normalizing_by_constants_and_resizing_can_change_places(stage) -> None:
    images, norm = torch.rand(4, 3, 8, 8), nn.BatchNorm2d(3).eval()
    norm.running_mean, norm.running_var = torch.rand(3), torch.rand(3) + 0.5
    assert torch.allclose(norm(stage(images, (0,))), stage(norm(images), (0,)), atol=1e-5)


@pytest.mark.parametrize("sides", [(), (8, 6), (6, 6), (0, 6), (6, 4096)])
def test_impossible_resolutions_are_refused(sides) -> None:
    with pytest.raises(ValueError, match="resolutions"):
        resolution_choice(sides)
