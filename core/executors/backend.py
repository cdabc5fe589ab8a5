"""What a session needs of the place where calls run: to start one, to hear of them, to stop them all.

A start is told apart by its ticket, a number that no other start of the session has, so that what is heard late of a
start that was given up cannot be mistaken for news of its successor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from core.executors.calls import Call, Node


@dataclass(frozen=True)
class Kept:
    """A call handed over a checkpoint."""

    ticket: int
    checkpoint: bytes
    fraction: float


@dataclass(frozen=True)
class Finished:
    """A call returned."""

    ticket: int
    value: bytes
    node: str
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A call raised: the name of an error of ours with its sentence, or "" and what Python says."""

    ticket: int
    error: str
    sentence: str


@dataclass(frozen=True)
class Lost:
    """A call ended without an answer, through no fault of its own as far as anyone knows.

    Attributes:
        why: what became of it, to be read after "each time".
    """

    ticket: int
    why: str


Event = Kept | Finished | Failed | Lost


class Backend(ABC):
    """One opened place. All methods are called from the driver's thread."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many calls run at once now."""

    @abstractmethod
    def nodes(self) -> list[Node]:
        """The machines; what they have done is counted by the session."""

    @abstractmethod
    def submit(self, ticket: int, call: Call) -> None:
        """Start a call, with `call.checkpoint` to go on from. Returns at once; what goes wrong is an event."""

    @abstractmethod
    def wait(self, seconds: float) -> list[Event]:
        """What has happened, as soon as something has; [] if nothing has within so many seconds.

        Raises:
            CoreError: the place itself is gone.
        """

    def want(self, waiting: int) -> None:
        """So many calls at least would begin at once if there were room for them; a place that can grow may.

        Args:
            waiting: 0 when nothing waits any more.
        """
        return  # most places are as large as they are

    @abstractmethod
    def stop(self) -> None:
        """End all calls that run, within 2 seconds. What is heard of them later does no harm; others may follow."""
