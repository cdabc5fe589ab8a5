"""What runs keep as their results: typed records, found by what they are, read once.

Each kind of result is one subclass of `Record` in one file: the same fields are written by a workflow and
read by a page. A list of results costs two looks at the database however many runs there are; contents are
read by hash and kept. A file that is missing or damaged leaves its own run out, and the check command names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.cache import Cache
from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.records import Run

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.store import RunStore

_MEDIA_TYPE = "application/json"


class Part(BaseModel):
    """A part of a record: nobody changes it; fields that a later release added are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Described(BaseModel):
    """Settings or sources written down to be read by people: any field, nothing relied upon."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Record(Part):
    """A result as one JSON file of a run.

    Attributes:
        FILE: name of the file.
        FORMAT: newest version that this code writes and reads.
        format: version of this one.
    """

    FILE: ClassVar[str]
    FORMAT: ClassVar[int] = 1
    format: int = Field(1, ge=1)

    def encode(self) -> bytes:
        """The file's bytes."""
        return json.dumps(self.model_dump(mode="python")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What `encode` wrote, now or in an earlier release.

        Raises:
            InvalidInput: it is another file, or a newer release wrote it.
        """
        try:
            fields = json.loads(data)
            if isinstance(fields, dict) and isinstance(fields.get("format", 1), int):
                if fields.get("format", 1) > cls.FORMAT:
                    raise InvalidInput(f"A newer release wrote {cls.FILE}; update this one to read it.")
                return cls.model_validate(cls.upgraded(fields))
        except (ValueError, ValidationError, RecursionError) as error:
            raise InvalidInput(f"{cls.FILE} cannot be read; make it again.") from error
        raise InvalidInput(f"{cls.FILE} cannot be read; make it again.")

    @classmethod
    def upgraded(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Fields of an earlier release as this one names them."""
        return fields

    def save(self, ledger: Ledger) -> None:
        """Keep it as the run's result so far; what was there is replaced."""
        ledger.save_artifact(self.FILE, self.encode(), _MEDIA_TYPE)

    @classmethod
    def so_far(cls, ledger: Ledger) -> Self | None:
        """What a run has written so far; None before the first time.

        Raises:
            DamagedArtifact, InvalidInput: the file has changed, or is another one.
        """
        try:
            data = ledger.artifact(cls.FILE)
        except NotFound:
            return None
        return cls.decode(data)


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, eq=False)
class Result(Generic[R]):
    """A record and where it is kept.

    Attributes:
        run: the run that made it.
        record: what it holds.
        files: name -> SHA-256 of all files of the run.
    """

    run: Run
    record: R
    files: Mapping[str, str]


_records: Cache[Record] = Cache(4096)


def results(
    store: RunStore | None, kind: type[R], workflow: str, where: Mapping[str, str] | None = None
) -> list[Result[R]]:
    """Results of one kind, newest run first.

    Args:
        store: None has none.
        kind: the record's class.
        workflow: whose runs.
        where: only runs whose request has these values; found through the store's index.
    """
    if store is None:
        return []
    runs = store.list_runs(kind=workflow, where=where)
    files = store.kept.of_kind(workflow) if runs else {}
    found = (_result(store, kind, run, files.get(run.run_id, {})) for run in runs)
    return [each for each in found if each is not None]


def result(store: RunStore | None, kind: type[R], workflow: str, run_id: str) -> Result[R] | None:
    """The result of one run; None where the run is of another kind, or has none yet.

    Raises:
        NotFound: there is no such run.
    """
    if store is None:
        return None
    run = store.get_run(run_id)
    if run.kind != workflow:
        return None
    files = store.kept.of_run(run_id)
    return _result(store, kind, run, files)


def _result(store: RunStore, kind: type[R], run: Run, files: Mapping[str, str]) -> Result[R] | None:
    sha256 = files.get(kind.FILE)
    if sha256 is None:
        return None
    try:
        record = _records.get((kind, sha256), lambda: kind.decode(store.kept.content(sha256)))
    except (DamagedArtifact, InvalidInput):
        # The check command names it; a list goes on without it.
        return None
    assert isinstance(record, kind)
    return Result(run, record, files)
