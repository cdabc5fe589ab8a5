"""Threads that train one supernet together: what processes of torchrun do, within one process and a fraction of a second."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from core.datasets.base import Dataset, Split
from core.errors import CoreError
from core.supernets.base import Supernet
from core.training.together import Together


class Threads(Together):
    """One of several threads; `slots` and `barrier` are those of all.

    Attributes:
        exchanges: how often it has exchanged something.
    """

    def __init__(self, rank: int, slots: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.size = rank, len(slots)
        self._slots, self._barrier = slots, barrier
        self.exchanges = 0

    def gathered(self, mine: Tensor) -> Tensor:
        return torch.stack(self._all(mine.detach().clone()))

    def add_up(self, mine: Tensor) -> None:
        total = torch.stack(self._all(mine.detach().clone())).sum(0)
        mine.copy_(total)

    def told(self, data: bytes | None) -> bytes | None:
        found: bytes | None = self._all(data)[0]
        return found

    def _all(self, mine: Any) -> list[Any]:
        self.exchanges += 1
        try:
            self._slots[self.rank] = mine
            self._barrier.wait(300)
            found = list(self._slots)
            self._barrier.wait(300)
        except threading.BrokenBarrierError as error:
            raise CoreError("Another thread has ended.") from error
        return found


def in_threads(size: int, work: Callable[[Threads], Any], kind: type[Threads] = Threads) -> list[Any]:
    """What `work` returns in each of several threads; the first one's failure is raised."""
    slots: list[Any] = [None] * size
    barrier = threading.Barrier(size)
    found: list[Any] = [None] * size
    failed: list[BaseException | None] = [None] * size

    def one(rank: int) -> None:
        ours = kind(rank, slots, barrier)
        try:
            with ours.here():
                found[rank] = work(ours)
        except BaseException as error:
            failed[rank] = error
            barrier.abort()

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    # Who broke off says more than those who were left.
    for error in sorted((e for e in failed if e), key=lambda e: str(e) == "Another thread has ended."):
        raise error
    return found


def double(dataset: Dataset) -> Dataset:
    """The data as float64, in which what differs by rounding is far from what differs."""

    def of(split: Split) -> Split:
        return dataclasses.replace(split, x=split.x.astype("float64"))

    splits = ("train", "calibration", "validation", "test")
    return dataclasses.replace(dataset, **{name: of(getattr(dataset, name)) for name in splits})


def apart(a: Supernet | dict[str, Tensor], b: Supernet | dict[str, Tensor]) -> float:
    """Largest difference of two supernets' weights (or of their states), by the largest of each tensor."""
    mine, others = (each if isinstance(each, dict) else each.state_dict() for each in (a, b))
    return max(
        float((tensor - others[name]).abs().max() / tensor.abs().max().clamp_min(1e-300))
        for name, tensor in mine.items()
        if tensor.is_floating_point()
    )
