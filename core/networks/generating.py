"""Text from a decoder, token by token: an extracted network continues what it is given.

Keys and values of past tokens are kept, so each new token takes one pass over itself alone; the same tokens come out
as without the cache. A network knows no more positions than its context: where a text reaches it, the network goes
on with the last half of the context, which it reads anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.blocks.decoder_block import DecoderBlock
from core.networks.blocks.decoder_embedding import DecoderEmbedding
from core.networks.blocks.decoder_head import DecoderHead
from core.networks.continuing import Cache, continued, drawn, read_on
from core.seeding import torch_seed

__all__ = ["MOST_NEW", "Cache", "Decoder", "drawn", "generate", "generated"]

MOST_NEW = 4096


class Decoder:
    """A decoder network, ready to read tokens step by step.

    Args:
        net: a chain of an embedding, blocks and a head, such as `Supernet.extract` makes; used, not copied.

    Raises:
        InvalidInput: it is no decoder.
    """

    def __init__(self, net: nn.Sequential) -> None:
        first, *blocks, last = list(net) if len(net) > 1 else [None, None]
        if (
            not isinstance(first, DecoderEmbedding)
            or not isinstance(last, DecoderHead)
            or not all(isinstance(block, DecoderBlock) for block in blocks)
        ):
            raise InvalidInput("Only a decoder continues a text; this network is none.")
        self.net, self.embedding, self.head = net, first, last
        self.blocks: list[DecoderBlock] = blocks  # type: ignore[assignment]
        self.context, self.vocabulary = first.context, first.token.num_embeddings

    def read(self, tokens: Tensor, cache: Cache | None = None) -> tuple[Tensor, Cache]:
        """Logits of the token that follows, and the cache with the tokens that were read.

        Args:
            tokens: (n, t) the next ones.
            cache: of those before; None at the start. It is not changed.

        Returns:
            (n, vocabulary) logits, and the cache.
        """
        return read_on(self.net, tokens, cache)

    def logits(self, x: Tensor) -> Tensor:
        """(n, p, vocabulary) logits of the last block's vectors (n, p, width)."""
        return self.head.logits(x, self.embedding.token.weight if self.embedding.shares else None)


def generate(
    net: nn.Sequential,
    tokens: Sequence[int],
    n: int,
    temperature: float = 1.0,
    top_k: int = 0,
    seed: int = 0,
    *,
    cached: bool = True,
) -> list[int]:
    """The tokens with which a decoder continues some others.

    Args:
        net: see `Decoder`.
        tokens: at least one; of more than the context the last count.
        n: how many new ones.
        temperature: 0 takes the likeliest each time; else logits are divided by it.
        top_k: draw among so many of the likeliest alone; 0 for among all.
        seed: of the draws.
        cached: with keys and values kept; without, every token reads all before it anew, for comparison.

    Returns:
        n tokens.

    Raises:
        InvalidInput: the network is no decoder, there is no token to start from, one is unknown to it, or a setting is
            out of bounds.
    """
    return list(generated(net, tokens, n, temperature, top_k, seed, cached=cached))


def generated(
    net: nn.Sequential,
    tokens: Sequence[int],
    n: int,
    temperature: float = 1.0,
    top_k: int = 0,
    seed: int = 0,
    *,
    cached: bool = True,
) -> Iterator[int]:
    """The same one by one, as they are drawn; for a page that shows them while they come."""
    decoder = Decoder(net)
    _require_sound(decoder, tokens, n, temperature, top_k)
    generator = torch.Generator().manual_seed(torch_seed(seed, "generate"))
    yield from continued(net, tokens, n, temperature, top_k, generator, cached=cached)


def _require_sound(decoder: Decoder, tokens: Sequence[int], n: int, temperature: float, top_k: int) -> None:
    if not len(tokens):
        raise InvalidInput("Give the decoder at least one token to continue.")
    if not all(0 <= token < decoder.vocabulary for token in tokens):
        raise InvalidInput(
            f"This decoder knows the tokens 0 to {decoder.vocabulary - 1:,}; choose its own tokenizer."
        )
    if not 0 <= n <= MOST_NEW:
        raise InvalidInput(f"Ask for 0 to {MOST_NEW:,} new tokens.")
    if not 0 <= temperature <= 100:
        raise InvalidInput("The temperature is a number from 0 to 100.")
    if not 0 <= top_k <= decoder.vocabulary:
        raise InvalidInput(f"Draw among 1 to {decoder.vocabulary:,} of the likeliest tokens, or 0 for all.")
