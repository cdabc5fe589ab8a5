"""How a map of positions becomes numbers per unit: the names alone, free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Pooling = Literal["pooled", "flattened", "positions"]
POOLINGS: tuple[str, ...] = get_args(Pooling)

MEANINGS: Mapping[str, str] = {
    "pooled": "Each unit's mean over all positions of its map: one number per unit and sample.",
    "flattened": "Every position of every unit counts as a unit of its own.",
    "positions": "Every position counts as a sample of its own; maps must have equal size to be compared.",
}
"""Pooling -> one sentence for a person."""
