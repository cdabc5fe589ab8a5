"""Files that runs keep, by what made them: a list of results is two looks at the database, not one per run."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from core.store.files import Files
from core.store.schema import ArtifactRow, RunRow


class KeptFiles:
    """The result files of all runs."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def of_kind(self, kind: str) -> dict[str, dict[str, str]]:
        """Run id -> file name -> SHA-256, of every run of one workflow."""
        return self._named(RunRow.kind == kind)

    def of_run(self, run_id: str) -> dict[str, str]:
        """File name -> SHA-256 of one run; empty where there is none."""
        return self._named(RunRow.run_id == run_id).get(run_id, {})

    def content(self, sha256: str) -> bytes:
        """A file by its hash, verified; the database is not asked.

        Raises:
            DamagedArtifact: it is missing or has changed.
        """
        return self._files.blobs.get(sha256)

    def _named(self, which: ColumnElement[bool]) -> dict[str, dict[str, str]]:
        query = select(ArtifactRow.run_id, ArtifactRow.name, ArtifactRow.sha256)
        found: dict[str, dict[str, str]] = {}
        with self._files.database.read() as connection:
            joined = query.join(RunRow, RunRow.run_id == ArtifactRow.run_id).where(which)
            for run_id, name, sha256 in connection.execute(joined):
                found.setdefault(run_id, {})[name] = sha256
        return found
