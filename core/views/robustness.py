"""Robustness of subnets: the front of robust accuracy, and what goes with it among the subnets that were attacked.

A correlation over subnets of one supernet with one training is no law: the sentences say how many subnets, and an
interval from resampling them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.cache import kept, place_of
from core.errors import InvalidInput
from core.library.evaluations import evaluations
from core.library.gathered import measuring_runs, on_own_data
from core.library.samples import KIND
from core.library.supernets import SupernetEntry
from core.objectives.base import objectives
from core.rank_correlation import mean_ranks
from core.records import Measurement, Run
from core.seeding import stream
from core.spaces import SearchSpace
from core.words import format_share

if TYPE_CHECKING:
    import pandas as pd

    from core.store import RunStore

__all__ = ["AGAINST", "KIND", "MEASURED", "Robustness", "attacked_runs", "robustness", "robustness_of"]

ROBUST, CLEAN, DISTANCE, COST = "robust_accuracy", "accuracy", "fsp_distance", "macs"
MEASURED = (ROBUST, CLEAN, DISTANCE, COST)
"""Objectives that a look at robustness measures."""
AGAINST = (COST, DISTANCE, CLEAN)
"""What robust accuracy is drawn against."""
_ASKED = (
    ("Accuracy without attack", CLEAN, ""),
    ("MACs", COST, ""),
    ("FSP distance", DISTANCE, ""),
    ("FSP distance at equal accuracy", DISTANCE, CLEAN),
)
"""What goes with robust accuracy: in words, by objective, at equal ranks of another one."""
_RESAMPLES = 1000
_FEWEST = 8
_FLOOR = 0.1
"""Where no subnet is right more often than this under attack, an order among them says little."""


@dataclass(frozen=True)
class Correlation:
    """A rank correlation with robust accuracy over n subnets.

    Attributes:
        label: of what goes with it.
        rho: Spearman's.
        low, high: 95 % interval, from resampling the subnets.
    """

    label: str
    rho: float
    low: float
    high: float

    @property
    def shows(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.label}: {self.rho:+.2f} ({self.low:+.2f} to {self.high:+.2f})".replace("-", "−")


@dataclass(frozen=True, eq=False)
class Robustness:
    """What is known of some subnets under attack.

    Attributes:
        names, cost: what was measured of each, and which of them is the front's cost.
        table: a row per subnet, with `on_front` for robust accuracy against MACs.
        correlations: of robust accuracy with accuracy, MACs and FSP distance, and with the distance at equal accuracy.
        sentences: what they say.
    """

    names: ClassVar[tuple[str, ...]] = MEASURED
    cost: ClassVar[str] = COST
    table: pd.DataFrame
    correlations: tuple[Correlation, ...]
    sentences: tuple[str, ...]


def robustness(space: SearchSpace, measured: Sequence[Measurement]) -> Robustness:
    """What some subnets under attack say.

    Args:
        space: of the subnets.
        measured: each with the objectives of `MEASURED`.

    Raises:
        InvalidInput: they are too few for a correlation.
    """
    complete = [m for m in measured if all(name in m.values for name in MEASURED)]
    if len(complete) < _FEWEST:
        raise InvalidInput(
            f"A correlation needs at least {_FEWEST} subnets that were attacked; {len(complete)} were."
        )
    table = evaluations(space, objectives(MEASURED), complete, (ROBUST, COST))
    columns = {name: table[name].to_numpy(float) for name in MEASURED}
    found = _correlations(columns)
    return Robustness(table, tuple(found), tuple(_sentences(columns, found)))


def attacked_runs(store: RunStore | None, entry: SupernetEntry) -> list[Run]:
    """Samples of a supernet's subnets that were attacked on its own data, newest first."""
    found = on_own_data(measuring_runs(store, entry.supernet_id, (KIND,)))
    return [run for run in found if set(MEASURED) <= set(_listed(run.params.get("objectives")))]


def _listed(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


@kept(16, key=lambda store, entry, run_id: (place_of(store), entry.sha256, run_id))
def robustness_of(store: RunStore, entry: SupernetEntry, run_id: str) -> Robustness:
    """What a finished sample says.

    Raises:
        InvalidInput: its subnets are too few for a correlation.
    """
    return robustness(entry.space, [measurement for _, measurement in store.ledger(run_id).measurements()])


def _correlations(columns: Mapping[str, NDArray[np.float64]]) -> list[Correlation]:
    """Those that are defined: nothing goes with a constant. Resampled subnets keep their ranks among all."""
    n, rng = len(columns[ROBUST]), stream(0, "robustness")
    picks = np.concatenate([np.arange(n)[None], rng.integers(n, size=(_RESAMPLES, n))])
    ranks = {name: mean_ranks(values)[picks] for name, values in columns.items()}
    found = []
    for label, name, beside in _ASKED:
        rho = _together(ranks[name], ranks[ROBUST])
        if beside:
            one, other = _together(ranks[name], ranks[beside]), _together(ranks[ROBUST], ranks[beside])
            with np.errstate(invalid="ignore", divide="ignore"):
                rho = (rho - one * other) / np.sqrt((1 - one**2) * (1 - other**2))
        known = rho[np.isfinite(rho)]
        if np.isfinite(rho[0]) and len(known) > 1:
            low, high = np.quantile(known[1:], [0.025, 0.975])
            found.append(Correlation(label, float(rho[0]), float(low), float(high)))
    return found


def _together(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m,) correlations of the rows of two (m, n) arrays; NaN for a constant."""
    one, other = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    scale = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = (one * other).sum(1) / scale
    return found


def _sentences(columns: Mapping[str, NDArray[np.float64]], found: Sequence[Correlation]) -> list[str]:
    robust = columns[ROBUST]
    said = [
        f"{len(robust)} subnets under attack: {format_share(float(robust.min()), 1)} to {format_share(float(robust.max()), 1)} "
        f"of the images stay right, of {format_share(float(columns[CLEAN].min()), 1)} to "
        f"{format_share(float(columns[CLEAN].max()), 1)} without."
    ]
    if robust.max() <= _FLOOR:
        said.append(
            "Hardly any image stays right in any of them, so their order says little: train with the method "
            "`adversarial` first."
        )
    said += [f"Rank correlation with robust accuracy (95 %): {'; '.join(map(str, found))}."] if found else []
    distance = next((c for c in found if c.label == "FSP distance"), None)
    equal = next((c for c in found if c.label.startswith("FSP distance at")), None)
    if distance is not None:
        said.append(_verdict(distance, equal))
    return said


def _verdict(distance: Correlation, equal: Correlation | None) -> str:
    """Rule: a correlation shows where its interval leaves out zero."""
    if not distance.shows:
        return "Whether a lower FSP distance goes with more robustness does not show here."
    if distance.rho > 0:
        return "Here a lower FSP distance goes with less robustness, the opposite of what the paper found."
    if equal is not None and equal.shows and equal.rho < 0:
        return "A lower FSP distance goes with more robustness here, also among subnets that are equally accurate."
    return "A lower FSP distance goes with more robustness here, but not beyond what accuracy without attack says already."
