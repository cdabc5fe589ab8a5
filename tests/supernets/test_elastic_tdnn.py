"""EfficientTDNN: channels kept by index and not by prefix, kernels without their outer taps, pooling by halves."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from core.supernets.elastic_conv1d import ElasticConv1d, in_parts
from core.supernets.elastic_tdnn import ElasticTDNN
from core.supernets.tdnn_space import ElasticTDNNConfig, tdnn_space
from core.supernets.tdnn_stages import BlockStage
from core.supernets.tdnn_tail import ConcatStage, HeadStage, PoolStage
from tests.helpers.nets import disturb


@pytest.fixture(scope="module")
def net() -> ElasticTDNN:
    torch.manual_seed(0)
    return disturb(ElasticTDNN(ElasticTDNN.examples()[0])).requires_grad_(False)  # type: ignore[arg-type,return-value]


def arch(net: ElasticTDNN, **options: int) -> tuple[int, ...]:
    """The largest architecture with some options changed."""
    return net.space.from_dict(net.space.to_dict(net.largest) | options)


def stage(net: ElasticTDNN, kind: type) -> torch.nn.Module:
    return next(each for each in net.stages if isinstance(each, kind))


@pytest.mark.parametrize(("depth", "width"), [(1, 8), (2, 8), (2, 16), (3, 8)])
def test_the_concatenation_reads_the_first_channels_of_each_blocks_slice(
    net: ElasticTDNN, depth: int, width: int
) -> None:
    chosen = arch(net, depth=depth, width=width)
    concat = stage(net, ConcatStage)
    most = net.config.channels
    wanted = [i * most + c for i in range(depth) for c in range(width)]
    assert concat.kept(depth, width).tolist() == wanted
    maps = torch.randn(depth + 1, 2, width, 9)
    last, earlier = maps[0], maps[1:depth]
    flow = (last, maps[depth], *earlier)
    by_hand = sum(
        F.conv1d(block, concat.conv.weight[:, i * most : i * most + width])
        for i, block in enumerate([*earlier, last])
    )
    torch.testing.assert_close(concat(flow, chosen), F.relu(by_hand), atol=1e-5, rtol=1e-5)
    inputs = torch.rand(20, *net.config.input_shape) - 0.5
    block = net.extract(chosen, net.calibrate(chosen, inputs))[-3]
    assert torch.equal(block.conv.weight, concat.conv.weight[:, wanted])


@torch.no_grad()
def test_a_blocks_parts_keep_their_first_channels(net: ElasticTDNN) -> None:
    block, chosen = stage(net, BlockStage), arch(net, inner1=8)
    kept = block._kept(8)
    assert kept.tolist() == [0, 1, 4, 5, 8, 9, 12, 13], "of 16 channels in 4 parts"
    plain = block.extract(chosen, net.calibrate(chosen, torch.rand(20, *net.config.input_shape)))
    assert torch.equal(plain.first.weight, block.first.weight[kept])
    assert torch.equal(plain.last.weight, block.last.weight[:, kept])
    assert torch.equal(plain.norm1.bias, block.norm1.bias[kept])


@torch.no_grad()
def test_behind_the_pooling_the_first_means_and_the_first_deviations_count(net: ElasticTDNN) -> None:
    pool, head, chosen = stage(net, PoolStage), stage(net, HeadStage), arch(net, concat=8)
    halves = [*range(8), *range(16, 24)]
    assert pool.kept(8).tolist() == halves
    statistics = net.calibrate(chosen, torch.rand(20, *net.config.input_shape) - 0.5)
    assert torch.equal(pool.extract(chosen, statistics).norm.weight, pool.norm.weight[halves])
    assert torch.equal(head.extract(chosen, statistics).linear.weight, head.linear.weight[:, halves])


def test_pooling_is_the_weighted_mean_and_deviation(net: ElasticTDNN) -> None:
    pool, x = stage(net, PoolStage), torch.randn(3, 16, 7, dtype=torch.float32)
    pooled: list[torch.Tensor] = []
    hook = pool.norm.register_forward_pre_hook(lambda _, given: pooled.append(given[0]))
    pool(x, net.largest)
    hook.remove()
    scores = torch.einsum(
        "cb,nbt->nct",
        pool.score.weight[:, :, 0],
        torch.tanh(torch.einsum("bc,nct->nbt", pool.attend.weight[:, :, 0], x)),
    )
    weight = torch.exp(scores) / torch.exp(scores).sum(2, keepdim=True)
    mean = (weight * x).sum(2)
    spread = ((weight * x**2).sum(2) - mean**2).clamp(min=1e-9).sqrt()
    torch.testing.assert_close(pooled[0], torch.cat([mean, spread], 1), atol=1e-5, rtol=1e-4)


def test_smaller_kernels_are_the_middle_taps_until_their_matrices_have_learned() -> None:
    conv = ElasticConv1d(3, 4, (1, 3, 5), transform=True)
    for kernel in (1, 3, 5):
        margin = (5 - kernel) // 2
        assert torch.equal(conv.kernel_weight(3, 4, kernel), conv.weight[:, :, margin : 5 - margin])
    with torch.no_grad():
        conv.transforms["3"].copy_(torch.randn(3, 3))
        conv.transforms["1"].fill_(2.0)
    found = conv.kernel_weight(2, torch.tensor([3, 1]), 1)
    wanted = 2 * (conv.weight[[3, 1], :2, 1:4] @ conv.transforms["3"])[:, :, 1:2]
    torch.testing.assert_close(found, wanted)


def test_sorting_changes_no_output_of_the_largest_and_puts_the_important_first(net: ElasticTDNN) -> None:
    x = torch.rand(12, *net.config.input_shape) - 0.5
    with torch.no_grad():
        before, smaller = net(x, net.largest), net(x, net.smallest)
        net.sort_channels()
        torch.testing.assert_close(net(x, net.largest), before, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(net(x, net.smallest), smaller, atol=1e-3)
    head = stage(net, HeadStage)
    importance = head.linear.weight.detach().abs().sum(0).view(2, -1).sum(0)
    assert (importance.diff() <= 0).all()
    block = stage(net, BlockStage)
    inner = block.last.weight.detach().abs().sum((0, 2)).view(4, -1).sum(0)
    assert (inner.diff() <= 0).all()


def test_widths_are_those_of_the_papers_ratios() -> None:
    config = ElasticTDNNConfig(width_ratios=(0.25, 0.35, 0.5, 0.75, 1.0))
    assert config.widths(512) == (128, 176, 256, 384, 512)
    assert config.widths(1536) == (384, 536, 768, 1152, 1536)
    assert config.widths(16) == (8, 16), "equal ones are one option"


def test_the_paper_s_space_has_so_many_architectures() -> None:
    config = ElasticTDNNConfig(
        channels=512,
        concat_channels=1536,
        width_ratios=(0.25, 0.35, 0.5, 0.75, 1.0),
        depths=(2, 3, 4),
        dilations=(2, 3, 4, 5),
    )
    net_size = sum((5 * 3) ** depth for depth in (2, 3, 4)) * 5 * 3 * 5
    assert tdnn_space(config).size == net_size


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"input_shape": (2, 2048)}, "one channel"),
        ({"rate": 0}, "a rate"),
        ({"input_shape": (1, 30)}, "no more than a clip"),
        ({"window_ms": 1}, "8 to 2,048"),
        ({"dilations": (2, 3)}, "a dilation for each"),
        ({"width_ratios": (0.5,)}, "ascend to 1"),
        ({"kernels": (2, 3)}, "odd"),
    ],
)
def test_impossible_configurations_are_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ElasticTDNNConfig.model_validate(changes)


def test_in_parts_is_every_parts_beginning() -> None:
    assert in_parts(12, 3, 2, beside=torch.zeros(1)).tolist() == [0, 1, 4, 5, 8, 9]
