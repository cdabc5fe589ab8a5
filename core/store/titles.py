"""What runs and supernets are called, changed after they were made; and how much runs have measured, of many at once."""

from __future__ import annotations

from sqlalchemy import select, update

from core.errors import NotFound
from core.store.database import Database
from core.store.ledger import require_name
from core.store.schema import RunRow, SupernetRow, row_hash

_HASHED = ("run_id", "kind", "title", "params", "seed", "session")
_LONGEST = 200


class Titles:
    """Renames runs and supernets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rename_run(self, run_id: str, title: str) -> None:
        """Call a run something else; whatever it made is found as before.

        Raises:
            NotFound: there is no such run.
            InvalidInput: the title is empty or cannot be shown.
        """
        shown = _shown(title)
        table = RunRow.__table__.c
        with self._database.write("renaming a run", run_id) as connection:
            query = select(*(table[name] for name in _HASHED)).where(RunRow.run_id == run_id)
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise NotFound(f"There is no run {run_id[:32]!r}.")
            named = {**row, "title": shown}
            hashed = row_hash(*(named[name] for name in _HASHED))
            change = update(RunRow).where(RunRow.run_id == run_id)
            connection.execute(change.values(title=shown, row_hash=hashed))

    def rename_supernet(self, supernet_id: str, title: str) -> None:
        """Call a stored supernet something else.

        Raises:
            NotFound: there is none with this id.
            InvalidInput: the title is empty or cannot be shown.
        """
        this = SupernetRow.supernet_id == supernet_id
        shown = _shown(title)
        with self._database.write("renaming a supernet", supernet_id) as connection:
            changed = connection.execute(update(SupernetRow).where(this).values(name=shown))
            if not changed.rowcount:
                raise NotFound(f"There is no stored supernet {supernet_id[:32]!r}.")

    def measured(self, kinds: tuple[str, ...]) -> dict[str, int]:
        """Measurements of every run of some workflows that has any: run id -> how many."""
        query = select(RunRow.run_id, RunRow.n_measurements).where(
            RunRow.kind.in_(kinds), RunRow.n_measurements > 0
        )
        with self._database.read() as connection:
            return {str(run_id): int(n) for run_id, n in connection.execute(query)}


def _shown(title: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in title).strip()[:_LONGEST]
    require_name(shown)
    return shown
