"""The nodes of a cluster as somebody who looks is told: asked by a thread, so that nobody waits for an answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import CoreError
from core.executors.calls import Node
from core.executors.ray_executor import nodes_at

FRESH_SECONDS = 30.0
"""For so long an answer is not asked for again: each time a process is started that speaks with the cluster."""


@dataclass(frozen=True)
class Told:
    """What is known of the nodes.

    Attributes:
        nodes: as they were when they last answered; None before the first answer.
        said: why there is no answer, "" if there is one.
        asking: whether an answer is on its way.
    """

    nodes: tuple[Node, ...] | None = None
    said: str = ""
    asking: bool = False


class NodesInBackground:
    """Asks again when somebody looks and the last answer is old; never more than one question at a time."""

    def __init__(
        self, ask: Callable[[str], list[Node]] = nodes_at, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is asked yet."""
        self._ask, self._clock = ask, clock
        self._lock = threading.Lock()
        self._address, self._told, self._at = "", Told(), float("-inf")

    def look(self, address: str) -> Told:
        """What is known now, at once."""
        with self._lock:
            if address != self._address:
                self._address, self._told, self._at = address, Told(), float("-inf")
            old = self._clock() - self._at >= FRESH_SECONDS
            if old and not self._told.asking:
                self._told = Told(self._told.nodes, self._told.said, asking=True)
                threading.Thread(
                    target=self._find_out, args=(address,), name="ask-nodes", daemon=True
                ).start()
            return self._told

    def _find_out(self, address: str) -> None:
        try:
            told = Told(tuple(self._ask(address)))
        except CoreError as error:
            told = Told(said=str(error))
        except Exception:
            logging.getLogger(__name__).exception("the nodes of a cluster could not be asked")
            told = Told(said="The cluster could not be asked; the log of this server says why.")
        with self._lock:
            if address == self._address:
                self._told, self._at = told, self._clock()
