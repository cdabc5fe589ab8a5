"""The BERT family against torch's own layer, and what neither padding nor depth may change."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import InvalidInput
from core.networks.blocks.post_norm_block import PostNormBlock
from core.supernets.elastic_bert import ElasticBert
from core.supernets.files import build
from tests.helpers.nets import disturb


def small() -> ElasticBert:
    torch.manual_seed(0)
    return disturb(ElasticBert(ElasticBert.examples()[0])).requires_grad_(False)  # type: ignore[arg-type,return-value]


def test_a_block_is_torchs_encoder_layer_with_the_norm_after() -> None:
    torch.manual_seed(1)
    ours = PostNormBlock(12, heads=3, head_size=4, hidden=20, epsilon=1e-12, activation="gelu").eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, 0.2, 0.5)
    theirs = nn.TransformerEncoderLayer(
        12, 3, 20, 0.0, "gelu", 1e-12, batch_first=True, norm_first=False
    ).eval()
    attention, parts = theirs.self_attn, (ours.query, ours.key, ours.value)
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
        x, mask = torch.randn(5, 7, 12), torch.arange(7)[None] < torch.tensor([[7], [1], [3], [6], [2]])
        expected = theirs(x, src_key_padding_mask=~mask)
        found, same = ours((x, mask))
        assert same is mask
        torch.testing.assert_close(found[mask], expected[mask], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("gelu", lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5))),
        ("gelu_tanh", lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))),
        ("relu", lambda x: x.clamp(min=0)),
    ],
)
def test_activations_are_those_of_their_names(name: str, formula) -> None:
    block = PostNormBlock(4, 1, 4, 4, 1e-5, name)
    with torch.no_grad():
        for layer in (block.expand, block.contract):
            layer.weight.copy_(torch.eye(4))
            layer.bias.zero_()
        block.project.weight.zero_()
        block.project.bias.zero_()
        x = torch.randn(2, 3, 4) * 2
        y = F.layer_norm(x, (4,), eps=1e-5)
        found, _ = block((x, torch.ones(2, 3, dtype=torch.bool)))
        torch.testing.assert_close(found, F.layer_norm(y + formula(y), (4,), eps=1e-5), atol=1e-5, rtol=1e-5)


def text(words: list[int], length: int = 7, filling: int = 0) -> tuple[Tensor, Tensor]:
    tokens = torch.tensor([[*words, *[filling] * (length - len(words))]])
    return tokens, torch.arange(length)[None] < len(words)


def test_padding_changes_no_answer_and_words_do() -> None:
    net = small()
    for arch in (net.smallest, net.largest):
        answers = [net(text(words), arch) for words in ([1, 2, 3], [1, 3, 2], [1, 2], [2, 1, 3])]
        for i, one in enumerate(answers):
            assert all((one - other).abs().max() > 1e-4 for other in answers[:i])
        torch.testing.assert_close(net(text([1, 2, 3], filling=9), arch), answers[0], atol=1e-5, rtol=1e-4)
        tokens, mask = text([1, 2])
        assert torch.isfinite(net((tokens, torch.zeros_like(mask)), arch)).all()


def test_the_first_segment_counts_and_the_others_wait() -> None:
    """Rows of other segments are kept for who writes the network out, and reach no answer."""
    net = small()
    before = net(text([1, 2]), net.largest)
    table = net.chain[0].token_type.weight
    table[1:] += 1
    assert torch.equal(net(text([1, 2]), net.largest), before)
    table[0] += torch.arange(6)
    assert not torch.allclose(net(text([1, 2]), net.largest), before, atol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"widths": [8, 4]},
        {"heads": [0, 2]},
        {"hidden": []},
        {"depths": [2, 49]},
        {"widths": [4096]},
        {"hidden": [20_000]},
        {"activation": "silu"},
        {"epsilon": 0.0},
        {"token_types": 0},
        {"input_shape": [5000]},
    ],
)
def test_impossible_sizes_are_refused(settings: dict) -> None:
    with pytest.raises(InvalidInput, match="The elastic_bert configuration is wrong"):
        build("elastic_bert", settings)


def test_size_of_a_space_counted_by_hand() -> None:
    net = build(
        "elastic_bert",
        {"widths": [4, 8], "depths": [1, 2], "heads": [1, 2, 3], "hidden": [4, 8], "head_size": 2},
    )
    assert net.space.size == 2 * (6 + 36)
