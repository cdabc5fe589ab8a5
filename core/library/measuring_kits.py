"""Which subnets of a supernet a measuring kit holds."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import InvalidInput
from core.evaluation.latency.plan import anchors_of, default_size, plan_sample
from core.evaluation.latency.profile import FEWEST_SUBNETS
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.spaces import Arch

KIT_FILE = "kit.zip"


@dataclass(frozen=True)
class KitPlan:
    """What a kit times.

    Attributes:
        archs: subnets, in order.
        anchors: positions of those that are timed before and after everything else.
    """

    archs: tuple[Arch, ...]
    anchors: tuple[int, ...]


def plan_kit(entry: SupernetEntry, subnets: int | None = None, seed: int = 0) -> KitPlan:
    """A seeded sample of a supernet's subnets in which every stage occurs.

    Args:
        entry: the supernet.
        subnets: how many; as many as the model of latency needs, if left out.
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
