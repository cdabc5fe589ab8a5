"""Several processes that train one supernet: each takes its share of every batch, and all take the same steps.

The rules that make them equal to one process with the whole batch, up to rounding:

- Every process makes the whole batch, augmented and mixed by the same chance, and takes its rows of it; what is
  dropped of a sample is drawn for the whole batch, too.
- A mean over a share counts as much as the share has samples, so that the losses of all add up to that of the whole.
- BatchNorm has the statistics of the whole batch, and gradients go through them (core.training.whole_batch).
- Gradients are added up by hand, once per step and after all its draws: a sum after each draw would add up the first
  ones again. Losses and the wish to stop travel with them, so that all end in the same step.

The first process alone measures and writes. Whoever fails says why in a place that all can read, and ends; the others'
next exchange then fails with that sentence. Processes are torchrun's (core.training.torchrun); anything else that can
gather tensors will do, such as threads.

Source: Goyal et al., Accurate, Large Minibatch SGD, 2017 (gradients of one step added up over processes); Peng et al.,
MegDet, CVPR 2018 (BatchNorm over all of them).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import CoreError, InvalidInput
from core.networks.trees import n_rows
from core.supernets.base import Supernet
from core.supernets.statistics import BY_THE_BATCH
from core.tasks.base import Batch
from core.training.losses.base import Loss
from core.training.strategies.base import Strategy
from core.training.whole_batch import normalized

_OURS: ContextVar[Together | None] = ContextVar("processes that train one supernet", default=None)


def ours() -> Together | None:
    """The processes that train together with this one; None where it is alone."""
    return _OURS.get()


@dataclass(frozen=True)
class Share:
    """What one process takes of a batch.

    Attributes:
        batch: its rows.
        start: the first of them in the whole batch.
        of: rows of the whole batch.
    """

    batch: Batch
    start: int
    of: int

    @property
    def weight(self) -> float:
        """What a mean over the share counts."""
        return len(self.batch) / self.of


class Together(ABC):
    """Processes that train one supernet, as one of them sees them.

    What a subclass defines blocks until all have asked the same, and gives every process the same bits.

    Attributes:
        rank: number of this process, from 0; the first one measures and writes.
        size: how many there are.
        wishes: whether this process wants the training to end with its last whole epoch.
        ends: whether one of them did when the last step was taken; the same for all.
    """

    rank: int
    size: int
    wishes: bool = False
    ends: bool = False

    @abstractmethod
    def gathered(self, mine: Tensor) -> Tensor:
        """(size, ...) the tensors of all, of one shape and type.

        Raises:
            CoreError: a process has ended.
        """

    @abstractmethod
    def add_up(self, mine: Tensor) -> None:
        """Replace a tensor by the sum of those of all.

        Raises:
            CoreError: a process has ended.
        """

    @abstractmethod
    def told(self, data: bytes | None) -> bytes | None:
        """What the first process says; what others say is not heard.

        Raises:
            CoreError: a process has ended.
        """

    @property
    def first(self) -> bool:
        """Whether this process measures and writes."""
        return self.rank == 0

    @contextmanager
    def here(self) -> Iterator[None]:
        """Within it `ours` is this."""
        token = _OURS.set(self)
        try:
            yield
        finally:
            _OURS.reset(token)

    @contextmanager
    def step(self) -> Iterator[SharedStep]:
        """A step that all take together; within it BatchNorm in training has the statistics of all shares."""
        token = BY_THE_BATCH.set(
            lambda x, weight, bias, epsilon: normalized(x, weight, bias, epsilon, self.gathered, self.add_up)
        )
        try:
            yield SharedStep(self)
        finally:
            BY_THE_BATCH.reset(token)

    def share(self, batch: Batch) -> Share:
        """This process's rows of a batch: as many as the others', or one more or fewer.

        Raises:
            InvalidInput: samples only go through a network together, or there are fewer of them than processes.
        """
        n = len(batch)
        if n < self.size or n_rows(batch.inputs) != n:
            raise InvalidInput(
                f"{n} samples that go through a network together cannot be shared by {self.size} processes; choose larger "
                "batches or fewer processes."
            )
        start, stop = n * self.rank // self.size, n * (self.rank + 1) // self.size
        return Share(batch.rows(slice(start, stop)), start, n)

    def agree(self, wish: bool) -> bool:
        """Whether one of them wants to; the same for all."""
        return bool(self.gathered(torch.tensor([float(wish)])).any())

    def require_same(self, net: nn.Module) -> None:
        """All have the same weights, bit for bit.

        Raises:
            CoreError: they do not.
        """
        seen = hashlib.sha256()
        for parameter in net.parameters():
            seen.update(parameter.detach().cpu().contiguous().numpy().tobytes())
        mine = torch.frombuffer(bytearray(seen.digest()), dtype=torch.uint8)
        if not bool((self.gathered(mine) == mine).all()):
            raise CoreError(
                "The processes no longer have the same weights: machines of several kinds compute differently. "
                "Start them on machines of one kind, or train in one process."
            )


class SharedStep:
    """One step of this process: the shares it takes of batches, and what it learned from them.

    Args:
        together: all who take it.
    """

    def __init__(self, together: Together) -> None:
        self._together = together
        self._shares: list[Share] = []
        self._losses: list[Tensor] = []

    def mine(self, batch: Batch) -> Batch:
        """This process's rows of a batch."""
        self._shares.append(self._together.share(batch))
        return self._shares[-1].batch

    def place(self, mine: Batch) -> tuple[int, int]:
        """The first row of what `mine` returned in the whole batch, and how many rows that has."""
        share = self._of(mine)
        return share.start, share.of

    def learn(self, loss: Tensor, passes: float, mine: Batch) -> None:
        """Add the gradients of a draw's mean loss over a share, with its weights.

        Args:
            loss: a scalar; one that is no number is noticed once all have finished.
            passes: what the draw counts in its step.
            mine: the share.
        """
        weighed = loss * self._of(mine).weight
        (weighed * passes).backward()
        self._losses.append(weighed.detach())

    def finish(self, parameters: Iterable[nn.Parameter]) -> list[float]:
        """Add up what all have learned, their losses and their wishes, in one exchange after the last draw.

        Args:
            parameters: those with a gradient, the same in every process, get the sum of all.

        Returns:
            The loss of each draw in the whole batch.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        losses = torch.stack(self._losses)
        wish = torch.full_like(losses[:1], float(self._together.wishes))
        flat = torch.cat([*(g.flatten() for g in gradients), losses, wish])
        self._together.add_up(flat)
        *sums, values, wished = flat.split([*(g.numel() for g in gradients), len(losses), 1])
        for gradient, total in zip(gradients, sums, strict=True):
            gradient.copy_(total.view_as(gradient))
        self._together.ends = bool(wished > 0)
        found: list[float] = values.tolist()
        return found

    def _of(self, mine: Batch) -> Share:
        return next(share for share in self._shares if share.batch is mine)


def require_shareable_loss(loss: Loss) -> None:
    """Means of this loss over shares of a batch add up to that of the batch.

    Raises:
        InvalidInput: they do not.
    """
    if not loss.shareable:
        raise InvalidInput(
            f"{loss.label} compares the samples of a whole batch and cannot be shared by several processes. Train in one "
            "process, or choose another loss."
        )


def require_shareable(strategy: Strategy, net: Supernet) -> None:
    """Several processes can share the steps of this training.

    Raises:
        InvalidInput: they cannot.
    """
    if net.task.whole:
        raise InvalidInput(
            f"{net.task.passes.capitalize()} goes through a network at once and cannot be shared by several processes. "
            "Train in one process."
        )
    if not strategy.shareable:
        raise InvalidInput(
            f"{strategy.label} looks at whole batches and cannot be shared by several processes. Train in one process, "
            "or choose another strategy."
        )
