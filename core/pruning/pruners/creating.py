"""All pruning methods by one name: the registered pruners, and one for each criterion."""

from __future__ import annotations

from functools import cache
from typing import Any

from core.pruning.criteria.base import CRITERIA
from core.pruning.pruners.base import PRUNERS, Pruner
from core.registry import PluginInfo, Registry


class _Methods(Registry[Pruner]):
    """Every way to prune; whatever names one (a request, a form, a command) looks here."""

    def __init__(self) -> None:
        self.kind = "way to prune"

    def describe(self) -> list[PluginInfo]:
        return sorted([*PRUNERS.describe(), *CRITERIA.describe()], key=lambda info: info.name)

    def get(self, name: str) -> Any:
        self.info(name)
        if name in CRITERIA.names():
            return _of_criterion(name)
        return PRUNERS.get(name)


@cache
def _of_criterion(name: str) -> type[Pruner]:
    from core.pruning.pruners.by_criterion import by_criterion

    return by_criterion(name)


METHODS = _Methods()
"""Pruners and criteria by name; making one loads torch."""
