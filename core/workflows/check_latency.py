"""Whether a machine is still what it was: the anchors of a latency profile, timed again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.evaluation.latency.profile import drift, now
from core.evaluation.latency.protocol import Patience, Timed, time_rounds
from core.library.latency import LatencyCheck, LatencyRecord
from core.library.latency_kinds import KINDS
from core.library.results import result
from core.records import Progress
from core.words import format_share
from core.workflows.measure_latency import racing

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Latency check"
WEIGHT_CLASS = "light"


class Request(BaseConfig):
    """Which profile to look at."""

    supernet: str = Field(description="Whose subnets, by name, id or file")
    run: str = Field(max_length=64, description="Id of the run that keeps the profile")
    seconds: float = Field(10.0, gt=0, le=600, description="Seconds of timing at most")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Time the anchors; the artifact is `check.json`.

    Raises:
        NotFound: there is no such supernet or run.
        InvalidInput: the run keeps no profile that was timed on a machine like this.
    """
    found = [r for kind in KINDS if (r := result(library.require_store(), LatencyRecord, kind, request.run))]
    if not found:
        raise InvalidInput("This run keeps no latencies; choose one that does.")
    record, entry = found[0].record, library.supernet(request.supernet)
    profile = record.profile
    yield Progress(0.0, f"Exporting the {len(profile.anchors.arch_ids)} anchors.")
    file, make_race = racing(entry, threads=profile.device.threads, batch=profile.device.batch)
    race = make_race()
    for arch_id in profile.anchors.arch_ids:
        race.add(file(entry.space.from_id(arch_id)))
    timed: Timed | None = None
    for timed in time_rounds(race, Patience(most_rounds=60, most_seconds=request.seconds)):
        yield Progress(min(0.9, timed.rounds / 60), f"Timing the anchors: round {timed.rounds}.")
    assert timed is not None
    moved = drift(profile.anchors.end, tuple(timed.ms.tolist()))
    LatencyCheck(
        objective=record.objective, of=request.run, drift=moved, agreed=timed.agreed, date=now()
    ).save(ledger)
    slower = "slower" if moved >= 0 else "faster"
    yield Progress(
        1.0, f"The anchors are {format_share(abs(moved), 1)} {slower} than when they were timed last."
    )
