"""Named random streams: every use of chance has a name, and no use disturbs another.

A stream is a function of (seed, names) alone, so a resumed run draws at epoch 7 exactly what an
uninterrupted one draws there, without storing any generator's state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import numpy as np

_ONE_AT_A_TIME = RLock()
"""Torch's own generator is the whole process's."""


def _digest(seed: int, names: tuple[str | int, ...]) -> bytes:
    text = "\x1f".join([str(int(seed)), *(f"{type(name).__name__}:{name}" for name in names)])
    return hashlib.sha256(text.encode()).digest()


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A generator that depends only on the seed and the names.

    Example:
        >>> int(stream(0, "epoch", 3).integers(1000)) == int(stream(0, "epoch", 3).integers(1000))
        True
    """
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(seed, names)[:16], "little")))


def torch_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for `torch.Generator().manual_seed`, from the same naming scheme."""
    return int.from_bytes(_digest(seed, names)[16:24], "little") >> 1


@contextmanager
def torch_drawing(seed: int, *names: str | int) -> Iterator[None]:
    """Within it what draws from torch's own generator, as new layers do, draws from a named stream; then that is as it was.

    Several threads take turns. Loads torch.
    """
    import torch

    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, *names))
        yield
