"""A machine whose every latency is known: stages take what they take, some pairs of them more, and clocks are noisy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from core.evaluation.costs import CostTable
from core.evaluation.latency.campaign import Campaign, Limits, Quality, Settled, State
from core.evaluation.latency.design import columns_of
from core.evaluation.latency.device import this_device
from core.evaluation.latency.plan import anchors_of, plan_sample
from core.evaluation.latency.profile import Anchors, LatencyProfile, Protocol, SupernetIdentity, Timings
from core.store import MemoryLedger
from core.supernets.elastic_cnn import GroupConfig
from tests.helpers.nets import small_cnn


@cache
def small_costs() -> CostTable:
    """1,728 subnets in three groups."""
    return CostTable.of(small_cnn())


@cache
def tiny_costs() -> CostTable:
    """144 subnets in two groups."""
    groups = (GroupConfig(widths=(2, 4)), GroupConfig(widths=(3, 6)))
    return CostTable.of(small_cnn(groups=groups))


class World:
    """The truth about one machine.

    Args:
        costs: of the supernet.
        seed: of the truth.
        pairs: how much pairs of neighboring stages add to or take from the sum, as a share: what no sum predicts.
        noise: how far a visit is above the truth on average, as a share.
    """

    def __init__(self, costs: CostTable, *, seed: int = 0, pairs: float = 0.0, noise: float = 0.0) -> None:
        self.costs, self.noise = costs, noise
        self.columns, rng = columns_of(costs), np.random.default_rng(seed)
        n = sum(len(group) for group in self.columns.groups)
        self.times = rng.uniform(0.002, 0.02, n)
        self.pairs = pairs * rng.standard_normal((n, n))
        self.speed: Callable[[int], float] = lambda batch: 1.0
        self.batches = 0

    def true(self, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        keys = self.columns.one_hot(rows).astype(float)
        total = 0.005 + keys @ self.times
        return np.asarray(total * np.exp(np.einsum("ni,ij,nj->n", keys, self.pairs, keys) / 4))

    def race(self) -> FakeRace:
        self.batches += 1
        return FakeRace(self, self.speed(self.batches))

    def file(self, arch: tuple[int, ...]) -> bytes:
        return self.costs.space.arch_id(arch).encode()


class FakeRace:
    """Looks the truth up and adds noise, which depends on the networks and the round alone."""

    def __init__(self, world: World, speed: float) -> None:
        self.world, self.speed, self.ids, self.rounds = world, speed, list[str](), list[NDArray[np.float64]]()

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, model: bytes) -> None:
        self.ids.append(model.decode())

    def round(self) -> None:
        true = self.world.true(self.world.costs.space.from_ids(self.ids)) * self.speed
        rng = np.random.default_rng([len(self.rounds), *(int(i, 36) % 2**31 for i in self.ids[:20])])
        self.rounds.append(true * (1 + self.world.noise * rng.exponential(size=len(true))))

    @property
    def minima(self) -> NDArray[np.float64]:
        return np.array(self.rounds)


def campaign(
    world: World, *, n: int = 40, limits: Limits | None = None, quality: bool = True, seed: int = 0
) -> Campaign:
    """A campaign on a world; bigger subnets are better by and large."""
    rows = plan_sample(world.costs, n, seed)
    sample = world.costs.space.arch_ids(rows)
    anchors = tuple(sample[i] for i in anchors_of(world.costs.total("macs", rows)))
    ticks = iter(range(10**9))
    return Campaign(
        costs=world.costs,
        sample=sample,
        quality=qualities(world, seed) if quality else None,
        limits=limits or Limits(),
        file=world.file,
        race=world.race,  # type: ignore[arg-type]
        ledger=MemoryLedger(params={}),
        state=State(device=this_device(), layout="0" * 64, anchors=anchors),
        clock=lambda: next(ticks) / 1000,
    )


def finished(work: Campaign) -> tuple[Settled | None, list[float]]:
    """Run to the end: what came of it, and how far it was at each step."""
    said, steps = [], work.run()
    while True:
        try:
            said.append(next(steps).fraction)
        except StopIteration as stop:
            return stop.value, said


def qualities(world: World, seed: int = 0) -> Quality:
    rows = world.costs.space.array()
    macs = np.log(world.costs.total("macs", rows).astype(float))
    spread = np.random.default_rng(seed).normal(0, 0.25, len(rows))
    share = np.round(0.8 + 0.02 * (macs - macs.mean() + spread), 3)
    return Quality("accuracy", dict(zip(world.costs.space.arch_ids(rows), share.tolist(), strict=True)))


def profile_of(
    world: World, identity: SupernetIdentity, n: int = 64, *, name: str = "Toy machine"
) -> LatencyProfile:
    """What a kit on this world would send."""
    rows = plan_sample(world.costs, n)
    ids, ms = world.costs.space.arch_ids(rows), world.true(rows).tolist()
    return LatencyProfile(
        supernet=identity,
        device=this_device(name=name),
        protocol=Protocol(rounds=10, runs=4, agreement=0.995),
        planned=len(ids),
        timings=Timings(arch_ids=tuple(ids), ms=tuple(ms), spread=(0.0,) * len(ids)),
        anchors=Anchors(arch_ids=tuple(ids[:4]), start=tuple(ms[:4]), end=tuple(ms[:4])),
        date="2026-11-28T09:00:00Z",
    )
