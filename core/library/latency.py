"""Latencies of whole spaces: what the runs that time or take in a profile keep, and the columns they give a table.

A record belongs to every supernet of the same structure, whatever its weights, so that one that was trained anew has the
latencies of the first. Browsing needs no torch where the supernet's card has its cost table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.cache import kept
from core.errors import CoreError, InvalidInput
from core.evaluation.costs import CostTable
from core.evaluation.latency.campaign import Quality, Settled
from core.evaluation.latency.model import CrossValidation, LatencyModel, fit_latency
from core.evaluation.latency.profile import STALE_DRIFT, LatencyProfile, SupernetIdentity, layout_of
from core.library import supernets
from core.library.device_tables import with_devices
from core.library.evaluations import source_column
from core.library.latency_kinds import CHECKS, KINDS
from core.library.results import Record, Result, results
from core.library.supernets import SupernetEntry
from core.objectives.base import quality_of
from core.records import Obtained, Source
from core.words import format_share

if TYPE_CHECKING:
    import pandas as pd

    from core.evaluation.latency.profile import Device
    from core.store import RunStore

_MACHINE = {"processor", "version", "system"}
"""What of a device makes it another machine, whatever it is called and however it is used."""


class LatencyRecord(Record):
    """What a run that timed subnets, or took in a profile, keeps.

    Attributes:
        profile: what was timed.
        model: predicts the other subnets.
        validation: how well it predicts subnets that it never saw.
        sampled: the first so many of the timed ones are the sample that the validation is about.
        settled: how sure the front is; None where there was no quality to make one of.
    """

    FILE: ClassVar[str] = "latency.json"
    profile: LatencyProfile
    model: LatencyModel
    validation: CrossValidation
    sampled: int = Field(ge=1)
    settled: Settled | None = None

    @classmethod
    def of(
        cls,
        profile: LatencyProfile,
        costs: CostTable,
        *,
        sampled: int | None = None,
        settled: Settled | None = None,
        like: LatencyModel | None = None,
    ) -> Self:
        """Fit a model to a profile.

        Args:
            profile: of the supernet whose costs these are.
            costs: of its stages.
            sampled: see the class; all of them if left out.
            settled: see the class.
            like: take form and strength from this model instead of choosing them.

        Raises:
            InvalidInput: a subnet of the profile is not one of the space.
        """
        rows = costs.space.from_ids(profile.timings.arch_ids)
        n = len(rows) if sampled is None else sampled
        validated = np.arange(len(rows)) < n
        model, validation = fit_latency(costs, rows, profile.timings.ms, validated=validated, like=like)
        return cls(profile=profile, model=model, validation=validation, sampled=n, settled=settled)

    @property
    def objective(self) -> str:
        """Name of the objective: `latency_ms.SLUG`."""
        return self.profile.objective


class LatencyCheck(Record):
    """A later look at the anchors of a profile.

    Attributes:
        objective: of the profile.
        of: id of the run that keeps the profile.
        drift: how much slower the anchors are now, as a share.
        agreed: whether the new times repeat.
        date: ISO 8601 in UTC.
    """

    FILE: ClassVar[str] = "check.json"
    objective: str
    of: str
    drift: float = Field(allow_inf_nan=False)
    agreed: bool
    date: str


def identity_of(entry: SupernetEntry) -> SupernetIdentity:
    """What of a supernet decides how long its subnets take."""
    return SupernetIdentity(
        title="".join(c for c in entry.title if c.isprintable())[:120],
        family=entry.family,
        layout=_layout(entry),
        space=entry.space.fingerprint,
    )


@kept(64, key=lambda entry: entry.sha256)
def _layout(entry: SupernetEntry) -> str:
    return layout_of(entry.family, entry.header["config"], entry.space.fingerprint)


def quality_in(entry: SupernetEntry) -> Quality | None:
    """The usual quality in a supernet's complete table; None where there is none."""
    try:
        table = supernets.table(entry)
    except CoreError:  # damaged: its page says so, and there is no front to settle
        return None
    name = None if table is None else quality_of(table.columns)
    if table is None or name is None:
        return None
    values = dict(zip(table["arch_id"], table[name].to_numpy(float).tolist(), strict=True))
    return Quality(name, values, entry.table_sha256)


