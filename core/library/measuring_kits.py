"""Which subnets of a supernet a measuring kit holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import InvalidInput, NotFound
from core.evaluation.latency.plan import anchors_of, default_size, plan_sample
from core.evaluation.latency.profile import FEWEST_SUBNETS
from core.library import supernets
from core.library.latency import latencies
from core.library.profiles import could_be_on_front
from core.library.supernets import SupernetEntry
from core.spaces import Arch

if TYPE_CHECKING:
    from core.store import RunStore

KIT_FILE = "kit.zip"
MOST_SUBNETS = 1000


@dataclass(frozen=True)
class KitPlan:
    """What a kit times.

    Attributes:
        archs: subnets, in order.
        anchors: positions of those that are timed before and after everything else.
    """

    archs: tuple[Arch, ...]
    anchors: tuple[int, ...]


def plan_after(store: RunStore | None, entry: SupernetEntry, name: str) -> KitPlan:
    """The subnets of an earlier profile, and all that could be on the front given its errors.

    Args:
        store: where profiles are kept.
        entry: the supernet.
        name: objective of the profile.

    Raises:
        NotFound: there is no such profile.
        InvalidInput: its front consists of timed subnets already.
    """
    known = {each.record.objective: each.record for each in latencies(store, entry)}
    if name not in known:
        there = ", ".join(known) or "none"
        raise NotFound(f"{entry.title} has no profile called {name[:100]!r}; it has: {there}.")
    record = known[name]
    sample = record.profile.timings.arch_ids[:MOST_SUBNETS]
    further = could_be_on_front(record, entry, MOST_SUBNETS - len(sample))
    if not further:
        raise InvalidInput(
            "Nothing that was not timed could be on this front; a second kit has nothing to add."
        )
    rows = entry.space.from_ids([*sample, *further])
    sizes = supernets.costs(entry).total("macs", rows)
    return KitPlan(tuple(map(tuple, rows.tolist())), tuple(anchors_of(sizes).tolist()))


def plan_kit(entry: SupernetEntry, subnets: int | None = None, seed: int = 0) -> KitPlan:
    """A seeded sample of a supernet's subnets in which every stage occurs.

    Args:
        entry: the supernet.
        subnets: how many; as many as the predictor of latency needs, if left out.
        seed: of the sample.

    Raises:
        InvalidInput: the space has too few subnets to learn from.
    """
    costs = supernets.costs(entry)
    rows = plan_sample(costs, default_size(costs) if subnets is None else subnets, seed)
    if len(rows) < FEWEST_SUBNETS:
        raise InvalidInput(f"A kit needs at least {FEWEST_SUBNETS} subnets; this space has {len(rows)}.")
    archs = tuple(tuple(row) for row in rows.tolist())
    return KitPlan(archs, tuple(anchors_of(costs.total("macs", rows)).tolist()))
