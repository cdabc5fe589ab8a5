"""Memory of a language model in use: its weights at a precision, and the KV cache of a batch at a context.

Both are counted, not measured: a program that runs the model needs room for activations and for itself besides, and the
scales that weights of a few bits come with are left out. A table holds neither sum, only the two columns they follow
from, so a slider moves every subnet of a space in a millisecond.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.words import count_of, format_bytes

if TYPE_CHECKING:
    import pandas as pd

MEMORY, WEIGHTS, CACHE = "memory_bytes", "params", "kv_cache_bytes"
"""The objective, and the columns that it follows from: numbers among the weights, and bytes of the cache per token."""
COUNTED_AT = 4.0
"""Bytes of a number of the cache in that column: it is counted as float32."""
QUALITIES = ("perplexity", "bits_per_byte")
"""How well a language model predicts text, the usual one first."""


@dataclass(frozen=True)
class Precision:
    """How a number is kept.

    Attributes:
        label: what a person reads in a list.
        short: within a sentence.
        bytes: of one number, without scales.
    """

    label: str
    short: str
    bytes: float


PRECISIONS: Mapping[str, Precision] = {
    "float32": Precision("float32, 4 bytes each", "float32", 4.0),
    "bfloat16": Precision("bfloat16/float16, 2 bytes each", "16 bits", 2.0),
    "int8": Precision("int8, 1 byte each", "int8", 1.0),
    "int4": Precision("int4, 0.5 bytes each", "int4", 0.5),
}
CACHES = tuple(PRECISIONS)[:3]
"""What the cache may be kept as."""
CONTEXTS = tuple(2**power for power in range(6, 18))
BATCHES = tuple(2**power for power in range(9))


@dataclass(frozen=True)
class Setting:
    """What memory is counted at.

    Attributes:
        context: tokens of each text that the cache holds.
        batch: texts at once.
        precision: of the weights, a name of one of `PRECISIONS`.
        cache: of the cache, likewise.
    """

    context: int = 2048
    batch: int = 1
    precision: str = "bfloat16"
    cache: str = "bfloat16"

    @property
    def tokens(self) -> int:
        """In the cache, over the batch."""
        return self.context * self.batch

    @property
    def cache_share(self) -> float:
        """What one of the cache's numbers takes, as a share of what it was counted at."""
        return PRECISIONS[self.cache].bytes / COUNTED_AT

    @property
    def key(self) -> str:
        """For caches."""
        return f"{self.context}x{self.batch}@{self.precision},{self.cache}"

    def sentence(self) -> str:
        """What the axis holds, for below a chart."""
        texts = count_of(self.batch, "text")
        weights, cache = (PRECISIONS[name].short for name in (self.precision, self.cache))
        return f"weights in {weights}, KV cache of {texts} of {count_of(self.context, 'token')} in {cache}"


USUAL = Setting()


def has_memory(table: pd.DataFrame) -> bool:
    """Whether a table is of language models that keep a cache."""
    return {WEIGHTS, CACHE} <= set(table.columns) and bool((table[CACHE] > 0).any())


def memory_bytes(
    weights: NDArray[np.float64], cache: NDArray[np.float64], setting: Setting
) -> NDArray[np.float64]:
    """(n,) bytes of n subnets.

    Args:
        weights: (n,) numbers among the weights.
        cache: (n,) bytes of the cache per token, as float32.
        setting: precision, context and batch.
    """
    return weights * PRECISIONS[setting.precision].bytes + cache * setting.cache_share * setting.tokens


def with_memory(table: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """The table with memory at a setting as a column; the same one where it has no cache."""
    if not has_memory(table):
        return table
    weights, cache = (table[name].to_numpy(float) for name in (WEIGHTS, CACHE))
    return table.assign(**{MEMORY: memory_bytes(weights, cache, setting)})


def usual_memory_pair(names: Sequence[str]) -> tuple[str, str] | None:
    """(quality, memory) that the trade-off of a language model starts with; None for other networks."""
    quality = next((name for name in QUALITIES if name in names), None)
    return (quality, MEMORY) if quality and MEMORY in names else None


def parts(values: Mapping[str, float], setting: Setting) -> str:
    """What one subnet's memory is made of, in a sentence; "" where it has no cache."""
    if not {WEIGHTS, CACHE} <= set(values) or not values[CACHE] > 0:
        return ""
    weights = values[WEIGHTS] * PRECISIONS[setting.precision].bytes
    each = values[CACHE] * setting.cache_share
    return (
        f"Memory: {format_bytes(weights)} of weights and {format_bytes(each * setting.tokens)} of KV cache, {format_bytes(each)} "
        f"for each of {count_of(setting.tokens, 'token')}. Counted, not measured."
    )
