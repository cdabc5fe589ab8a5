"""What the Front page says of latencies: which there are, how good their predictions are, whether they still hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.evaluation.latency.campaign import Settled
from core.evaluation.latency.device import this_device
from core.evaluation.latency.plan import default_size, expected_seconds
from core.evaluation.latency.profile import Device
from core.library import supernets
from core.library.fronts import Front
from core.library.latency import (
    LatencyCheck,
    LatencyRecord,
    checks,
    latencies,
    stale,
)
from core.library.latency_kinds import TIMED_HERE
from core.library.results import Result
from core.library.supernets import SupernetEntry
from core.objectives.base import device_of, objective
from core.words import count_of, format_bytes, format_count, format_seconds, format_share

if TYPE_CHECKING:
    from core.store import RunStore


@dataclass(frozen=True)
class KnownLatency:
    """One latency objective of a supernet.

    Attributes:
        name: of the objective.
        device: as a person reads it.
        run_id: of the run that keeps it.
        here: whether it was timed on this machine, as it is now.
        stale: why it should be made again, a sentence; "" where there is no reason.
        facts: what was timed, how well the rest is predicted, how; label -> text.
        front: a sentence on how sure the front is; "" where none was settled.
    """

    name: str
    device: str
    run_id: str
    here: bool
    stale: str
    facts: Mapping[str, str]
    front: str


@dataclass(frozen=True)
class Offer:
    """What timing this machine would do.

    Attributes:
        device: this machine.
        sample: subnets of the sample.
        seconds: that all of it takes, roughly.
    """

    device: Device
    sample: int
    seconds: float


def known_latencies(store: RunStore | None, entry: SupernetEntry) -> list[KnownLatency]:
    """The latencies of a supernet's subnets, newest first."""
    found = latencies(store, entry)
    looked = checks(store) if found else {}
    return [_known(each, looked, entry) for each in found]


def _known(
    each: Result[LatencyRecord], looked: Mapping[str, LatencyCheck], entry: SupernetEntry
) -> KnownLatency:
    record, profile = each.record, each.record.profile
    machine = this_device(
        name=profile.device.name, threads=profile.device.threads, batch=profile.device.batch
    )
    timed_here = each.run.kind == TIMED_HERE
    check = looked.get(each.run.run_id)
    return KnownLatency(
        name=record.objective,
        device=device_of(record.objective),
        run_id=each.run.run_id,
        here=timed_here and machine == profile.device,
        stale=stale(
            record, check, machine if timed_here and profile.device.runtime == machine.runtime else None
        ),
        facts=_facts(record, entry, check),
        front=_settled(record.settled, entry),
    )


def offer(entry: SupernetEntry) -> Offer:
    """What timing a supernet on this machine would do."""
    costs = supernets.costs(entry)
    return Offer(this_device(), default_size(costs), expected_seconds(costs))


def with_note(front: Front, store: RunStore | None, entry: SupernetEntry) -> Front:
    """A front that says of its subnets with predicted latencies what is known of them."""
    if not front.left_out:
        return front
    for each in latencies(store, entry):
        settled = each.record.settled
        if settled and settled.reached and {each.record.objective, settled.objective} == set(front.names):
            if settled.table not in ("", entry.table_sha256):
                break
            return replace(front, left_out=_hollow(settled))
    return front


def _hollow(settled: Settled) -> str:
    return f"Hollow dots are predicted and stand on no front; every member was timed. {_sure(settled)}"


def _sure(settled: Settled) -> str:
    share = format_share(max(settled.chance, 0.001), 1)
    return f"The chance that any subnet which was not timed belongs on this front is at most {share}."


def _facts(record: LatencyRecord, entry: SupernetEntry, check: LatencyCheck | None) -> dict[str, str]:
    profile, found = record.profile, record.validation
    device, protocol = profile.device, profile.protocol
    timed, size = len(profile.timings.ms), entry.space.size
    samples = "one sample" if device.batch == 1 else f"{device.batch} samples"
    threads = count_of(device.threads, "thread")
    agreed = "" if protocol.agreed else ", less than asked for: a busy machine"
    facts = {
        "Device": f"{device.processor or device.name}, {threads}",
        "Run by": f"{device.runtime} {device.version}, {device.precision}, {samples} at a time",
        "Timed": f"{format_count(timed)} of {count_of(size, 'subnet')}, the others are predicted",
        "Predictions are off by": f"{format_share(found.median_error, 1)} at the median, {format_share(found.p95_error, 1)} for "
        "one in twenty",
        "Rank correlation": f"{found.rank_correlation:.3f} on unseen subnets (tenfold cross-validation)",
        "Protocol": f"minimum of {protocol.rounds} or more rounds of {protocol.runs} runs, interleaved",
        "Two halves agree by": f"{protocol.agreement:.3f}{agreed}",
        "Drift meanwhile": _moved(profile.anchors.drift),
        "When": f"{profile.date[:10]} {profile.date[11:16]} UTC, in {format_seconds(protocol.seconds)}",
    }
    if profile.timings.peak_bytes:
        facts["Activations"] = f"{format_bytes(max(profile.timings.peak_bytes))} at most, measured"
    elif profile.process_peak_bytes:
        facts["Memory"] = f"{format_bytes(profile.process_peak_bytes)} at most, the whole process"
    if check is not None:
        facts["Anchors later"] = f"{_moved(check.drift)}, {check.date[:10]} {check.date[11:16]} UTC"
    return facts


def _moved(drift: float) -> str:
    return f"{format_share(abs(drift), 1)} {'slower' if drift >= 0 else 'faster'}"


def _settled(settled: Settled | None, entry: SupernetEntry) -> str:
    if settled is None:
        return "There was no table of accuracies, so the front may miss subnets that were not timed."
    label = objective(settled.objective).label.lower()
    if settled.table not in ("", entry.table_sha256):
        return f"The front was settled for another table of {label}; time it again to settle this one."
    if settled.reached:
        return f"The front of latency and {label} consists of timed subnets. {_sure(settled)}"
    return f"Not all that could be on the front of latency and {label} were timed: it may miss some."
