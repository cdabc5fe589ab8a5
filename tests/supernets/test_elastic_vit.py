"""The transformer family against torch's own layers, and against masks instead of slices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.transformer_block import TransformerBlock
from core.supernets.elastic_vit import (
    BlockStage,
    ElasticViT,
    ElasticViTConfig,
    EmbeddingStage,
    ReductionStage,
    TokenGroupConfig,
    normalized,
)
from tests.helpers.nets import disturb


def small(shape: tuple[int, int, int] = (1, 8, 8)) -> ElasticViT:
    torch.manual_seed(0)
    return disturb(ElasticViT(ElasticViT.example(shape)))  # type: ignore[return-value]


def test_a_block_is_torchs_encoder_layer() -> None:
    torch.manual_seed(1)
    ours = TransformerBlock(12, heads=3, head_size=4, hidden=20).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, 0.2, 0.5)
    theirs = nn.TransformerEncoderLayer(12, 3, 20, 0.0, "gelu", batch_first=True, norm_first=True).eval()
    attention = theirs.self_attn
    parts = (ours.query, ours.key, ours.value)
    pairs = [(attention.in_proj_weight, torch.cat([p.weight for p in parts]))]
    pairs += [(attention.in_proj_bias, torch.cat([p.bias for p in parts]))]
    for target, source in (
        (attention.out_proj, ours.project),
        (theirs.linear1, ours.expand),
        (theirs.linear2, ours.contract),
        (theirs.norm1, ours.norm1),
        (theirs.norm2, ours.norm2),
    ):
        pairs += [(target.weight, source.weight), (target.bias, source.bias)]
    with torch.no_grad():
        for target, source in pairs:
            target.copy_(source)
        x = torch.randn(5, 7, 12)
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def masked_norm(layer: nn.LayerNorm, x: Tensor, mask: Tensor) -> Tensor:
    """LayerNorm at full width over the kept channels, from the moments of zero-filled tokens (ViT-ResNAS)."""
    kept = mask.mean(-1, keepdim=True)
    mean = x.mean(-1, keepdim=True) / kept
    variance = x.square().mean(-1, keepdim=True) / kept - mean.square()
    return ((x - mean) / torch.sqrt(variance + layer.eps) * layer.weight + layer.bias) * mask


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_norm_of_a_slice_is_the_masked_norm(width: int) -> None:
    torch.manual_seed(2)
    layer = nn.LayerNorm(8, eps=1e-3)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    x = torch.randn(4, 3, 8) + 2
    mask = (torch.arange(8) < width).float().expand(4, 1, 8)
    masked = masked_norm(layer, x * mask, mask)
    torch.testing.assert_close(normalized(layer, x[..., :width]), masked[..., :width], atol=2e-5, rtol=1e-4)


def prefix_masks(sizes: list[int], most: int) -> Tensor:
    return (torch.arange(most) < torch.tensor(sizes)[:, None]).float()[:, None]


def masked_forward(net: ElasticViT, x: Tensor, archs: list[tuple[int, ...]]) -> Tensor:
    """One pass at full size in which every image has its own architecture, by masks alone."""
    mask = torch.ones(())
    for stage in net.stages:
        if isinstance(stage, (EmbeddingStage, ReductionStage)):
            group = getattr(stage, "group", 1)
            before, most = mask, net.config.groups[group - 1].widths[-1]  # type: ignore[attr-defined]
            mask = prefix_masks([int(net.space.option(a, f"width{group}")) for a in archs], most)
            if isinstance(stage, EmbeddingStage):
                x = stage(x, net.largest) * mask
                continue
            n, _, width = x.shape
            grid = (n, width, stage.grid, stage.grid)
            y = (
                stage.conv(masked_norm(stage.norm, x, before).transpose(1, 2).reshape(grid))
                .flatten(2)
                .transpose(1, 2)
            )
            pooled = (
                F.avg_pool2d(x.transpose(1, 2).reshape(grid), 2, ceil_mode=True).flatten(2).transpose(1, 2)
            )
            x = (y + F.pad(pooled, (0, most - width)) + stage.position) * mask
        elif isinstance(stage, BlockStage):
            x = masked_block(net, stage, x, mask, archs)
        else:
            kept = masked_norm(stage.norm, x, mask).mean(1)
            x = stage.linear(kept)
    return x


def masked_block(
    net: ElasticViT, stage: BlockStage, x: Tensor, mask: Tensor, archs: list[tuple[int, ...]]
) -> Tensor:
    place = f"{stage.group}_{stage.index}"
    width = [int(net.space.option(a, f"width{stage.group}")) for a in archs]
    heads = [int(net.space.option(a, f"heads{place}")) for a in archs]
    ratio = [int(net.space.option(a, f"mlp{place}")) for a in archs]
    present = torch.tensor([int(net.space.option(a, f"depth{stage.group}")) >= stage.index for a in archs])
    size, most_heads = stage.head_size, stage.query.out_features // stage.head_size
    y = masked_norm(stage.norm1, x, mask)

    def split(layer: nn.Linear) -> Tensor:
        return layer(y).unflatten(2, (most_heads, size)).transpose(1, 2)

    brought = F.scaled_dot_product_attention(split(stage.query), split(stage.key_), split(stage.value))
    brought = brought.transpose(1, 2).flatten(2) * prefix_masks([h * size for h in heads], most_heads * size)
    z = x + stage.project(brought) * mask
    hidden = prefix_masks([w * r for w, r in zip(width, ratio, strict=True)], stage.expand.out_features)
    z = z + stage.contract(F.gelu(stage.expand(masked_norm(stage.norm2, z, mask))) * hidden) * mask
    return torch.where(present[:, None, None], z, x)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 14, 14)])
def test_one_masked_pass_equals_every_sliced_one(shape: tuple[int, int, int]) -> None:
    net = small(shape)
    archs = [
        net.smallest,
        net.largest,
        *map(tuple, net.space.sample_array(30, np.random.default_rng(4)).tolist()),
    ]
    images = torch.rand(len(archs), *shape)
    with torch.no_grad():
        masked = masked_forward(net, images, archs)
        sliced = torch.cat([net(images[i : i + 1], arch) for i, arch in enumerate(archs)])
    torch.testing.assert_close(sliced, masked, atol=2e-5, rtol=1e-4)
    assert len({tuple(row) for row in sliced.round(decimals=4).tolist()}) > 25


def test_needs_no_statistics_and_rows_stand_alone() -> None:
    net = small()
    assert not net.needs_statistics
    images = torch.rand(9, 1, 8, 8)
    with torch.no_grad():
        for arch in (net.smallest, net.largest):
            alone = torch.cat([net(images[i : i + 1], arch) for i in range(9)])
            torch.testing.assert_close(net.extract(arch)(images), alone, atol=1e-5, rtol=1e-5)


def test_digits_become_sixteen_tokens_then_four() -> None:
    net = ElasticViT(ElasticViTConfig())
    by_kind = {(c.kind, c.group): c.output_shape for c in net.costs(net.largest)}
    assert by_kind["stem", "stem"] == (16, 24)
    assert by_kind["block", "group 1"] == (16, 24)
    assert by_kind["block", "group 2"] == (4, 32)


def test_size_of_a_space_counted_by_hand() -> None:
    group = TokenGroupConfig(widths=(4, 8, 12), depths=(1, 2), heads=(1, 2), mlp_ratios=(1, 2, 3))
    net = ElasticViT(ElasticViTConfig(groups=(group,)))
    # A block has 2 * 3 settings: 3 widths, and one block or two.
    assert net.space.size == 3 * (6 + 6 * 6)
