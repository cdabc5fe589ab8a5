"""The ranking check as a result: what subnets do in their supernet, and what their architectures learn alone.

A network trained alone depends on its architecture, its seed, the data and the settings, and not on the weights of
any supernet. So what one check trained counts in every other that asks for the same, also of another supernet of the
same space, and so do networks that `train_alone` kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from core.errors import InvalidInput
from core.library import supernets
from core.library.alone import KIND as ALONE
from core.library.alone import AloneRecord
from core.library.fronts import front
from core.library.results import Described, Part, Record, results
from core.library.supernets import SupernetEntry
from core.library.trainings import OF_THE_SUPERNET
from core.objectives.base import FromCosts, names_of
from core.seeding import stream
from core.spaces.spread import spread_rows
from core.training.config import TrainingConfig
from core.words import count_of, format_count

if TYPE_CHECKING:
    import pandas as pd

    from core.store import RunStore

KIND = "check_ranking"
QUALITY = "accuracy"
"""What a search chooses by: the validation accuracy with the supernet's weights."""
Way = Literal["spread", "front", "near"]
WAYS: dict[str, str] = {
    "spread": "Spread over cost",
    "front": "On the front",
    "near": "Near the front",
}
NEAREST = 0.1
"""Share of the measured subnets that is near their front: those least far below it at their cost."""


class CheckedSubnet(Part):
    """One subnet of a check.

    Attributes:
        arch_id: of its architecture.
        accuracy, test_accuracy: fractions, with the supernet's weights, on the validation and the test samples.
        cost: in the unit of the record's cost.
        gap: how far its accuracy lies below the best one that is known at no more cost; 0 on the front.
    """

    arch_id: str
    accuracy: float
    test_accuracy: float
    cost: float
    gap: float = 0.0


class CheckedNet(Part):
    """What one architecture learned alone with one seed.

    Attributes:
        arch_id: of its architecture.
        seed: of weights and order; the number of the column, from 1, where a table is the truth.
        accuracy: on the validation samples; None where a table is the truth.
        test_accuracy: a fraction.
        seconds: that its training took.
        run: that had trained it already; "" where this one did.
    """

    arch_id: str
    seed: int
    accuracy: float | None
    test_accuracy: float
    seconds: float = 0.0
    run: str = ""


class RankingRecord(Record):
    """A ranking check, written anew after every network.

    Attributes:
        supernet, sha256: id and file hash of the supernet.
        learns: equal for trainings alone that differ in architecture and seed only; "" where a table is the truth.
        data: what the data are, for people.
        samples: of the validation and of the test split; 0 where it is not known.
        training: how each is trained alone; None where a table is the truth.
        training_from_card: whether the supernet's card said so.
        truth: what the supernet is held against: "" for trainings alone, else which table and columns.
        chosen: which subnets these are, in a sentence.
        cost: objective that costs are of.
        front_of: of which subnets the front is that `gap` is below.
        seeds: asked for.
        subnets: in the order they are trained.
        nets: those trained so far.
    """

    FILE: ClassVar[str] = "ranking-check.json"
    supernet: str
    sha256: str
    learns: str
    data: Described
    samples: tuple[int, int] = (0, 0)
    training: Described | None
    training_from_card: bool
    truth: str = ""
    chosen: str
    cost: str
    front_of: str
    seeds: tuple[int, ...]
    subnets: tuple[CheckedSubnet, ...]
    nets: tuple[CheckedNet, ...] = ()

    @property
    def wanted(self) -> list[tuple[str, int]]:
        """(arch_id, seed) of every network, in the order they are trained: all subnets once, then again."""
        return [(each.arch_id, seed) for seed in self.seeds for each in self.subnets]

    @property
    def missing(self) -> list[tuple[str, int]]:
        """Those of `wanted` that are not trained yet."""
        there = {(net.arch_id, net.seed) for net in self.nets}
        return [each for each in self.wanted if each not in there]

    def with_net(self, net: CheckedNet) -> RankingRecord:
        """With one network more that this run trained; those stand in the order of `wanted`, whichever was done first."""
        place = {each: at for at, each in enumerate(self.wanted)}
        mine = sorted(
            [*(n for n in self.nets if not n.run), net], key=lambda each: place[each.arch_id, each.seed]
        )
        return self.model_copy(update={"nets": (*(n for n in self.nets if n.run), *mine)})


