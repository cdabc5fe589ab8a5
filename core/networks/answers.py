"""What a network answers: the one way to ask for it, whoever asks.

Always in batches of one size, because the last bits of a result can depend on how many inputs go through
together; a download's predict.py does the same, so that a card says what the download prints. A network is
asked in eval mode and without gradients and comes back as it was; one that is in eval mode already, as all
shared ones are, is not touched.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from core.datasets.base import Dataset
from core.device import beside
from core.networks.chain import one_batch
from core.networks.trees import as_tensors, joined, map_leaves, n_rows, rows_of
from core.tasks.base import task_of

BATCH = 256
# One network is switched, hooked and put back by one visitor at a time; different ones do not wait.
_locks: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_guard = threading.Lock()


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode within, for one thread at a time; whatever was in training mode before is so again after."""
    with _guard:
        lock = _locks.setdefault(net, threading.RLock())
    with lock:
        training = [module for module in net.modules() if module.training]
        try:
            if training:
                net.eval()
            yield
        finally:
            for module in training:
                module.training = True


def batches(net: nn.Module, inputs: Any, size: int = BATCH) -> Iterator[Any]:
    """Inputs as tensors, a batch at a time; all at once where their rows belong together (a graph).

    Args:
        net: says whether they do.
        inputs: an array or tensor, or a tree of them (see `core.networks.trees`), one row per sample.
        size: rows of a batch.
    """
    if one_batch(net):
        yield as_tensors(inputs)
        return
    for start in range(0, n_rows(inputs), size):
        yield as_tensors(rows_of(inputs, slice(start, start + size)))


@torch.no_grad()
def outputs(net: nn.Module, inputs: Any) -> Any:
    """What a network answers, on the processor: (n, classes) for n samples, or a tree of such tensors.

    It is asked where it has its weights.

    Args:
        net: any network.
        inputs: see `batches`; at least one row.
    """
    with evaluating(net):
        answered = [net(beside(net, batch)) for batch in batches(net, inputs)]
        return map_leaves(lambda leaf: leaf.cpu(), joined(answered))


def logits(net: nn.Module, inputs: Any) -> NDArray[np.float32]:
    """The same as an array (n, classes), float32."""
    answered: NDArray[np.float32] = outputs(net, inputs).float().numpy()
    return answered


def predictions(net: nn.Module, inputs: Any) -> NDArray[np.int64]:
    """(n,) classes that get the largest logit, (n, p) of a network that answers at several positions; empty for no rows."""
    if not n_rows(inputs):
        return np.zeros(0, np.int64)
    predicted: NDArray[np.int64] = outputs(net, inputs).argmax(-1).numpy()
    return predicted


def count_correct(net: nn.Module, inputs: Any, targets: ArrayLike | Tensor) -> int:
    """How many samples, or positions of samples, get their target's class.

    Args:
        net: any network.
        inputs: see `outputs`.
        targets: (k,) or (k, p) classes; of the first k rows, where there are more (the other nodes of a graph).
    """
    wanted = np.asarray(targets)
    return int((predictions(net, inputs)[: len(wanted)] == wanted).sum())


def correct_on(net: nn.Module, dataset: Dataset, split: str, most: int | None = None) -> tuple[int, int]:
    """(how many, of how many) samples of a split, or positions of samples, the first `most` of them, get their target's class.

    Raises:
        InvalidInput: there is no such split.
    """
    part = dataset.split(split)
    batch = task_of(dataset).batch(dataset, part if most is None else part.first(most))
    return count_correct(net, batch.inputs, batch.targets), batch.targets.numel()


def accuracy(net: nn.Module, dataset: Dataset, split: str, most: int | None = None) -> float:
    """`correct_on` as a share."""
    correct, n = correct_on(net, dataset, split, most)
    return correct / n
