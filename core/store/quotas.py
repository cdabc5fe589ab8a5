"""How much of the machine a person has: runs that wait and run, stored bytes, hours of computing.

Counted in the transaction that would add to it, so that two tabs at once are not given the last place both.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, func, select

from core.errors import NotAllowed
from core.people.actions import Action, Role
from core.people.asking import policy, rights_of, told_apart
from core.people.person import Person
from core.records import RunState
from core.store.owners import owner_of
from core.store.schema import (
    ArtifactRow,
    CheckpointRow,
    ImportedTableRow,
    OwnerRow,
    RunRow,
    SupernetRow,
)

DAY = 86_400.0


def require_quota(connection: Connection, person: Person, action: Action) -> None:
    """Let pass who has not used up what they may have.

    Raises:
        NotAllowed: says what is used, what is allowed, and who can help.
    """
    quotas = rights_of(person).quotas
    helps = policy().who_helps()
    if action in (Action.START, Action.RESUME):
        if quotas.waiting is not None:
            used = in_state(connection, person.id, RunState.QUEUED)
            if used >= quotas.waiting:
                raise NotAllowed(
                    f"{used} of your runs wait, and {quotas.waiting} may. Let one finish or cancel one; for more, {helps}."
                )
        if quotas.hours_per_day is not None:
            hours = seconds_today(connection, person.id) / 3600
            if hours >= quotas.hours_per_day:
                raise NotAllowed(
                    f"Your runs computed {hours:.1f} hours in the last 24, and {quotas.hours_per_day:g} are allowed. Start it "
                    f"later; for more, {helps}."
                )
    if quotas.gigabytes is not None:
        stored = stored_bytes(connection, person.id) / 1e9
        if stored >= quotas.gigabytes:
            raise NotAllowed(
                f"Your runs and uploads hold {stored:.2f} GB, and {quotas.gigabytes:g} GB are allowed. Delete what you no longer "
                f"need on the Runs page; for more, {helps}."
            )


def held(connection: Connection, run_id: str) -> bool:
    """Whether a waiting run may not start yet: its owner may no longer run, or as much as they may runs or ran already."""
    if not told_apart():
        return False
    owner = owner_of(connection, run_id)
    if owner is None:
        return False
    rights = rights_of(owner)
    quotas = rights.quotas
    if rights.role < Role.RUN:
        return True
    if quotas.running is not None and in_state(connection, owner.id, RunState.RUNNING) >= quotas.running:
        return True
    return quotas.hours_per_day is not None and (
        seconds_today(connection, owner.id) >= quotas.hours_per_day * 3600
    )


def in_state(connection: Connection, person: str, state: RunState) -> int:
    """How many runs of a person are in a state."""
    return int(connection.scalar(_own(select(func.count()), person).where(RunRow.state == state)) or 0)


def seconds_today(connection: Connection, person: str) -> float:
    """Seconds that a person's runs computed in the last 24 hours, deleted ones too.

    A run that began before counts with what may lie in these hours at most.
    """
    now = time.time()
    since, total = now - DAY, 0.0
    query = _own(select(RunRow.state, RunRow.begun, RunRow.worked, RunRow.updated), person)
    running = RunRow.state == RunState.RUNNING
    for state, begun, worked, updated in connection.execute(query.where(running | (RunRow.updated > since))):
        if state == RunState.RUNNING:
            total += min((worked or 0.0) + max(now - (begun or now), 0.0), DAY)
        else:
            total += min(worked or 0.0, max(updated - since, 0.0))
    gone = select(OwnerRow.spent, OwnerRow.ended).where(OwnerRow.person == person, OwnerRow.ended > since)
    for spent, ended in connection.execute(gone):
        total += min(spent, max((ended or since) - since, 0.0))
    return total


def stored_bytes(connection: Connection, person: str) -> int:
    """Bytes of the files of a person's runs and uploads."""
    sizes: tuple[tuple[Any, Any], ...] = (
        (CheckpointRow.size, CheckpointRow.run_id),
        (ArtifactRow.size, ArtifactRow.run_id),
        (SupernetRow.size, SupernetRow.supernet_id),
        (ImportedTableRow.size, ImportedTableRow.table_id),
    )
    total = 0
    for size, of in sizes:
        query = (
            select(func.sum(size)).join(OwnerRow, OwnerRow.thing_id == of).where(OwnerRow.person == person)
        )
        total += int(connection.scalar(query) or 0)
    return total


def _own(query: Any, person: str) -> Any:
    return (
        query.select_from(RunRow)
        .join(OwnerRow, OwnerRow.thing_id == RunRow.run_id)
        .where(OwnerRow.person == person)
    )