def learns(entry: SupernetEntry, config: TrainingConfig, fingerprint: str) -> str:
    """A key that trainings alone share if and only if they differ in architecture and seed alone.

    Args:
        entry: the supernet; its family and configuration say what an architecture is.
        config: how each is trained.
        fingerprint: of the data.
    """
    told = [entry.family, entry.header["config"], fingerprint, _plain(config)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def _plain(config: TrainingConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude=set(OF_THE_SUPERNET))


def known_nets(
    store: RunStore | None, entry: SupernetEntry, config: TrainingConfig, key: str
) -> dict[tuple[str, int], CheckedNet]:
    """(arch_id, seed) -> networks trained alone with the same settings, by whatever run.

    Args:
        store: where runs are kept.
        entry: the supernet.
        config: how each is trained.
        key: see `learns`.
    """
    found: dict[tuple[str, int], CheckedNet] = {}
    for kept in results(store, RankingRecord, KIND):
        if kept.record.learns == key:
            for net in kept.record.nets:
                found[net.arch_id, net.seed] = net.model_copy(update={"run": net.run or kept.run.run_id})
    # Where both are there, the network that is kept as a file counts.
    for alone in results(store, AloneRecord, ALONE):
        if alone.record.sha256 == entry.sha256 and _same(alone.record, config):
            for one in alone.record.nets:
                found[alone.record.arch_id, one.seed] = CheckedNet(
                    arch_id=alone.record.arch_id,
                    seed=one.seed,
                    accuracy=one.accuracy,
                    test_accuracy=one.test_accuracy,
                    seconds=one.seconds,
                    run=alone.run.run_id,
                )
    return found


def _same(record: AloneRecord, config: TrainingConfig) -> bool:
    try:
        return _plain(TrainingConfig.model_validate(record.training.model_dump())) == _plain(config)
    except ValidationError:
        return False


def cost_of(entry: SupernetEntry) -> str:
    """The objective that subnets are spread over: MACs where they are counted, else what is.

    Raises:
        InvalidInput: this family counts nothing.
    """
    one = np.array([entry.reference], np.uint8)
    for name in ("macs", *names_of(FromCosts)):
        try:
            supernets.counted(entry, one, name)
        except InvalidInput:
            continue
        return name
    raise InvalidInput(f"Nothing is counted of the subnets of {entry.title}, so they have no order of cost.")


def choose(
    entry: SupernetEntry,
    table: pd.DataFrame | None,
    *,
    way: Way,
    n: int,
    seed: int,
    cost: str,
    among: Sequence[str] = (),
) -> tuple[tuple[str, ...], str]:
    """Ids of subnets to check, in order of cost, and which they are, in a sentence.

    Args:
        entry: the supernet.
        table: what is measured of it; needed for what lies on its front or near it.
        way: spread over cost; members of the front, spread over it where there are more; or drawn from near it.
        n: how many at most.
        seed: of what is drawn.
        cost: objective of the costs.
        among: only these, if any.

    Raises:
        InvalidInput: nothing is measured, and the front is asked for.
    """
    rng = stream(seed, "ranking check", way)
    costs = lambda rows: supernets.counted(entry, rows, cost).astype(float)  # noqa: E731
    if way == "spread":
        if among:
            rows = entry.space.from_ids(list(among))
            rows = rows[np.lexsort((rng.permutation(len(rows)), costs(rows)))]
            taken = rows[_evenly(len(rows), n)]
        else:
            taken = spread_rows(entry.space, n, rng, costs)
            taken = taken[np.argsort(costs(taken), kind="stable")]
        ids = tuple(entry.space.arch_ids(taken))
        return ids, f"{count_of(len(ids), 'subnet')} spread over cost, from the cheapest to the dearest"
    if table is None or QUALITY not in table or cost not in table:
        raise InvalidInput(
            f"Which subnets of {entry.title} are on its front is not known: measure them on the Front page first, or take "
            "subnets spread over cost."
        )
    known = table[table["arch_id"].isin(among)] if among else table
    if way == "front":
        members = front(known, (cost, QUALITY)).members["arch_id"].tolist()
        ids = tuple(members[at] for at in _evenly(len(members), n))
        return ids, f"{format_count(len(ids))} of {format_count(len(members))} members of the front"
    below = gaps(known[QUALITY], known[cost], known[QUALITY], known[cost])
    near = np.argsort(below, kind="stable")[: max(round(NEAREST * len(known)), n)]
    drawn = known.iloc[np.sort(rng.permutation(near)[:n])].sort_values([cost, "arch_id"])
    ids = tuple(drawn["arch_id"].tolist())
    return ids, (
        f"{count_of(len(ids), 'subnet')} drawn from the {format_count(len(near))} of {format_count(len(known))} that lie least "
        "far below the front at their cost"
    )


def _evenly(there: int, n: int) -> NDArray[np.int64]:
    """n different positions out of as many as there are, the first and the last among them."""
    return np.unique(np.round(np.linspace(0, there - 1, min(n, there))).astype(np.int64))


def gaps(
    accuracy: ArrayLike, cost: ArrayLike, known_accuracy: ArrayLike, known_cost: ArrayLike
) -> NDArray[np.float64]:
    """(n,) how far accuracies lie below the best known at no more cost; never negative, 0 where nothing is cheaper.

    Args:
        accuracy, cost: (n,) of subnets.
        known_accuracy, known_cost: (m,) of those that the front is of.
    """
    order = np.argsort(np.asarray(known_cost, float), kind="stable")
    costs = np.asarray(known_cost, float)[order]
    best = np.fmax.accumulate(np.asarray(known_accuracy, float)[order])
    at = np.searchsorted(costs, np.asarray(cost, float), side="right") - 1
    own = np.asarray(accuracy, float)
    return np.where(at >= 0, np.maximum(best[np.maximum(at, 0)] - own, 0.0), 0.0)
