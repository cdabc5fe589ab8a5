"""How many runs there are, for whoever watches a server: one question to the database, whatever their number."""

from __future__ import annotations

from sqlalchemy import func, literal, select

from core.store.database import Database, Spent
from core.store.schema import RunRow


class Counting:
    """Numbers of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def runs(self) -> dict[tuple[str, str], int]:
        """(kind, state) -> how many runs.

        Raises:
            DamagedArtifact, StorageFailed: the database cannot be read.
        """
        query = select(RunRow.kind, RunRow.state, func.count()).group_by(RunRow.kind, RunRow.state)
        with self._database.read("counting runs", tolerant=True) as connection:
            return {(str(kind), str(state)): int(n) for kind, state, n in connection.execute(query)}

    def answers(self) -> None:
        """Ask the database the least that can be asked.

        Raises:
            DamagedArtifact, StorageFailed: it does not answer.
        """
        with self._database.read("asking the database") as connection:
            connection.execute(select(literal(1))).scalar_one()

    @property
    def spent(self) -> Spent:
        """What this process's transactions took."""
        return self._database.spent
