"""Measure some architectures of a space: a sample spread evenly over MACs, or the neighbors of given ones.

A space of 10^10 architectures is never measured whole. A sample says what the space is like: the smallest, the
largest, and as many in every part of the range between. Afterwards one looks closer where it is good: a search, or
every architecture that differs in one choice from the knee.

What is measured follows from the request and its seed alone, in prefix order, so that beginnings are shared. Rows
are kept like a search's, a batch at a time; a resumed run goes on after the last batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, field_validator

from core.config import BaseConfig
from core.errors import InvalidInput
from core.library import supernets
from core.library.csv_tables import csv_bytes
from core.library.evaluations import architectures, evaluations
from core.library.measuring import DataChoice, by_forward_pass, from_table
from core.library.samples import SampleRecord
from core.library.searches import EVALUATIONS_FILE
from core.library.supernets import SupernetEntry
from core.objectives.base import FromProfile, choosable_names, names_of, quick_names, usual_pair
from core.objectives.base import objectives as described
from core.records import Measurement, Obtained, Progress, Source
from core.seeding import stream
from core.spaces import Arch, Archs
from core.spaces.spread import spread_rows

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Sample"
WEIGHT_CLASS = "measuring"
SAMPLED = Obtained(Source.MEASURED, "sample")
"""How a number was obtained that was measured to know the space, not to be good."""
_BATCH = 32


class Request(BaseConfig):
    """Which subnets of which supernet to measure."""

    supernet: str = Field(description="A supernet's name, an id, or a .safetensors file")
    n: int = Field(
        300, ge=2, le=100_000, description="Subnets, spread evenly over MACs from the smallest to the largest"
    )
    around: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="Measure every subnet that differs from these in one choice instead",
    )
    objectives: list[str] = Field(
        default_factory=quick_names, min_length=1, description="What is measured of each"
    )
    seed: int = Field(0, ge=0, description="Decides which subnets are drawn")
    data: DataChoice | None = Field(None, description="Measure on other data than the supernet's own")
    keep_mb: int = Field(
        1000, ge=0, le=1_000_000, description="Megabytes of activations kept between batches; 0 keeps none"
    )

    @field_validator("objectives")
    @classmethod
    def _measurable(cls, names: list[str]) -> list[str]:
        described(names)
        if profiled := names_of(FromProfile, names):
            raise InvalidInput(
                f"{described(profiled)[0].label} is known from a profile of that device; `latency` and `add-profile` make one."
            )
        return list(dict.fromkeys(names))


def planned(request: Request, entry: SupernetEntry) -> Archs:
    """(n, d) architectures that a request measures, in prefix order.

    Raises:
        InvalidInput: a neighbor is asked for of what is no architecture of this space.
    """
    space = entry.space
    if request.around:
        centers = [space.from_id(text) for text in request.around]
        near = {arch for center in centers for arch in (center, *space.neighbors(center))}
        return np.array(sorted(near), np.uint8)
    rng = stream(request.seed, "measure_sample")
    return spread_rows(
        space, request.n, rng, lambda rows: supernets.counted(entry, rows, "macs").astype(float)
    )


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Measure them, or go on measuring; yields after every subnet.

    Artifacts: `evaluations.csv` (every measurement, with `on_front`) and `sample.json`.

    Raises:
        NotFound: the supernet does not exist.
        InvalidInput: an objective cannot be measured, or the stored measurements belong to another request.
        DataUnavailable: the data set is neither here nor reachable.
    """
    entry = library.supernet(request.supernet)
    yield Progress(0.0, f"Preparing {entry.title}.")
    rows = [tuple(row) for row in planned(request, entry).tolist()]
    done = _stored(ledger, rows)
    if len(done) < len(rows):
        measure = from_table(entry, request.objectives) if request.data is None else None
        if measure is None:
            measure = by_forward_pass(entry, request.data, request.objectives, keep=request.keep_mb * 10**6)
        for at in range(len(done), len(rows), _BATCH):
            batch: dict[Arch, Measurement] = {}
            asked = rows[at : at + _BATCH]
            for measurement in measure(asked):
                batch[measurement.arch] = _told(measurement)
                n = at + len(batch)
                yield Progress(n / len(rows), f"{n:,} of {len(rows):,} subnets measured.", {"evaluations": n})
            ordered = [batch[arch] for arch in asked]
            ledger.add_measurements(at // _BATCH, ordered)
            done += ordered
    yield _finished(request, entry, done, ledger)


def _told(measurement: Measurement) -> Measurement:
    """The measurement, which says of what was measured here that its subnet is one of a sample."""
    told = {
        name: SAMPLED if how == Obtained(Source.MEASURED) else how
        for name, how in ((name, measurement.how(name)) for name in measurement.values)
    }
    return Measurement(measurement.arch, measurement.values, told)


def _stored(ledger: Ledger, rows: Sequence[Arch]) -> list[Measurement]:
    """What an interrupted run has measured, in the order of the rows."""
    stored = [measurement for _, measurement in ledger.measurements()]
    if [m.arch for m in stored] != list(rows[: len(stored)]):
        raise InvalidInput(
            "The stored measurements do not follow from this run's settings, so it cannot be continued. They are kept; "
            "start a new sample."
        )
    return stored


def _finished(
    request: Request, entry: SupernetEntry, measured: Sequence[Measurement], ledger: Ledger
) -> Progress:
    goals = described(request.objectives)
    pair = described(usual_pair(choosable_names(request.objectives)) or ())
    table = evaluations(entry.space, goals, measured, [o.name for o in pair])
    ledger.save_artifact(EVALUATIONS_FILE, csv_bytes(architectures(entry.space, table)), "text/csv")
    on_front = int(table["on_front"].sum()) if pair else 0
    macs = np.zeros(1, np.int64)
    with suppress(InvalidInput):  # a family may count none
        macs = supernets.counted(entry, np.array([m.arch for m in measured], np.uint8), "macs")
    SampleRecord(
        evaluations=len(measured), front_size=on_front, least=int(macs.min()), most=int(macs.max())
    ).save(ledger)
    found = f"{on_front:,} of them on their front; search near it to find better ones." if pair else ""
    return Progress(
        1.0, f"{len(measured):,} subnets measured. {found}".strip(), {"evaluations": len(measured)}
    )
