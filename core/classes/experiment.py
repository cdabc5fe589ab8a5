"""The shared experiment: every student trains a subnet of the lessons' supernet alone, and the class sees whether the
supernet ranks them rightly.

About twenty subnets are dealt in turn; when all are covered, they are dealt again with other seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.chance.rank_intervals import middle, resampled_kendall
from core.config import Settings
from core.errors import CoreError
from core.lessons.base import SUPERNET
from core.lessons.charts import Curves, Line, Slopes
from core.library.alone import JUDGED, KIND, list_alone
from core.library.supernets import SupernetEntry, table
from core.rank_correlation import kendall
from core.seeding import stream
from core.store.class_rows import Deal
from core.words import count_of

if TYPE_CHECKING:
    from core.store import RunStore

NETWORKS = 20
"""Different subnets of an experiment."""
LEAST = 6
"""Subnets that a rank correlation is said of."""
_DRAWS = 500


def subnets(entry: SupernetEntry, seed: int) -> tuple[str, ...]:
    """The subnets of a class's experiment, in the order they are dealt.

    One is drawn from each of as many groups of about equal accuracy in the supernet, so that all of its range is covered;
    the order is drawn, too, so that the first few already do.

    Args:
        entry: the supernet, measured whole.
        seed: of the class.
    """
    rows = table(entry)
    assert rows is not None
    ordered = rows.sort_values([JUDGED, "arch_id"])["arch_id"].tolist()
    rng = stream(seed, "shared experiment")
    groups = np.array_split(np.arange(len(ordered)), NETWORKS)
    chosen = [ordered[int(rng.choice(group))] for group in groups]
    return tuple(chosen[place] for place in rng.permutation(NETWORKS))


def dealt(entry: SupernetEntry, seed: int, number: int) -> tuple[str, int]:
    """(arch_id, seed of the training) of a deal: every subnet once, then all again with the next seed."""
    return subnets(entry, seed)[number % NETWORKS], 1 + number // NETWORKS


def request(deal: Deal) -> tuple[str, Settings, str]:
    """(workflow, request, title) of the job that trains a deal."""
    params: Settings = {"supernet": SUPERNET, "arch": deal.arch_id, "seeds": 1, "seed": deal.seed}
    return KIND, params, f"Alone for the class: {deal.arch_id}"


def result_of(sandbox: RunStore, deal: Deal) -> float | None:
    """Test accuracy of a deal's network; None where the sandbox has none yet, or cannot be read."""
    try:
        nets = list_alone(sandbox, arch_id=deal.arch_id)
    except CoreError:
        return None
    mine = [net for net in nets if net.run_id == deal.run_id and net.seed == deal.seed and net.finished]
    return mine[0].test_accuracy if mine else None


@dataclass(frozen=True)
class Agreement:
    """How well the supernet ranks subnets.

    Attributes:
        networks: that were trained alone.
        tau: Kendall's, of the subnets' accuracies inside and alone; None where it says nothing yet.
        low, high: middle 95 % of tau over the subnets drawn anew; NaN where there is none.
    """

    networks: int
    tau: float | None = None
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Experiment:
    """What the class has found so far.

    Attributes:
        arch_ids: subnets with a result.
        inside: (n,) test accuracies in the supernet.
        alone: (n,) mean test accuracies of the networks trained alone.
        nets: how many networks of each.
        history: after each finished network, from the first that tau can be said of.
    """

    arch_ids: tuple[str, ...] = ()
    inside: tuple[float, ...] = ()
    alone: tuple[float, ...] = ()
    nets: tuple[int, ...] = ()
    history: tuple[Agreement, ...] = ()

    @property
    def now(self) -> Agreement:
        return self.history[-1] if self.history else Agreement(sum(self.nets))


def experiment(entry: SupernetEntry, deals: Sequence[Deal], seed: int) -> Experiment:
    """The state of the experiment, from the deals' rows and the supernet's table alone.

    Args:
        seed: of the class; the draws of the interval depend on it.
    """
    rows = table(entry)
    assert rows is not None
    known = dict(zip(rows["arch_id"].tolist(), rows[JUDGED].astype(float).tolist(), strict=True))
    done = [deal for deal in deals if deal.finished is not None and deal.arch_id in known]
    done.sort(key=lambda deal: deal.finished or 0)
    found: dict[str, list[float]] = {}
    history = []
    for count, deal in enumerate(done, start=1):
        found.setdefault(deal.arch_id, []).append(float(deal.test_accuracy or 0.0))
        if len(found) >= LEAST:
            history.append(_agreement(known, found, count, seed))
    arch_ids = tuple(found)
    return Experiment(
        arch_ids,
        tuple(known[each] for each in arch_ids),
        tuple(float(np.mean(found[each])) for each in arch_ids),
        tuple(len(found[each]) for each in arch_ids),
        tuple(history),
    )


def _agreement(known: dict[str, float], found: dict[str, list[float]], count: int, seed: int) -> Agreement:
    inside = [known[each] for each in found]
    alone = [float(np.mean(values)) for values in found.values()]
    tau = kendall(inside, alone)
    if tau is None:
        return Agreement(count)
    low, high = middle(resampled_kendall(inside, alone, draws=_DRAWS, seed=seed))
    return Agreement(count, tau, low, high)


def slopes(found: Experiment) -> Slopes:
    """The slope graph: a line for each subnet from its rank in the supernet to its rank alone."""
    inside, alone = _ranks(found.inside), _ranks(found.alone)
    return Slopes(
        left="In the supernet",
        right="Trained alone",
        names=found.arch_ids,
        left_ranks=inside,
        right_ranks=alone,
        says=f"{len(found.arch_ids)} subnets ranked by test accuracy in the supernet and trained alone. {said(found)}",
    )


def said(found: Experiment) -> str:
    """The state in a sentence or two."""
    now = found.now
    nets = f"{count_of(now.networks, 'network')} trained alone, {len(found.arch_ids)} different subnets."
    if now.tau is None:
        return f"{nets} Kendall's tau is said from {LEAST} subnets on."
    return (
        f"{nets} Kendall's tau is {_signed(now.tau)}; drawing the subnets anew, it lies between {_signed(now.low)} and "
        f"{_signed(now.high)} in 95 of 100 draws."
    )


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def history(found: Experiment) -> Curves:
    """Tau and its interval against the number of networks trained."""
    known = [each for each in found.history if each.tau is not None]
    line = Line(
        "Kendall's tau, middle 95 %",
        x=tuple(float(each.networks) for each in known),
        y=tuple(float(each.tau or 0.0) for each in known),
        role="mine",
        low=tuple(each.low for each in known),
        high=tuple(each.high for each in known),
    )
    return Curves(
        x_title="Networks trained alone",
        y_title="Kendall's tau, supernet against alone",
        lines=(line,) if known else (),
        says=f"How the rank correlation and its interval change with every network. {said(found)}",
    )


def _ranks(values: Sequence[float]) -> tuple[float, ...]:
    """Ranks, 1 for the largest; ties share the mean of their ranks."""
    array = np.asarray(values, float)
    return tuple(float((array > value).sum() + ((array == value).sum() + 1) / 2) for value in array)
