"""Text that subnets of a language model write: a quick question that a page may ask in its own process, within bounds.

Several subnets continue the same prompt in turns, a token each, so that a page can show them side by side while they
come. Every subnet draws with the same seed: it takes one random number per token, whatever it answers. Each token's time
is taken by itself; the prompt, which is read at once, is timed apart.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import Field

from core.cache import kept
from core.config import BaseConfig
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.runtime import heavy_imports
from core.spaces import Arch

if TYPE_CHECKING:
    from torch import nn

TASK = "language"
MOST_PARAMS = 60_000_000
"""Of the supernet: a larger one writes outside the server, from its download."""
MOST_SECONDS = 20.0
"""That one request may take of the server; then it ends where it is."""
_WARM = 2
"""Tokens after the prompt that are not timed: the first ones pay for what is allocated."""


class Ask(BaseConfig):
    """What is to be written."""

    prompt: str = Field(
        "Permission is hereby granted", min_length=1, max_length=4_000, description="Text that is continued."
    )
    tokens: int = Field(64, ge=1, le=400, description="Tokens to write.")
    temperature: float = Field(
        0.8,
        ge=0,
        le=2,
        description="0 takes the likeliest token each time; at 1 tokens are drawn as often as the network says, above it more evenly.",
    )
    top_k: int = Field(
        0, ge=0, le=1_000, description="Draw among so many of the likeliest tokens alone; 0 for among all."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of the draws, the same for all subnets.")


@dataclass
class Written:
    """What one subnet has written so far.

    Attributes:
        prompt: as its tokenizer reads it.
        text: that follows.
        tokens: how many these are.
        prefill_ms: time of the first token, for which the prompt is read.
        step_ms: time of each token after it.
        params: of the subnet.
    """

    prompt: str
    text: str = ""
    tokens: int = 0
    prefill_ms: float = 0.0
    step_ms: list[float] = field(default_factory=list)
    params: int = 0

    @property
    def token_ms(self) -> float | None:
        """Median time of a token with the KV cache in use; None before there are enough of them."""
        timed = self.step_ms[_WARM:]
        return statistics.median(timed) if timed else None


def require_quick(entry: SupernetEntry) -> None:
    """Subnets of this supernet may write in a server's own process.

    Raises:
        InvalidInput: it is no language model, or too large.
    """
    if entry.task != TASK:
        raise InvalidInput("Only a language model continues a text; this supernet is none.")
    params = sum(stage.counted.get("params", 0) for stage in supernets.stage_rows(entry, entry.reference))
    if params > MOST_PARAMS:
        raise InvalidInput(
            f"With {params:,} parameters this network is too large to write inside the server: download it, and let it write with "
            "its generate.py."
        )


def write(entry: SupernetEntry, archs: Sequence[Arch], ask: Ask) -> Iterator[list[Written]]:
    """Let subnets continue a prompt, in turns; yields the same records again after each turn, and loads torch.

    Whoever stops asking has what is there by then. After `MOST_SECONDS` it ends by itself.

    Args:
        entry: of which supernet.
        archs: the subnets.
        ask: prompt and settings.

    Raises:
        InvalidInput: see `require_quick`; or the prompt holds nothing that its tokenizer knows.
    """
    require_quick(entry)
    heavy_imports()
    from core.networks.generating import generated

    tokenizer = _tokenizer(entry)
    start = tokenizer.encode(ask.prompt)
    if not start:
        raise InvalidInput("The tokenizer finds nothing in this prompt; write a few words.")
    nets = [_network(entry, tuple(arch)) for arch in archs]
    found = [
        Written(tokenizer.decode(start), params=sum(p.numel() for p in net.parameters())) for net in nets
    ]
    for net in nets:
        list(generated(net, start, 1))  # what only the first pass costs is not timed
    drawing = [generated(net, start, ask.tokens, ask.temperature, ask.top_k, ask.seed) for net in nets]
    taken: list[list[int]] = [[] for _ in nets]
    deadline = time.monotonic() + MOST_SECONDS
    for _ in range(ask.tokens):
        for each, tokens, written in zip(drawing, taken, found, strict=True):
            before = time.perf_counter()
            tokens.append(next(each))
            spent = 1e3 * (time.perf_counter() - before)
            if written.tokens:
                written.step_ms.append(spent)
            else:
                written.prefill_ms = spent
            written.tokens += 1
            written.text = tokenizer.decode(tokens)
        yield found
        if time.monotonic() > deadline:
            return


@kept(4, key=lambda entry, arch: (entry.sha256, arch))
def _network(entry: SupernetEntry, arch: Arch) -> nn.Sequential:
    return supernets.load(entry).extract(arch, None).eval()


@kept(8, key=lambda entry: entry.sha256)
def _tokenizer(entry: SupernetEntry) -> Tokenizing:
    """What splits its texts; raises where it came without."""
    data = supernets.load(entry).tokenizer
    if not data:
        raise InvalidInput("This supernet came without a tokenizer, so no text can be written with it.")
    return Tokenizing.read(data)
