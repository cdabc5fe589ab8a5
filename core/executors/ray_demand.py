"""What waits for room, where Ray's autoscaler sees it.

A call goes only to a node that has said what it computes with, so a call that no node has room for is in no queue of
Ray's. In its place questions wait there, each for a core of a node that is not known yet: where Ray can start machines,
it starts one. A node that a question comes to is asked what it computes with as every other that joins. Questions belong
to who asks and end with it, however it ends; a number told to the autoscaler (`request_resources`) would be one for all
who use the cluster, and stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from itertools import count
from typing import Any

MOST = 64
"""Questions that wait at once; when they have been answered, others follow."""
_REST_SECONDS = 3.0
"""After an answer: where it came from is looked at before anything further is asked for."""
_REFUSED_SECONDS = 30.0
"""After a question that could not be put."""


class Demand:
    """The questions that wait.

    Args:
        ray: the module.
        question: a remote function that needs one core and says where it is.
        answered: called from any thread with the number of a question and its future when it has been answered or has failed.
    """

    def __init__(self, ray: Any, question: Any, answered: Callable[[int, Any], None]) -> None:
        self._ray, self._question, self._answered = ray, question, answered
        self._waiting: dict[int, Any] = {}
        self._numbers = count()
        self._known: frozenset[str] = frozenset()
        self._rest_until = float("-inf")

    def arrange(self, wanted: int, known: Collection[str]) -> None:
        """Let so many questions wait, which none of the known nodes can answer.

        Args:
            wanted: how many more cores there is work for.
            known: Ray's ids of nodes.
        """
        if time.monotonic() < self._rest_until:
            wanted = 0
        if not wanted or frozenset(known) != self._known:
            self.withdraw()
            self._known = frozenset(known)
        while len(self._waiting) > min(wanted, MOST):
            self._cancel(self._waiting.popitem()[1])
        while len(self._waiting) < min(wanted, MOST):
            self._ask()

    def heard(self, number: int, future: Any) -> None:
        """A question has been answered, or cannot be put."""
        if self._waiting.pop(number, None) is None:  # it was withdrawn
            return
        self.withdraw()
        rest = _REST_SECONDS if future.exception() is None else _REFUSED_SECONDS
        self._rest_until = time.monotonic() + rest

    def withdraw(self) -> None:
        """Nothing waits any more."""
        for reference in self._waiting.values():
            self._cancel(reference)
        self._waiting.clear()

    def _ask(self) -> None:
        number = next(self._numbers)
        others = {"ray.io/node-id": f"!in({','.join(sorted(self._known))})"} if self._known else {}
        reference = self._question.options(num_cpus=1, label_selector=others).remote()
        self._waiting[number] = reference
        reference.future().add_done_callback(lambda future: self._answered(number, future))

    def _cancel(self, reference: Any) -> None:
        with suppress(Exception):  # of Ray's, when it has just been answered
            self._ray.cancel(reference)
