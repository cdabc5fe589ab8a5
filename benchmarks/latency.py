"""Latency of a whole space: how long it takes, how well it predicts, and whether its front is that of brute force.

    python benchmarks/latency.py [SUPERNET]

The brute force takes 300 subnets, those nearest the predicted front, timed or not, and times all of them twice,
interleaved; how far the two times differ is the noise of the protocol. A member of one front differs from the other
front if it is beaten there by more than that. MACs are tried as a stand-in: which share of the front of MACs and accuracy
is on the front of latency, and how much slower its members are than the fastest subnet as good.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.evaluation.latency.candidates import fastest_as_good
from core.evaluation.latency.protocol import Patience, time_rounds
from core.library import supernets
from core.library.latency import LatencyRecord
from core.library.library import Library
from core.objectives.timing import rank_correlation
from core.pareto import non_dominated
from core.runtime import heavy_imports
from core.store import MemoryLedger
from core.workflows.measure_latency import Request, quality_in, racing, run

CANDIDATES = 300


@dataclass(frozen=True)
class Space:
    """Every subnet with its quality, MACs, and latency as the run knows it."""

    ids: list[str]
    quality: NDArray[np.float64]
    macs: NDArray[np.float64]
    timed: NDArray[np.float64]
    predicted: NDArray[np.float64]


def measured(name: str) -> tuple[LatencyRecord, float]:
    """The run, from nothing to its record, and how many seconds it took."""
    ledger, began = MemoryLedger(params={}), time.perf_counter()
    for step in run(Request(supernet=name), ledger, Library()):
        print(f"\r\x1b[K{step.fraction:6.1%} {step.message}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return LatencyRecord.decode(ledger.artifact(LatencyRecord.FILE)), time.perf_counter() - began


def space_of(name: str, record: LatencyRecord) -> Space:
    entry = supernets.find(None, name)
    quality, costs = quality_in(entry), supernets.costs(entry)
    if quality is None:
        raise SystemExit(f"{name} has no complete table of accuracies.")
    ids = list(quality.values)
    rows = costs.space.from_ids(ids)
    known = dict(zip(record.profile.timings.arch_ids, record.profile.timings.ms, strict=True))
    return Space(
        ids,
        np.array(list(quality.values.values())),
        costs.total("macs", rows).astype(float),
        np.array([known.get(i, np.nan) for i in ids]),
        record.model.predict(costs, rows),
    )


def brute_force(name: str, space: Space) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """Positions of the candidates, their latencies, and the noise: the 95th percentile of what two timings differ by."""
    entry = supernets.find(None, name)
    file, make_race = racing(entry, threads=1, batch=1)
    best = np.where(np.isfinite(space.timed), space.timed, space.predicted)
    nearest = np.argsort(best / fastest_as_good(space.quality, best), kind="stable")[:CANDIDATES]
    twice = []
    for _ in range(2):
        race = make_race()
        for at in nearest:
            race.add(file(entry.space.from_id(space.ids[at])))
        patience = Patience(agreement=1.0, difference=0.004, most_rounds=100, most_seconds=60.0)
        *_, found = time_rounds(race, patience)
        twice.append(found.ms)
    apart = np.abs(np.log(twice[0] / twice[1]) - np.median(np.log(twice[0] / twice[1])))
    return nearest, np.minimum(*twice), float(np.quantile(apart, 0.95))


def front(quality: NDArray[np.float64], ms: NDArray[np.float64]) -> NDArray[np.int64]:
    able = np.flatnonzero(np.isfinite(ms))
    return able[non_dominated(np.stack([quality, ms], axis=1)[able], maximize=[True, False])]


def beaten(
    members: NDArray[np.int64],
    by: NDArray[np.int64],
    quality: NDArray[np.float64],
    ms: NDArray[np.float64],
    noise: float,
) -> int:
    """Members that a subnet of the others beats by more than the noise."""
    return sum(bool((ms[by][quality[by] >= quality[m]] < ms[m] * (1 - noise)).any()) for m in members)


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "digits-cnn"
    heavy_imports()
    record, seconds = measured(name)
    space, found, timings = space_of(name, record), record.validation, record.profile.timings
    n = len(space.ids)
    print(
        f"{name}: {n:,} subnets on {record.profile.device.processor}, {record.profile.device.threads} thread"
    )
    print(f"seconds, all in all              {seconds:8.1f}   (goal: 90)")
    print(f"timed subnets                    {len(timings.ms):8,}   (sample {record.sampled:,})")
    print(f"rank correlation, tenfold        {found.rank_correlation:8.3f}   (goal: 0.98)")
    print(f"median error, tenfold            {found.median_error:8.1%}   (goal: 3 %)")
    print(f"95th percentile of the error     {found.p95_error:8.1%}")
    print(f"drift of the anchors             {record.profile.anchors.drift:+8.1%}")
    ours = front(space.quality, space.timed)
    nearest, ms, noise = brute_force(name, space)
    brute = np.full(n, np.nan)
    brute[nearest] = ms
    theirs = front(space.quality, brute)
    both = np.intersect1d(ours, nearest)
    print(f"noise of the protocol            {noise:8.1%}   (95 of 100 repeats)")
    print(
        f"front: members here, brute force {len(ours):8}   {len(theirs)}, {len(np.intersect1d(ours, theirs))} in both"
    )
    print(
        f"  beaten by brute force          {beaten(both, nearest, space.quality, brute, noise):8}   (goal: 0)"
    )
    print(
        f"  brute members beaten here      {beaten(theirs, both, space.quality, brute, noise):8}   (may be: brute force is one timing, too)"
    )
    missed = [
        m
        for m in theirs
        if m not in ours
        and not (brute[both][space.quality[both] >= space.quality[m]] <= brute[m] * (1 + noise)).any()
    ]
    print(f"  brute members missed           {len(missed):8}   (goal: 0)")
    by_macs = front(space.quality, space.macs)
    latency = np.where(np.isfinite(space.timed), space.timed, space.predicted)
    slower = latency[by_macs] / fastest_as_good(space.quality, latency)[by_macs] - 1
    share = len(np.intersect1d(by_macs, ours)) / len(by_macs)
    print(f"rank correlation MACs, latency   {rank_correlation(space.macs, latency):8.3f}")
    print(
        f"MACs front on the latency front  {share:8.0%}   of {len(by_macs)}; the others are slower than a subnet as good by "
        f"{np.median(slower[slower > 0]) if (slower > 0).any() else 0:.0%} at the median"
    )


if __name__ == "__main__":
    main()
