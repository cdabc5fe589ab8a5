"""Reads the file of people, field by field: what it cannot mean is one sentence.

By hand, because a model of the usual kind costs every start of every process what only a shared server needs.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from core.config import JsonObject
from core.errors import InvalidInput
from core.people.actions import Role
from core.people.rights import NO_LIMITS, Quotas, Rights

_ROLES = {role.word: role for role in Role}
_WHOLE, _AMOUNT = ("waiting", "running"), ("gigabytes", "hours_per_day")
_LIMITS = (*_WHOLE, *_AMOUNT)
_MOST = 1_000_000
_LONGEST = 200


def role(value: Any, what: str, allowed: Collection[Role] = tuple(Role)) -> Role:
    """A role by its word.

    Raises:
        InvalidInput: it is none of those allowed here.
    """
    found = _ROLES.get(value) if isinstance(value, str) else None
    if found is None or found not in allowed:
        words = ", ".join(each.word for each in allowed)
        raise InvalidInput(f"The file of people: {what} must be one of {words}, not {_short(value)}.")
    return found


def text(value: Any, what: str) -> str:
    """A short text.

    Raises:
        InvalidInput: it is none.
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise InvalidInput(f"The file of people: {what} must be a text of at most {_LONGEST} letters.")
    return value


def table(value: Any, what: str, known: Collection[str] | None = None) -> JsonObject:
    """A table, with no other fields than those known.

    Raises:
        InvalidInput: it is none, or has others.
    """
    if not isinstance(value, dict):
        raise InvalidInput(f"The file of people: {what} must be a table, not {_short(value)}.")
    for name in value:
        if not name or len(name) > _LONGEST:
            raise InvalidInput(f"The file of people: a name in {what} is empty or too long.")
        if known is not None and name not in known:
            raise InvalidInput(
                f"The file of people: {what} has no field {_short(name)}; there are {', '.join(known)}."
            )
    return value


def limits(value: JsonObject, what: str, otherwise: Quotas) -> Quotas:
    """The limits in a table; those that are not named are `otherwise`'s.

    Raises:
        InvalidInput: one is no number that can be meant.
    """
    found: dict[str, Any] = {name: getattr(otherwise, name) for name in _LIMITS}
    for name in _LIMITS:
        if name not in value:
            continue
        given: Any = value[name]
        kinds = (int,) if name in _WHOLE else (int, float)
        fits = type(given) in kinds and math.isfinite(given) and (name == "running") <= given <= _MOST
        if not fits:
            raise InvalidInput(
                f"The file of people: {name} of {what} must be a number from {int(name == 'running')} to {_MOST:,}, not "
                f"{_short(given)}."
            )
        found[name] = given
    return Quotas(**found)


def rights(value: Any, what: str, everybody: Quotas, more: Collection[str] = ()) -> Rights:
    """The rights of a person or a group: a role alone, or a table with one and with limits.

    Raises:
        InvalidInput: it cannot be meant.
    """
    said = table({"role": value} if isinstance(value, str) else value, what, ("role", *_LIMITS, *more))
    found = role(said.get("role"), f"the role of {what}")
    return Rights(found, limits(said, what, NO_LIMITS if found is Role.ADMINISTER else everybody))


def everybody(value: Any) -> Quotas:
    """The limits of everybody.

    Raises:
        InvalidInput: they cannot be meant.
    """
    return limits(table(value, "[quotas]", _LIMITS), "[quotas]", NO_LIMITS)


def _short(value: Any) -> str:
    said = " ".join(str(value)[:200].split())
    return repr(said[:60])
