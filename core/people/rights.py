"""What a person has here: a role, and how much of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from core.people.actions import Role


@dataclass(frozen=True)
class Quotas:
    """How much of the machine a person may have; None is no limit.

    Attributes:
        waiting: runs that wait.
        running: runs that run at a time; more wait.
        gigabytes: stored files of runs and uploads, 10^9 bytes.
        hours_per_day: hours of computing in the last 24.
    """

    waiting: int | None = None
    running: int | None = None
    gigabytes: float | None = None
    hours_per_day: float | None = None

    def most(self, other: Self) -> Quotas:
        """The larger of each, for somebody in two groups."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__}
        return Quotas(**{name: None if None in pair else max(pair) for name, pair in pairs.items()})


NO_LIMITS = Quotas()


@dataclass(frozen=True)
class Rights:
    """What a person has: a role and quotas."""

    role: Role
    quotas: Quotas = NO_LIMITS
