"""Processes that torchrun started: who they are, how they find each other, and how one of them says why it ended.

torchrun sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Tensors of the processor are exchanged by gloo, those of a GPU
by NCCL; each process takes the GPU of its place on its machine (LOCAL_RANK). No torch at import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.device import chosen_device
from core.errors import CoreError, InvalidInput, plain
from core.runtime import heavy_imports

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributed import Store

    from core.training.together import Together

_NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_SAID = "paretoscope/ended"
_TOGETHER = timedelta(minutes=5)
"""How long the first of them waits for the last."""
_PATIENCE = timedelta(hours=1)
"""How long an exchange waits: the first process measures between epochs while the others wait for it."""


def started() -> bool:
    """Whether torchrun started this process as one of several."""
    return all(os.environ.get(name) for name in _NAMES) and os.environ["WORLD_SIZE"] != "1"


def follows() -> bool:
    """Whether it is not the first of them, which alone reads the command line, measures, writes and speaks."""
    return started() and os.environ["RANK"] != "0"


@contextmanager
def joined() -> Iterator[Together]:
    """The processes that torchrun started, once all are there; within it they train together.

    A failure within it is told to the others, and theirs becomes the failure here.

    Raises:
        InvalidInput: what torchrun set is no number, or there are fewer GPUs than processes on this machine.
        CoreError: another process ended.
    """
    heavy_imports()
    import torch
    import torch.distributed as dist

    _own_gpu()
    if not all(os.environ[name].isdigit() for name in ("RANK", "WORLD_SIZE")):
        raise InvalidInput(
            "RANK and WORLD_SIZE are not those of torchrun; unset them to train in one process."
        )
    store, rank, size = next(iter(dist.rendezvous("env://", timeout=_TOGETHER)))
    gpu = torch.cuda.is_available() and dist.is_nccl_available()
    backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
    try:
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
        us = _processes(store, rank, size)
        with us.here():
            yield us
    except CoreError as error:
        _say(store, rank, str(error))
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if not (isinstance(error, SystemExit) and not error.code):
            _say(store, rank, "It failed unexpectedly, and its own messages say how.")
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _own_gpu() -> None:
    """Each process of a machine takes a GPU of its own, where trainings run on one."""
    if chosen_device().torch_device.type != "cuda":
        return
    import torch

    place, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if place >= there:
        raise InvalidInput(
            f"This machine has {there} GPUs and more processes; start torchrun with --nproc-per-node {there}, or set "
            "PARETOSCOPE_DEVICE=cpu."
        )
    torch.cuda.set_device(place)


def _say(store: Store, rank: int, sentence: str) -> None:
    """Leave the first reason of all to end, for those who are left."""
    with suppress(Exception):  # whoever keeps it may have ended first; then there is nobody to tell
        store.compare_set(_SAID, "", f"{rank} {sentence}")


def _processes(store: Store, rank: int, size: int) -> Together:
    import torch
    import torch.distributed as dist

    from core.training.together import Together

    class Processes(Together):
        """Processes of torchrun."""

        def __init__(self) -> None:
            self.rank, self.size = rank, size

        def gathered(self, mine: Tensor) -> Tensor:
            found = [torch.empty_like(mine) for _ in range(size)]
            self._exchange(lambda: dist.all_gather(found, mine.detach().contiguous()))
            return torch.stack(found)

        def add_up(self, mine: Tensor) -> None:
            self._exchange(lambda: dist.all_reduce(mine))

        def told(self, data: bytes | None) -> bytes | None:
            n = torch.tensor([-1 if data is None else len(data)])
            self._exchange(lambda: dist.broadcast(n, 0))
            if n < 0:
                return None
            content = torch.empty(int(n), dtype=torch.uint8)
            if self.first and data:
                content = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            self._exchange(lambda: dist.broadcast(content, 0))
            return bytes(content.numpy())

        def _exchange(self, exchange: Callable[[], Any]) -> None:
            try:
                exchange()
            except RuntimeError as error:
                raise CoreError(_why(store, rank)) from error

    return Processes()


def _why(store: Store, rank: int) -> str:
    """The sentence for the end of another process."""
    kept = "What was saved is kept: resume the run to go on."
    try:
        who, _, sentence = (store.get(_SAID).decode() if store.check([_SAID]) else "").partition(" ")
    except Exception:
        sentence = ""
    if not sentence or who == str(rank):
        return f"Another process of this training has ended. {kept}"
    return f"Process {int(who) + 1} of this training has ended: {plain(sentence)}. {kept}"
