"""The record of a run, in the store and in memory; the contract is `core.ledger`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, delete, func, insert, select, update

from core.config import JsonObject
from core.errors import Cancelled, DamagedArtifact, InvalidInput, NotFound
from core.ledger import Artifact
from core.people import Action
from core.records import Measurement, Metric, Metrics, Obtained, RunState, Source
from core.store.database import patiently
from core.store.files import Files
from core.store.permits import require_for
from core.store.schema import ArtifactRow, CheckpointRow, MeasurementRow, MetricRow, RunRow, row_hash

GENERATIONS = 2
"""Checkpoints kept per run: the newest, and one to fall back to."""

TAKEN_OVER = "This run was stopped or taken over elsewhere; what it had saved is kept."
R = TypeVar("R")
_MAX_NAME = 200
_LONGEST_SOURCE = 32


class RunLedger:
    """The ledger of a run in the store."""

    def __init__(self, files: Files, run_id: str, params: JsonObject, attempt: int | None = None) -> None:
        """Made by `RunStore.ledger`.

        Args:
            files: database and files.
            run_id: an existing run.
            params: its request.
            attempt: the start this writer belongs to; None writes without a lease.
        """
        self.run_id = run_id
        self.params = params
        self._attempt = attempt
        self._files = files
        self._database = files.database

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        require_for(self._database, Action.CHANGE, self.run_id)
        sha256 = self._files.blobs.put(data)
        patiently(lambda: self._add_checkpoint(sha256, data, fraction))

    def _add_checkpoint(self, sha256: str, data: bytes, fraction: float) -> None:
        of_this = CheckpointRow.run_id == self.run_id
        with self._database.write("saving a checkpoint") as connection:
            self._require_lease(connection)
            self._files.secure(sha256, data)
            newest = (
                connection.execute(select(func.max(CheckpointRow.generation)).where(of_this)).scalar() or 0
            )
            row = {"run_id": self.run_id, "generation": newest + 1, "sha256": sha256}
            connection.execute(insert(CheckpointRow).values(**row, size=len(data), fraction=float(fraction)))
            outdated = of_this & (CheckpointRow.generation <= newest + 1 - GENERATIONS)
            old = connection.execute(select(CheckpointRow.sha256).where(outdated)).scalars().all()
            connection.execute(delete(CheckpointRow).where(outdated))
        self._files.forget(old)

    def latest_checkpoint(self) -> bytes | None:
        query = select(CheckpointRow.sha256).where(CheckpointRow.run_id == self.run_id)
        sha256s = self._read(query.order_by(CheckpointRow.generation.desc()), str)
        for sha256 in sha256s:
            try:
                return self._files.blobs.get(sha256)
            except DamagedArtifact:
                continue
        if sha256s:
            raise DamagedArtifact(
                "Both kept checkpoints of this run are damaged. Start it again as a new run."
            )
        return None

    def add_measurements(self, step: int, measurements: Sequence[Measurement]) -> None:
        if not measurements:
            return
        rows = [encode_measurement(step, measurement) for measurement in measurements]
        self._files.blobs.require_room(0)
        tried: list[int] = []
        patiently(lambda: self._add_rows(rows, tried))

    def _add_rows(self, rows: list[dict[str, Any]], tried: list[int]) -> None:
        """Add measurements once, also where the answer to an earlier try was lost: `tried` is where they began then."""
        of_this = RunRow.run_id == self.run_id
        with self._database.write("saving measurements") as connection:
            self._require_lease(connection)
            first = connection.execute(select(RunRow.n_measurements).where(of_this)).scalar_one()
            if tried and first == tried[0] + len(rows):
                return
            tried[:] = [first]
            for ordinal, row in enumerate(rows, start=first):
                row.update(run_id=self.run_id, ordinal=ordinal)
                row["row_hash"] = measurement_hash(row)
            connection.execute(insert(MeasurementRow), rows)
            connection.execute(update(RunRow).where(of_this).values(n_measurements=first + len(rows)))

    def measurements(self, after: int = 0) -> list[tuple[int, Measurement]]:
        row = MeasurementRow
        query = select(row.step, row.arch, row.objective_values, row.source)
        query = query.where(row.run_id == self.run_id, row.ordinal >= after).order_by(row.ordinal)
        return self._read(query, lambda step, *stored: (step, decode_measurement(*stored)))

    def log_metrics(self, step: int, metrics: Mapping[str, Metric]) -> None:
        patiently(lambda: self._log_metrics(step, plain_json(metrics)))

    def _log_metrics(self, step: int, text: str) -> None:
        hashed = row_hash(self.run_id, step, text)
        this = (MetricRow.run_id == self.run_id) & (MetricRow.step == step)
        with self._database.write("saving numbers") as connection:
            self._require_lease(connection)
            connection.execute(delete(MetricRow).where(this))
            row = {"run_id": self.run_id, "step": step, "metric_values": text, "row_hash": hashed}
            connection.execute(insert(MetricRow).values(**row))

    def metrics(self) -> list[Metrics]:
        query = select(MetricRow.step, MetricRow.metric_values).where(MetricRow.run_id == self.run_id)
        return self._read(
            query.order_by(MetricRow.step), lambda step, text: {**json.loads(text), "step": step}
        )

    def save_artifact(self, name: str, data: bytes, media_type: str) -> str:
        require_name(name)
        require_for(self._database, Action.CHANGE, self.run_id)
        sha256 = self._files.blobs.put(data)
        patiently(lambda: self._name_artifact(name, sha256, data, media_type))
        return sha256

    def _name_artifact(self, name: str, sha256: str, data: bytes, media_type: str) -> None:
        this = (ArtifactRow.run_id == self.run_id) & (ArtifactRow.name == name)
        with self._database.write(f"saving {name}", self.run_id, Action.CHANGE) as connection:
            self._require_lease(connection)
            self._files.secure(sha256, data)
            old = connection.execute(select(ArtifactRow.sha256).where(this)).scalars().all()
            connection.execute(delete(ArtifactRow).where(this))
            row = {"run_id": self.run_id, "name": name, "sha256": sha256, "size": len(data)}
            connection.execute(insert(ArtifactRow).values(**row, media_type=media_type))
        self._files.forget(old)

    def artifact(self, name: str) -> bytes:
        query = select(ArtifactRow.sha256).where(ArtifactRow.run_id == self.run_id, ArtifactRow.name == name)
        found = self._read(query, str)
        if not found:
            raise NotFound(f"This run has no file called {name!r}.")
        return self._files.blobs.get(found[0])

    def artifacts(self) -> list[Artifact]:
        row = ArtifactRow
        query = select(row.name, row.sha256, row.size, row.media_type).where(row.run_id == self.run_id)
        return self._read(query.order_by(row.name), Artifact)

    def _read(self, query: Executable, made: Callable[..., R]) -> list[R]:
        """What is made of each row; in a worker, also while the database comes back."""

        def rows() -> list[R]:
            with self._database.read() as connection:
                return [made(*row) for row in connection.execute(query)]

        return patiently(rows)

    def _require_lease(self, connection: Connection) -> None:
        """Refuse the write of a worker whose run has been stopped or started anew elsewhere."""
        query = select(RunRow.attempt, RunRow.state).where(RunRow.run_id == self.run_id)
        found = connection.execute(query).one_or_none()
        if found is None:
            raise NotFound("This run has been deleted.")
        if self._attempt is not None and tuple(found) != (self._attempt, RunState.RUNNING):
            raise Cancelled(TAKEN_OVER)


class MemoryLedger:
    """The same ledger without a store: nothing outlives the process."""

    def __init__(self, run_id: str = "memory", params: JsonObject | None = None) -> None:
        self.run_id = run_id
        self.params: JsonObject = dict(params or {})
        self._checkpoint: bytes | None = None
        self._measurements: list[tuple[int, Measurement]] = []
        self._metrics: dict[int, Metrics] = {}
        self._artifacts: dict[str, tuple[Artifact, bytes]] = {}

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        self._checkpoint = bytes(data)

    def latest_checkpoint(self) -> bytes | None:
        return self._checkpoint

    def add_measurements(self, step: int, measurements: Sequence[Measurement]) -> None:
        # Through the stored form, so that both ledgers give back the same types.
        rows = [encode_measurement(step, measurement) for measurement in measurements]
        self._measurements += [
            (
                row["step"],
                decode_measurement(row["arch"], row["objective_values"], row["source"]),
            )
            for row in rows
        ]

    def measurements(self, after: int = 0) -> list[tuple[int, Measurement]]:
        return self._measurements[after:]

    def log_metrics(self, step: int, metrics: Mapping[str, Metric]) -> None:
        self._metrics[step] = json.loads(plain_json(metrics))

    def metrics(self) -> list[Metrics]:
        return [{**values, "step": step} for step, values in sorted(self._metrics.items())]

    def save_artifact(self, name: str, data: bytes, media_type: str) -> str:
        require_name(name)
        sha256 = hashlib.sha256(data).hexdigest()
        self._artifacts[name] = (Artifact(name, sha256, len(data), media_type), bytes(data))
        return sha256

    def artifact(self, name: str) -> bytes:
        if name not in self._artifacts:
            raise NotFound(f"This run has no file called {name!r}.")
        return self._artifacts[name][1]

    def artifacts(self) -> list[Artifact]:
        return [artifact for _, (artifact, _) in sorted(self._artifacts.items())]


def encode_measurement(step: int, measurement: Measurement) -> dict[str, Any]:
    """The stored form of a measurement, without its place in the run.

    `source` says how the values were obtained. A value obtained otherwise than the first one is stored with
    its own source, as a pair, so that rows of release 0.1, which have one source for all, are such rows, too.
    """
    source = next((str(measurement.how(name)) for name in measurement.values), str(Source.MEASURED))
    if len(source) > _LONGEST_SOURCE:
        source = str(Source.MEASURED)
    values: dict[str, Any] = {}
    for name, value in measurement.values.items():
        how = str(measurement.how(name))
        values[name] = float(value) if how == source else [float(value), how]
    return {
        "step": int(step),
        "arch": json.dumps([int(option) for option in measurement.arch]),
        "objective_values": json.dumps(values),
        "source": source,
    }


def decode_measurement(arch: str, objective_values: str, source: str) -> Measurement:
    """The measurement of a stored row."""
    values: dict[str, float] = {}
    obtained: dict[str, Obtained] = {}
    for name, stored in json.loads(objective_values).items():
        value, how = stored if isinstance(stored, list) else (stored, source)
        values[name], obtained[name] = value, Obtained.parse(how)
    return Measurement(tuple(json.loads(arch)), values, obtained)


def measurement_hash(row: Mapping[str, Any]) -> str:
    """The hash a measurement row must carry."""
    fields = ("run_id", "ordinal", "step", "arch", "objective_values", "source")
    return row_hash(*(row[field] for field in fields))


def plain_json(value: Any) -> str:
    """`value` as JSON, arrays and array scalars as lists and numbers.

    Raises:
        InvalidInput: it holds something JSON cannot.
    """

    def convert(item: Any) -> Any:
        if hasattr(item, "tolist"):
            return item.tolist()
        if isinstance(item, Mapping):
            return dict(item)
        raise InvalidInput(
            f"A {type(item).__name__} cannot be stored; use numbers, text, lists and dictionaries."
        )

    return json.dumps(value if not isinstance(value, Mapping) else dict(value), default=convert)


def require_name(name: str) -> None:
    """Raise `InvalidInput` unless `name` can name a file for a person."""
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise InvalidInput(f"A name must have 1 to {_MAX_NAME} printable characters, not {name[:40]!r}.")
