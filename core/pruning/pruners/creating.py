"""All pruning methods by one name: the registered pruners, and one for each criterion."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from core.errors import NotFound, wrong_setting
from core.pruning.criteria.base import CRITERIA
from core.pruning.pruners.base import PRUNERS, Pruner
from core.registry import PluginInfo


def pruner_infos() -> list[PluginInfo]:
    """Every method by name, without importing any of them."""
    return sorted([*PRUNERS.describe(), *CRITERIA.describe()], key=lambda info: info.name)


def pruner_info(name: str) -> PluginInfo:
    """Label, source and summary of one method.

    Raises:
        NotFound: there is none of this name.
    """
    known = {info.name: info for info in pruner_infos()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        raise NotFound(f"There is no way to prune called {name!r}. {hint}")
    return known[name]


@cache
def pruner_class(name: str) -> type[Pruner]:
    """The class of a method. Loads torch.

    Raises:
        NotFound: there is none of this name.
    """
    if name in CRITERIA.names():
        from core.pruning.pruners.by_criterion import by_criterion

        return by_criterion(name)
    found: type[Pruner] = PRUNERS.get(name)
    return found


def create_pruner(name: str, config: Mapping[str, Any] | None = None) -> Pruner:
    """A method with its settings.

    Raises:
        NotFound: there is none of this name.
        InvalidInput: a setting is unknown or out of bounds.
    """
    plugin = pruner_class(name)
    try:
        return plugin(plugin.Config.model_validate(dict(config or {})))
    except ValidationError as error:
        raise wrong_setting(plugin.label, error) from error