def latencies(store: RunStore | None, entry: SupernetEntry) -> list[Result[LatencyRecord]]:
    """Latencies of a supernet's subnets, one per objective, newest first; of several of one, its own newest counts."""
    found = [each for kind in KINDS for each in results(store, LatencyRecord, kind)]
    fitting = [each for each in found if each.record.profile.supernet.layout == _layout(entry)]
    own = {entry.supernet_id, entry.title}
    fitting.sort(key=lambda r: (r.run.params.get("supernet") in own, r.run.created), reverse=True)
    newest: dict[str, Result[LatencyRecord]] = {}
    for each in fitting:
        newest.setdefault(each.record.objective, each)
    return sorted(newest.values(), key=lambda r: -r.run.created)


def checks(store: RunStore | None) -> Mapping[str, LatencyCheck]:
    """The newest look at the anchors of each profile: id of the profile's run -> what it found."""
    found: dict[str, LatencyCheck] = {}
    for each in results(store, LatencyCheck, CHECKS):
        found.setdefault(each.record.of, each.record)
    return found


def stale(record: LatencyRecord, check: LatencyCheck | None, here: Device | None) -> str:
    """Why a profile should be made again, in a sentence; "" where there is no reason.

    Args:
        record: the profile's.
        check: the last look at its anchors.
        here: the machine at hand, None for a profile of another one.
    """
    device = record.profile.device
    if here is not None and device.model_dump(include=_MACHINE) != here.model_dump(include=_MACHINE):
        return "The machine or its onnxruntime is another one since this was timed: time it again."
    within = record.profile.anchors.drift
    if abs(within) > STALE_DRIFT:
        return f"The machine changed its speed by {format_share(abs(within))} while this was timed: time it again."
    if check is not None and abs(check.drift) > STALE_DRIFT:
        slower = "slower" if check.drift > 0 else "faster"
        return f"The anchors are {format_share(abs(check.drift))} {slower} now than when this was timed: time it again."
    return ""


def with_latencies(
    store: RunStore | None, entry: SupernetEntry, revision: str, table: pd.DataFrame
) -> tuple[str, pd.DataFrame]:
    """A table with the latencies there are of its subnets, and what is published of devices; and a revision that changes with them."""
    revision, table = with_devices(store, entry, revision, table)
    found = latencies(store, entry)
    if not found:
        return revision, table
    revision = "-".join([revision, *(each.files[LatencyRecord.FILE][:12] for each in found)])
    return revision, _attached(revision, [each.record for each in found], entry, table)


@kept(8, key=lambda revision, records, entry, table: (entry.revision, revision, len(table)))
def _attached(
    revision: str, records: Sequence[LatencyRecord], entry: SupernetEntry, table: pd.DataFrame
) -> pd.DataFrame:
    return attach(records, supernets.costs(entry), table)


def attach(records: Sequence[LatencyRecord], costs: CostTable, table: pd.DataFrame) -> pd.DataFrame:
    """A table with a column per latency, and beside it how each value was obtained.

    Args:
        records: of this supernet's structure.
        costs: of its stages.
        table: with a column `arch_id`; not changed.
    """
    ids = table["arch_id"].tolist()
    rows = costs.space.from_ids(ids)
    columns: dict[str, Any] = {}
    for record in records:
        name, timings = record.objective, record.profile.timings
        values = _predicted(record, costs, rows)
        sources = np.full(len(ids), str(Obtained(Source.PREDICTED)), object)
        timed = dict(zip(timings.arch_ids, timings.ms, strict=True))
        for at, arch_id in enumerate(ids):
            if arch_id in timed:
                values[at], sources[at] = timed[arch_id], str(Obtained(Source.MEASURED))
        columns |= {name: values, source_column(name): sources}
    return table.assign(**columns)


def _predicted(record: LatencyRecord, costs: CostTable, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Predictions of a record; one whose columns another release chose is fitted anew to its profile."""
    try:
        return record.model.predict(costs, rows)
    except InvalidInput:
        timings = record.profile.timings
        timed = costs.space.from_ids(timings.arch_ids)
        return fit_latency(costs, timed, timings.ms, like=record.model)[0].predict(costs, rows)
