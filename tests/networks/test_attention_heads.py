"""Outputs of heads: heads that add up to what the block adds, and padding that is no row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.networks.attention_heads import blocks_with_heads, head_outputs
from core.supernets import FAMILIES
from tests.helpers.nets import disturb

ATTENDING = [
    name
    for name in (
        "elastic_encoder",
        "elastic_bert",
        "elastic_vit",
        "plain_vit",
        "vit_resnas",
        "elastic_decoder",
    )
    if name in FAMILIES.names()
]


def made(family: str) -> tuple[torch.nn.Sequential, Any]:
    torch.manual_seed(0)
    net = disturb(FAMILIES.get(family)(FAMILIES.get(family).examples()[0]))
    return net.extract(net.largest), net.task.random_inputs(net.config, 20, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", ATTENDING)
def test_what_the_heads_put_out_is_what_the_block_projects(family: str) -> None:
    net, inputs = made(family)
    heads = blocks_with_heads(net)
    assert heads
    for stage, n in heads.items():
        block = net[int(stage)]
        projected: list[torch.Tensor] = []
        hook = block.project.register_forward_hook(lambda _m, _i, out, to=projected: to.append(out))
        found = head_outputs(net, inputs, stage, pooling="pooled")
        hook.remove()
        assert found.shape == (20, n, block.head_size)
        mask = (
            inputs[1] if projected[0].shape[:2] == inputs[1].shape and inputs[1].dtype == torch.bool else None
        )
        weight = torch.ones(projected[0].shape[:2]) if mask is None else mask.float()
        expected = (projected[0] * weight[:, :, None]).sum(1) / weight.sum(1, keepdim=True)
        with torch.no_grad():
            again = block.project(torch.from_numpy(found).flatten(1))
        torch.testing.assert_close(again, expected, atol=1e-5, rtol=1e-4)


def test_padding_is_no_row_and_changes_nothing() -> None:
    net, (tokens, mask) = made("elastic_encoder")
    stage = next(iter(blocks_with_heads(net)))
    by_token = head_outputs(net, (tokens, mask), stage, pooling="positions")
    assert len(by_token) == int(mask.sum()) < mask.numel()
    other = (torch.where(mask, tokens, torch.randint(1, 11, tokens.shape)), mask)
    for pooling in ("pooled", "positions"):
        first, second = (
            head_outputs(net, inputs, stage, pooling=pooling) for inputs in ((tokens, mask), other)
        )
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_stages_without_heads_and_other_features_are_refused() -> None:
    net, inputs = made("elastic_vit")
    with pytest.raises(InvalidInput, match=r"Stage 0 .* no attention heads"):
        head_outputs(net, inputs, "0", pooling="pooled")
    with pytest.raises(InvalidInput, match="pooled over tokens or by token"):
        head_outputs(net, inputs, "1", pooling="flattened")


def test_too_many_tokens_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    net, inputs = made("elastic_vit")
    monkeypatch.setattr("core.networks.attention_heads.MOST_ROWS", 100)
    with pytest.raises(InvalidInput, match="more than 100: choose pooled"):
        head_outputs(net, inputs, "1", pooling="positions")
