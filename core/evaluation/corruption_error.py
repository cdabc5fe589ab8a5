"""Errors on many benchmarks as one number, and which benchmarks say the same. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput


@dataclass(frozen=True)
class CorruptionError:
    """Mean corruption error against a reference (1: just as bad as the reference).

    Attributes:
        mean: over the corruptions that could be compared; nan if none.
        by_corruption: per corruption, sum of errors over the reference's.
        reason: which corruptions could not be compared and why; empty if all could.
    """

    mean: float
    by_corruption: Mapping[str, float]
    reason: str


def mean_corruption_error(
    errors: Mapping[str, Sequence[float]], reference: Mapping[str, Sequence[float]]
) -> CorruptionError:
    """mCE = mean over corruptions c of (sum_s E_s,c) / (sum_s E_s,c of the reference).

    Args:
        errors, reference: per corruption the errors (fractions) at the same severities.

    Raises:
        InvalidInput: the two were not measured at the same corruptions and severities.

    Source: Hendrycks & Dietterich 2019, section 4.2; as a ratio, not in percent.
    """
    if {k: len(v) for k, v in errors.items()} != {k: len(v) for k, v in reference.items()}:
        raise InvalidInput("Both networks have to be measured at the same corruptions and severities.")
    flawless = [name for name, values in reference.items() if sum(values) == 0]
    ratios = {name: sum(errors[name]) / sum(reference[name]) for name in errors if name not in flawless}
    reason = f"The reference makes no error under {', '.join(flawless)}." if flawless else ""
    if not errors:
        reason = "No corruption was measured."
    return CorruptionError(float(np.mean(list(ratios.values()))) if ratios else float("nan"), ratios, reason)


@dataclass(frozen=True, eq=False)
class Redundancy:
    """Which benchmarks fail the same samples.

    Attributes:
        names: benchmarks that were compared.
        distance: (b, b) one minus the correlation of their error signatures.
        linkage: (b - 1, 4) average linkage, as SciPy writes it.
        order: (b,) leaves from left to right.
        clusters: groups of benchmarks nearer than the cut, in the order of the leaves.
        reason: which benchmarks were left out and why; empty if none.
    """

    names: tuple[str, ...]
    distance: NDArray[np.float64]
    linkage: NDArray[np.float64]
    order: NDArray[np.intp]
    clusters: tuple[tuple[str, ...], ...]
    reason: str


def redundant(signatures: Mapping[str, NDArray[np.generic]], *, cut: float = 0.5) -> Redundancy:
    """Hierarchical clustering of benchmarks by their errors.

    Args:
        signatures: per benchmark the errors (or margins) of all models on all samples, same order.
        cut: benchmarks joined below this distance (1 - correlation) count as one.

    Raises:
        InvalidInput: the signatures differ in length.
    """
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    flat = {name: np.asarray(each, np.float64).ravel() for name, each in signatures.items()}
    if len({len(each) for each in flat.values()}) > 1:
        raise InvalidInput("Error signatures have to cover the same networks and samples.")
    constant = [name for name, each in flat.items() if len(each) == 0 or np.ptp(each) == 0]
    names = tuple(name for name in flat if name not in constant)
    reason = f"All samples fare alike under {', '.join(constant)}." if constant else ""
    if len(names) < 2:
        alone = (names,) if names else ()
        n = len(names)
        return Redundancy(names, np.zeros((n, n)), np.zeros((0, 4)), np.arange(n), alone, reason)
    distance = np.clip(1 - np.corrcoef([flat[name] for name in names]), 0, 2)
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    linkage = hierarchy.linkage(squareform(distance, checks=False), "average")
    order = np.asarray(hierarchy.leaves_list(linkage), np.intp)
    labels = hierarchy.fcluster(linkage, cut, "distance")
    in_order = dict.fromkeys(int(labels[i]) for i in order)
    clusters = tuple(tuple(names[i] for i in order if labels[i] == label) for label in in_order)
    return Redundancy(names, distance, linkage, order, clusters, reason)
