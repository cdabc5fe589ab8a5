"""Who made which run, supernet or table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from core.people.actions import Action
from core.people.person import Person
from core.store.database import Database
from core.store.schema import AuditRow, OwnerRow, RunRow, row_hash

_HASHED = ("thing_id", "person", "known")


@dataclass(frozen=True)
class Owners:
    """Reads who made what."""

    database: Database

    def all(self) -> dict[str, Person]:
        """Id of a run, supernet or table -> who made it; those of before people were told apart are not in it."""
        with self.database.read() as connection:
            rows = connection.execute(select(OwnerRow.__table__)).mappings().all()
        return {row["thing_id"]: person for row in rows if (person := _person(row))}

    def of(self, thing_id: str) -> Person | None:
        """Who made a run, supernet or table; None where nobody was told apart."""
        with self.database.read() as connection:
            return owner_of(connection, thing_id)


def owner_of(connection: Connection, thing_id: str) -> Person | None:
    """Who made something; None where nobody knows, and where the row has changed."""
    query = select(OwnerRow.__table__).where(OwnerRow.thing_id == thing_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _person(row)


def sign(connection: Connection, thing_id: str, person: Person) -> None:
    """Write down who makes something, in the transaction that makes it."""
    known = json.dumps(
        {"name": person.name, "known": person.known, "keys": person.keys, "groups": person.groups}
    )
    fields = {"thing_id": thing_id, "person": person.id, "known": known}
    hashed = row_hash(*(fields[name] for name in _HASHED))
    connection.execute(
        insert(OwnerRow).values(**fields, created=time.time(), spent=0.0, ended=None, row_hash=hashed)
    )


def keep_spent(connection: Connection, run_id: str) -> None:
    """Before a run is deleted: what it computed still counts for the day."""
    row = connection.execute(
        select(RunRow.worked, RunRow.updated).where(RunRow.run_id == run_id)
    ).one_or_none()
    if row is not None and row.worked:
        spent = update(OwnerRow).where(OwnerRow.thing_id == run_id)
        connection.execute(spent.values(spent=row.worked, ended=row.updated))


def owner_damage(connection: Connection) -> Iterator[str]:
    """One sentence for each row that was changed, and for each that the audit log knows and that is gone."""
    made = select(AuditRow.about, AuditRow.person).where(
        AuditRow.action.in_((Action.START, Action.UPLOAD)), AuditRow.outcome == "done", AuditRow.about != ""
    )
    owned = select(OwnerRow.thing_id, OwnerRow.person)
    signed = {(thing, person) for thing, person in connection.execute(owned)}
    for thing, person in connection.execute(made):
        if (thing, person) not in signed:
            yield f"The audit log says who made {thing!s:.64}, and the row of its owner is gone or says another."
    for row in connection.execute(select(OwnerRow.__table__)).mappings():
        if _person(row) is None:
            yield f"Who made {row['thing_id']!s:.64} has changed since it was saved; only administrators may change it now."


def _person(row: Mapping[Any, Any]) -> Person | None:
    """The person of a row; None where it has changed."""
    if row_hash(*(row[name] for name in _HASHED)) != row["row_hash"]:
        return None
    said = json.loads(row["known"])
    return Person(row["person"], said["name"], said["known"], tuple(said["keys"]), tuple(said["groups"]))
