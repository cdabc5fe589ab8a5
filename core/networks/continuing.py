"""A decoder reads tokens step by step and goes on: torch alone, pasted as it stands into the generate.py of a download.

A network here is a chain of an embedding (`embedded`, `context`, `shares`), blocks (`extended`) and a head (`logits`);
`core.networks.generating` is the door for everybody else, which judges what it is given first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class Cache:
    """What a decoder keeps of the tokens that it has read.

    Attributes:
        past: of each block, keys and values (n, key heads, tokens, head size).
        tokens: how many it has read.
    """

    past: list[tuple[Tensor, Tensor]]
    tokens: int

    @property
    def nbytes(self) -> int:
        return sum(keys.nbytes + values.nbytes for keys, values in self.past)


def read_on(net: Any, tokens: Tensor, cache: Cache | None = None) -> tuple[Tensor, Cache]:
    """Logits of the token that follows, and the cache with the tokens that were read.

    Args:
        net: the chain.
        tokens: (n, t) the next ones.
        cache: of those before; None at the start. It is not changed.

    Returns:
        (n, vocabulary) logits, and the cache.
    """
    first, *blocks, last = net
    before = 0 if cache is None else cache.tokens
    x, past = first.embedded(tokens, before), []
    for index, block in enumerate(blocks):
        x, kept = block.extended(x, None if cache is None else cache.past[index])
        past.append(kept)
    logits = last.logits(x[:, -1:], first.token.weight if first.shares else None)
    return logits[:, 0], Cache(past, before + tokens.shape[1])


def continued(
    net: Any,
    tokens: Sequence[int],
    n: int,
    temperature: float,
    top_k: int,
    generator: torch.Generator,
    *,
    cached: bool = True,
) -> Iterator[int]:
    """n tokens that follow others, one by one; see `core.networks.generating.generate`."""
    context, device = net[0].context, net[0].token.weight.device
    window = list(tokens)[-context:]
    cache: Cache | None = None
    new = window
    for _ in range(n):
        if len(window) > context:
            # Learned positions end here, and rotated ones were not trained beyond.
            window = window[-max(1, context // 2) :]
            cache, new = None, window
        with torch.no_grad():
            if not cached:
                cache, new = None, window
            logits, cache = read_on(net, torch.tensor([new], device=device), cache)
        token = drawn(logits[0].float().cpu(), temperature, top_k, generator)
        window, new = [*window, token], [token]
        yield token


def drawn(logits: Tensor, temperature: float, top_k: int, generator: torch.Generator) -> int:
    """A token by its (vocabulary) logits; one random number is taken whatever they are."""
    chance = torch.rand((), generator=generator, dtype=torch.float64)
    if temperature == 0:
        return int(logits.argmax())
    order = logits.sort(descending=True, stable=True).indices[: top_k or None]
    shares = (logits[order].double() / temperature).softmax(0).cumsum(0)
    at = int(torch.searchsorted(shares, chance * shares[-1], right=True))
    return int(order[min(at, len(order) - 1)])
