"""ElasticViT: the authors' space, heads by width, values head by head, offsets by distance, shortcuts that follow."""

from __future__ import annotations

import pytest
import torch

from core.networks.outline import outline
from core.supernets.conv_vit_attention import AttentionStage, between
from core.supernets.conv_vit_space import ElasticConvViTConfig, conv_vit_space
from core.supernets.conv_vit_stages import BottleneckStage
from core.supernets.elastic_conv_vit import ElasticConvViT
from tests.helpers.nets import disturb


@pytest.fixture(scope="module")
def net() -> ElasticConvViT:
    torch.manual_seed(0)
    found = disturb(ElasticConvViT(ElasticConvViT.examples()[0]))  # type: ignore[arg-type]
    return found.requires_grad_(False)  # type: ignore[return-value]


def arch(net: ElasticConvViT, **options: int) -> tuple[int, ...]:
    """The largest architecture with some options changed."""
    return net.space.from_dict(net.space.to_dict(net.largest) | options)


@pytest.mark.slow
def test_the_authors_space_is_described_in_their_numbers() -> None:
    config = ElasticConvViTConfig.published()
    options = {choice.name: choice.options for choice in conv_vit_space(config).choices}
    assert options["resolution"] == (128, 160, 176, 192, 224, 256)
    assert [options[f"width{s}"][0] for s in range(1, 7)] == [16, 16, 48, 80, 144, 160]
    assert [options[f"width{s}"][-1] for s in range(1, 7)] == [32, 48, 96, 160, 288, 320]
    assert [options[f"depth{s}"][0] for s in range(1, 7)] == [2, 2, 1, 1, 1, 1]
    assert [options[f"depth{s}"][-1] for s in range(1, 7)] == [5, 6, 5, 6, 6, 6]
    assert options["expand1"] == (3, 4, 5, 6)
    assert options["mlp3"] == (2, 3, 4, 5)
    assert options["value6"] == (2, 3, 4)
    with outline():
        net = ElasticConvViT(config)
    smallest, largest = (sum(c.macs for c in net.costs(a)) / 1e6 for a in (net.smallest, net.largest))
    # The paper: 37 to 3,191 million.
    assert 35 < smallest < 42
    assert 3000 < largest < 3400


def test_a_width_has_as_many_heads_as_it_holds_and_each_keeps_its_first_values(net: ElasticConvViT) -> None:
    stage = next(s for s in net.stages if isinstance(s, AttentionStage))
    assert (stage.most_heads, stage.most_value) == (3, 4)
    assert stage.kept(2, 2).tolist() == [0, 1, 4, 5], "two heads with half their values"
    chosen = arch(net, width2=4, value2=1)
    with torch.no_grad():
        block = stage.extract(chosen, None)
    assert (block.heads, block.value_size) == (2, 2)
    assert torch.equal(block.value.weight, stage.value.weight[[0, 1, 4, 5], :4])
    assert torch.equal(block.project.weight, stage.project.weight[:4, [0, 1, 4, 5]])


def test_offsets_are_those_of_the_distance_on_every_resolution(net: ElasticConvViT) -> None:
    stage = next(s for s in net.stages if isinstance(s, AttentionStage))
    large, middle = stage.grid, stage.grid - 1
    for grid in (middle, large):
        found = stage._offsets(3, grid)[:, between(grid, torch.zeros(1))]
        for one in range(grid * grid):
            for other in range(grid * grid):
                down, right = one // grid - other // grid, one % grid - other % grid
                wanted = stage.distance[:, large - 1 + down, large - 1 + right]
                assert torch.equal(found[:, one, other], wanted)


def test_a_shortcut_has_weights_only_where_the_width_changes(net: ElasticConvViT) -> None:
    entries = [s for s in net.stages if isinstance(s, BottleneckStage) and s.place.enters]
    stage = entries[0]
    statistics = net.calibrate(net.largest, torch.rand(12, 1, 8, 8))
    with torch.no_grad():
        for width, shortcut in ((3, "identity"), (5, "projection")):
            chosen = arch(net, width0=3, width1=width)
            statistics = net.calibrate(chosen, torch.rand(12, 1, 8, 8))
            block = stage.extract(chosen, statistics)
            assert block.arguments["shortcut"] == shortcut
            assert (block.bypass is None) == (shortcut == "identity")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"head_size": 5}, "multiples of the head size"),
        ({"kernels": (2, 3)}, "odd"),
        ({"input_shape": (1, 512, 512)}, "larger strides"),
        ({"resolutions": (8, 6)}, "resolutions"),
    ],
)
def test_impossible_configurations_are_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ElasticConvViTConfig.model_validate(changes)
