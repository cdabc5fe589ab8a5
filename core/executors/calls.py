"""What travels between whoever has work and where it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One piece of work.

    Attributes:
        key: unique among the calls of one `run`.
        function: "module:name", a function of ours that takes (payload, desk) and returns bytes.
        payload: what it is told.
        checkpoint: where an earlier attempt of it got, if it is to go on from there.
    """

    key: str
    function: str
    payload: bytes
    checkpoint: bytes | None = None


@dataclass(frozen=True)
class Done:
    """What a call came to: the node that did it, and how many seconds it computed there."""

    key: str
    value: bytes
    node: str
    seconds: float


@dataclass(frozen=True)
class Node:
    """A machine that computes, as the session that asks knows it.

    Attributes:
        name: unique among the nodes.
        cores, memory: cores and bytes that calls may use there.
        torch: version of torch; "" if it is not known yet.
        code: hash of our sources there.
        alive: whether it answers.
        running, done, seconds: calls of this session that run there now, that it has done, and how long those took.
        refused: a sentence if it computes nothing because it differs from the driver.
    """

    name: str
    cores: int
    memory: int
    torch: str
    code: str
    alive: bool = True
    running: int = 0
    done: int = 0
    seconds: float = 0.0
    refused: str = ""


class Desk:
    """What a call finds where it runs."""

    def __init__(
        self,
        shared: Mapping[str, bytes],
        checkpoint: bytes | None,
        keep: Callable[[bytes, float], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Made by executors.

        Args:
            shared: what was shared when the session was opened; each name gives the same object every time.
            checkpoint: where an earlier attempt got, None for a first one.
            keep: hands a checkpoint and a fraction to the driver.
            cancelled: whether the driver wants no result any more.
        """
        self.shared = shared
        self.checkpoint = checkpoint
        self._keep = keep
        self._cancelled = cancelled

    def keep(self, checkpoint: bytes, fraction: float) -> None:
        """Hand the driver a checkpoint; the call gets it back if it has to start again.

        Args:
            checkpoint: all that is needed to go on.
            fraction: of the work that is done, 0 to 1.
        """
        self._keep(checkpoint, fraction)

    @property
    def cancelled(self) -> bool:
        """Whether the driver wants no result any more; who does not look is ended from outside."""
        return self._cancelled()
