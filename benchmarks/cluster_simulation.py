"""A cluster played from measured costs: when each shard starts and ends, and when each subnet of a search does.

The driver is one server: it takes a result and starts the next shard before it looks at the one after. A core waits
for its next shard as long as was measured between two shards, longer where the driver has others to serve first. How
long a shard takes is its modeled work times a ratio drawn from measured ones, divided by the speed of its node.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.records import Measurement
from core.search import SearchAlgorithm
from core.spaces import Arch


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        overhead: seconds that a core spends between two shards, one per shard observed.
        per_shard: seconds of the driver for each shard, giving it out and taking its result.
        per_result: seconds of the driver for each architecture in a result.
        ratios: measured over modeled seconds, one per shard observed.
        mean_ratio: the same of all those shards together.
    """

    overhead: NDArray[np.float64]
    per_shard: float
    per_result: float
    ratios: NDArray[np.float64]
    mean_ratio: float


@dataclass(frozen=True)
class Nodes:
    """What is assumed of the machines: cores each, and how far speeds are spread (standard deviation, mean 1)."""

    cores: int = 16
    spread: float = 0.1

    def speeds(self, cores: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(cores,) speeds; cores of one node are equally fast."""
        drawn = rng.normal(1.0, self.spread, -(-cores // self.cores)).clip(0.3)
        speeds = np.repeat(drawn, self.cores)[:cores]
        return np.asarray(speeds / speeds.mean())


@dataclass(frozen=True)
class Played:
    """How it went.

    Attributes:
        seconds: from the start of cutting to the last result.
        efficiency: seconds of one core of mean speed that walks all by itself, over cores times seconds.
        shares: what core-seconds went into besides: name -> share of them.
    """

    seconds: float
    efficiency: float
    shares: dict[str, float]


def play(
    modeled: Sequence[float],
    leaves: Sequence[int],
    whole: float,
    cores: int,
    costs: Costs,
    *,
    there: Sequence[float],
    nodes: Nodes,
    rng: np.random.Generator,
) -> Played:
    """One run over all shards, in the order given.

    Args:
        modeled, leaves: modeled seconds of each shard, and its architectures.
        whole: modeled seconds of one walk over all.
        cores: of the cluster.
        costs: measured.
        there: seconds after the start when each shard was cut; that of the last is what cutting costs the driver.
        nodes: assumed.
        rng: draws overheads, ratios and speeds.
    """
    speeds = nodes.speeds(cores, rng)
    ratios = rng.choice(costs.ratios, len(modeled))
    ratios *= costs.mean_ratio * sum(modeled) / float(ratios @ np.asarray(modeled))
    gaps = rng.choice(costs.overhead, len(modeled))
    driver = end = waited = 0.0
    # (when the driver hears of it, core, architectures in its result); at first every core asks.
    asking = [(0.0, core, 0) for core in range(cores)]
    heapq.heapify(asking)
    following = 0
    while asking:
        heard, core, results = heapq.heappop(asking)
        begun = max(heard, driver)
        driver = begun + results * costs.per_result
        end = max(end, driver)
        if following == len(modeled):
            continue
        # Cutting is the driver's own work: what it has cut late, it gives out late.
        given = max(driver, there[following])
        waited += given - heard - results * costs.per_result
        driver = given + costs.per_shard
        took = modeled[following] * ratios[following] / speeds[core]
        start = given + max(gaps[following], costs.per_shard)
        heapq.heappush(asking, (start + took, core, leaves[following]))
        following += 1
    seconds, alone = end, whole * costs.mean_ratio
    total = cores * seconds
    shares = {
        "done twice": max(sum(modeled) / whole - 1, 0.0) * alone / total,
        "between shards": float(gaps.sum()) / total,
        "waiting for the driver and its cuts": waited / total,
    }
    useful = alone / total
    shares["idle at the end, uneven speed"] = max(1 - useful - sum(shares.values()), 0.0)
    return Played(seconds, useful, shares)


# --- searches -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Searched:
    """A search that was played: seconds, share of the workers' time in which they measured, what was found in order."""

    seconds: float
    use: float
    found: list[Measurement]


def search_at_once(
    algorithm: SearchAlgorithm,
    measure: Callable[[Sequence[Arch]], list[Measurement]],
    seconds: Callable[[], float],
    *,
    workers: int,
    budget: int,
    barrier: int,
) -> Searched:
    """Search with several workers.

    Args:
        algorithm: fresh.
        measure: what an architecture's measurement is.
        seconds: how long the next measurement takes, with all that comes before and after it.
        workers: each measures one architecture at a time.
        budget: architectures to measure.
        barrier: asked for together and told together when the last is there; 0 asks again as soon as any is there.
    """
    clock, busy, given = 0.0, 0.0, 0
    free = [0.0] * workers
    flying: list[tuple[float, int, Arch]] = []
    found: list[Measurement] = []
    finished = False
    while len(found) < budget and not (finished and not flying):
        room = (barrier if not flying else 0) if barrier else workers - len(flying)
        wanted = min(room, budget - given)
        archs = algorithm.ask(wanted) if wanted > 0 and not finished else []
        finished = finished or (wanted > 0 and not archs and not flying)
        for arch in archs:
            took = seconds()
            start = max(heapq.heappop(free), clock)
            heapq.heappush(free, start + took)
            heapq.heappush(flying, (start + took, given, arch))
            busy, given = busy + took, given + 1
        if not flying:
            continue
        arrived = [heapq.heappop(flying) for _ in range(len(flying) if barrier else 1)]
        clock = max(at for at, _, _ in arrived)
        # A barrier tells in the order asked.
        told = measure([arch for _, _, arch in sorted(arrived, key=lambda each: each[1])])
        algorithm.tell(told)
        found += told
    return Searched(clock, busy / (workers * clock), found)
