"""What `torchrun -m core train` does: the first process is the command, the others work for it and say nothing.

torchrun --standalone --nproc-per-node 2 -m core train digits-cnn --out my.safetensors
torchrun --standalone --nproc-per-node 2 -m core resume RUN
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from core.config import JsonObject
from core.errors import CoreError, InvalidInput
from core.jobs.kinds import load_workflow
from core.library.library import Library
from core.store import MemoryLedger
from core.training import torchrun

if TYPE_CHECKING:
    from core.store import RunStore
    from core.training.together import Together

KIND = "train_supernet"
"""The one workflow that several processes share."""
_COMMANDS = ("train", "resume")
_ALONE = ("--compare", "--dry-run", "--help")


def followed(arguments: Sequence[str], open_store: Callable[[], RunStore]) -> bool:
    """Take part in a training if this is one of several processes and not the first; otherwise do nothing.

    Args:
        arguments: of the command line.
        open_store: opens what this machine has: supernets to start from, data of a person's own.

    Raises:
        InvalidInput: this is the first of several, and they cannot share what is asked for.
        SystemExit: the training ended early.
    """
    if torchrun.follows():
        follow(open_store)
        return True
    if torchrun.started():
        require_shareable(arguments)
    return False


def require_shareable(arguments: Sequence[str]) -> None:
    """A command line that several processes can share.

    Raises:
        InvalidInput: it is another one; run by each of them it would be done several times.
    """
    named = next((flag for flag in _ALONE if any(a.partition("=")[0] == flag for a in arguments)), None)
    if not arguments or arguments[0] not in _COMMANDS or named:
        raise InvalidInput(
            f"torchrun shares one training: `train` and `resume`{f' without {named}' if named else ''}. Start this command "
            "without torchrun."
        )


@contextmanager
def first_of_all(kind: str, params: JsonObject) -> Iterator[None]:
    """The first process's part of a training: the others are told what it is. Nothing where there are no others.

    Raises:
        InvalidInput: several processes cannot share this workflow.
        CoreError: another process ended.
    """
    if not torchrun.started():
        yield
        return
    if kind != KIND:
        raise InvalidInput(f"Several processes share trainings of supernets, not {kind.replace('_', ' ')}.")
    with torchrun.joined() as us, _ends_once():
        us.told(json.dumps(params).encode())
        yield


def follow(open_store: Callable[[], RunStore]) -> None:
    """What all but the first process do: take part in its training, write nothing, and end with it.

    Raises:
        SystemExit: with 1 where the training ended early; the first process says why.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # that the first one has gone is no news from here
    try:
        with torchrun.joined() as us:
            _take_part(us, open_store)
    except CoreError:  # told to the first process, which says it
        sys.exit(1)


def _take_part(us: Together, open_store: Callable[[], RunStore]) -> None:
    said = us.told(None)
    params = json.loads(said or b"{}")
    try:
        library = Library(open_store())
    except CoreError:  # a machine may have no store of its own
        library = Library()
    workflow = load_workflow(KIND)
    for _ in workflow.run(workflow.Request.model_validate(params), Silent(params=params), library):
        pass


class Silent(MemoryLedger):
    """A ledger that keeps nothing: what a run leaves, its first process writes."""

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        """Kept by the first process."""


@contextmanager
def _ends_once() -> Iterator[None]:
    """The first signal to end stops the training as Ctrl-C does; more of them do not disturb what is written then.

    torchrun ends all of its processes when one of them fails, a moment after the first process has noticed it.
    """
    ending = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        if not ending:
            ending = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except BaseException:
        ending = True
        raise
    finally:
        if not ending:
            for number, handler in before.items():
                signal.signal(number, handler)
