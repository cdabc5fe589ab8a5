"""Searches that make many proposals at once and give them out as they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Container
from typing import Any

from core.config import BaseConfig
from core.search.base import SearchAlgorithm
from core.spaces import Arch


class ByGenerations(SearchAlgorithm):
    """Proposes one generation after another, each made when the one before was given out."""

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._queue: list[Arch] = []

    def ask(self, n: int) -> list[Arch]:
        found: list[Arch] = []
        while len(found) < n:
            if not self._queue:
                self._queue = self._next_generation()
                if not self._queue:
                    break
            found.append(self._queue.pop(0))
        return found

    @abstractmethod
    def _next_generation(self) -> list[Arch]:
        """Architectures that were never asked for; empty where the search is finished."""

    def _unqueue(self, told: Container[Arch]) -> None:
        """What was told meanwhile is not asked for any more."""
        self._queue = [arch for arch in self._queue if arch not in told]
