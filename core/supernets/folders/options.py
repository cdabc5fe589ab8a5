"""What a person sets when a folder becomes a supernet, and the option lists that follow from it. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, field_validator

from core.config import BaseConfig

Shares = tuple[float, ...]
_MOST_OPTIONS = 8


class FolderOptions(BaseConfig):
    """What of a transformer becomes elastic, and for which data."""

    heads: Shares = Field(
        (0.25, 0.5, 0.75, 1.0),
        title="Attention heads, shares kept",
        description="Shares of its attention heads that a layer can keep.",
    )
    ffn: Shares = Field(
        (0.25, 0.5, 0.75, 1.0),
        title="Hidden units, shares kept",
        description="Shares of its hidden units that a layer's FFN can keep.",
    )
    width: Shares = Field(
        (1.0,),
        title="Embedding width, shares kept",
        description="Shares of the embedding width, common to all layers; 1 alone keeps it fixed.",
    )
    skip: bool = Field(
        True,
        title="Layers can be left out",
        description="Whether layers can be left out: any layer of a decoder, the last ones of an encoder.",
    )
    context: int = Field(
        0,
        ge=0,
        le=4096,
        title="Tokens of a text",
        description="Tokens of a text at once; 0 takes what the folder says, at most 128.",
    )
    classes: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Classes of a new classifier, drawn afresh; 0 keeps the folder's own, and proposes 2 where it has none.",
    )

    @field_validator("heads", "ffn", "width")
    @classmethod
    def _shares(cls, shares: Shares) -> Shares:
        if not 1 <= len(shares) <= _MOST_OPTIONS or list(shares) != sorted(set(shares)):
            raise ValueError(f"give 1 to {_MOST_OPTIONS} shares in ascending order")
        if not shares[0] > 0 or shares[-1] != 1:
            raise ValueError("shares are above 0 and ascend to 1, which is the network itself")
        return shares


def options_of(total: int, shares: Sequence[float], multiple: int = 1) -> tuple[int, ...]:
    """Ascending whole numbers up to `total` that come nearest to shares of it, each a multiple of a number.

    `total` itself is the last whatever it is a multiple of; what rounds to nothing becomes one multiple.
    """
    found = {min(total, max(1, round(share * total / multiple)) * multiple) for share in shares if share < 1}
    return (*sorted(found - {total}), total)


def context_of(options: FolderOptions, most: int) -> int:
    """Tokens of a text: what a person said, or what the folder allows up to 128."""
    return min(options.context or 128, most)
