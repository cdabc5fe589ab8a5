"""Text from a decoder: with the cache as without it, to the token; and by hand where that is possible."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from core.networks import generating
from core.networks.chain import build_net
from core.networks.generating import Decoder, drawn, generate

LLAMA = {"norm": "rms", "positions": "rotary", "mlp": "gated_silu", "biases": "none"}
GPT2 = {"norm": "layer", "positions": "learned", "mlp": "gelu_tanh", "biases": "all"}


def decoder(
    kind: dict[str, Any], *, table: str = "shared", context: int = 12, kv_heads: int = 2
) -> nn.Sequential:
    torch.manual_seed(0)
    block = {"width": 16, "heads": 4, "kv_heads": kv_heads, "head_size": 4, "hidden": 24, **kind}
    embedding = {
        "vocabulary": 20,
        "width": 16,
        "context": context,
        "positions": kind["positions"],
        "table": table,
    }
    head = {"width": 16, "vocabulary": 20, "norm": kind["norm"], "table": table}
    chain = [("DecoderEmbedding", embedding), ("DecoderBlock", block)]
    chain += [("DecoderBlock", block | {"outputs": "scored"}), ("DecoderHead", head)]
    net = build_net([{"block": name, "arguments": arguments} for name, arguments in chain])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape) * (0.5 if parameter.ndim > 1 else 1.0))
    return net.eval()


@pytest.mark.parametrize("kind", [LLAMA, GPT2], ids=["llama", "gpt2"])
@pytest.mark.parametrize("table", ["shared", "own"])
def test_with_the_cache_as_without_it(kind: dict[str, Any], table: str) -> None:
    """To the token, across the end of the context as well."""
    net = decoder(kind, table=table)
    for seed in range(4):
        settings: dict[str, Any] = {"n": 30, "temperature": 0.8, "top_k": 0 if seed % 2 else 5, "seed": seed}
        found = generate(net, [3, 1, 4], **settings)
        assert found == generate(net, [3, 1, 4], cached=False, **settings)
        assert len(found) == 30
        assert len(set(found)) > 3
    assert generate(net, [3, 1, 4], 30, seed=1) != generate(net, [3, 1, 4], 30, seed=2)


@pytest.mark.parametrize("kind", [LLAMA, GPT2], ids=["llama", "gpt2"])
def test_reads_step_by_step_what_the_network_tells_of_the_whole(kind: dict[str, Any]) -> None:
    net = decoder(kind)
    tokens = torch.randint(0, 20, (3, 9))
    scored = torch.arange(9).repeat(3, 1)
    reader = Decoder(net)
    with torch.no_grad():
        expected = net((tokens, scored))
        cache, at = None, 0
        for size in (4, 1, 1, 3):
            logits, cache = reader.read(tokens[:, at : at + size], cache)
            at += size
            torch.testing.assert_close(logits, expected[:, at - 1], atol=1e-5, rtol=1e-5)
    # Two blocks, keys and values of two heads of four numbers for nine tokens of three texts, four bytes each.
    assert cache.nbytes == 2 * 2 * 2 * 4 * 9 * 3 * 4


def test_the_likeliest_alone_without_temperature() -> None:
    net = decoder(LLAMA)
    found = generate(net, [5], 6, temperature=0)
    assert found == generate(net, [5], 6, temperature=1, top_k=1, seed=9)
    tokens = [5, *found]
    with torch.no_grad():
        logits = net((torch.tensor([tokens[:-1]]), torch.arange(6)[None]))
    assert logits[0].argmax(-1).tolist() == found


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    logits = torch.tensor([0.1, 0.5, 0.3, 0.1]).log()
    generator = torch.Generator().manual_seed(0)
    counts = torch.bincount(
        torch.tensor([drawn(logits, 1.0, 0, generator) for _ in range(4000)]), minlength=4
    )
    torch.testing.assert_close(counts / 4000, logits.exp(), atol=0.03, rtol=0)
    among = {drawn(logits, 1.0, 2, generator) for _ in range(200)}
    assert among == {1, 2}
    cool = torch.bincount(torch.tensor([drawn(logits, 0.5, 0, generator) for _ in range(4000)]), minlength=4)
    torch.testing.assert_close(cool / 4000, (2 * logits).softmax(0), atol=0.03, rtol=0)


def test_what_cannot_be_continued_is_refused() -> None:
    net = decoder(LLAMA)
    assert generate(net, [1] * 50, 3), "of a long text the last tokens count"
    for wrong in (
        {"tokens": []},
        {"tokens": [20]},
        {"tokens": [-1]},
        {"n": -1},
        {"n": generating.MOST_NEW + 1},
    ):
        with pytest.raises(InvalidInput):
            generate(net, **({"tokens": [1], "n": 2} | wrong))  # type: ignore[arg-type]
    for wrong in ({"temperature": -1.0}, {"temperature": float("nan")}, {"top_k": 21}, {"top_k": -1}):
        with pytest.raises(InvalidInput):
            generate(net, [1], 2, **wrong)  # type: ignore[arg-type]
    for other in (nn.Sequential(nn.Linear(2, 2)), net[:2], net[1:]):
        with pytest.raises(InvalidInput, match="decoder"):
            generate(other, [1], 2)
