"""How much of an objective's variance each choice explains, alone and in pairs, counted over a whole space.

Functional analysis of variance: a function of the choices is a sum of a mean, one term per choice, one per pair,
and so on, which are orthogonal, so their variances add up to the function's. Over a complete table every term is
an average of table rows: nothing is fitted and nothing is drawn.

The averages run over all settings of all choices, each option as likely as the others, as `SearchSpace.sample`
draws them. Where a choice does not matter (a block beyond the depth) all its options stand for the same
architecture, which therefore counts once for each of them: such a choice explains nothing there, and explains
less of the whole the more rarely it matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.spaces.space import Archs, SearchSpace

_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True, eq=False)
class Importance:
    """Shares of one objective's variance.

    Attributes:
        names: of the d choices.
        mean: of the objective over all settings.
        variance: of the objective over all settings, in its unit squared; 0 if it is the same everywhere, and
            then all shares are 0.
        main: (d,) share that each choice explains alone.
        pairs: (d, d) symmetric, 0 on the diagonal: share that two choices explain together beyond what each
            explains alone.
        rest: share of three and more choices together: 1 minus all others.
        effects: per choice, (options,) how far the mean with this option lies above the mean of all.
    """

    names: tuple[str, ...]
    mean: float
    variance: float
    main: NDArray[np.float64]
    pairs: NDArray[np.float64]
    rest: float
    effects: tuple[NDArray[np.float64], ...]


def importance(space: SearchSpace, rows: Archs, values: ArrayLike) -> Importance:
    """Main effects and pairwise interactions of every choice, exactly.

    Args:
        space: of the architectures.
        rows: (n, d) all its architectures in canonical form, in any order.
        values: (n,) finite numbers, the objective of each.

    Raises:
        InvalidInput: the rows are not the whole space, each once, or a value is missing.

    Source:
        Hutter, Hoos, Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014;
        here the averages are counted over the complete table instead of predicted by a forest.
    """
    given = np.asarray(values, np.float64)
    require_complete(space, rows)
    if given.shape != (len(rows),) or not np.isfinite(given).all():
        raise InvalidInput("Importance needs a finite value for every architecture of the space.")
    weights = weights_of(space, rows)
    mean = float(weights @ given)
    centered = given - mean
    variance = float(weights @ centered**2)
    # Rounding makes a constant objective vary a little around its mean.
    if variance <= (1e-12 * max(abs(mean), 1e-300)) ** 2:
        return _nothing(space, mean)
    alone, together = _means(space, rows, weights * centered)
    return _shares(space, mean, variance, alone, together)


def require_complete(space: SearchSpace, rows: Archs) -> None:
    """The rows are every architecture of the space, each once.

    Raises:
        InvalidInput: they are not.
    """
    complete = rows.shape == (space.size, len(space)) and bool((space.canonicalize(rows) == rows).all())
    if complete:
        as_bytes = np.ascontiguousarray(rows, np.uint8).view(np.dtype((np.void, max(len(space), 1))))
        complete = len(np.unique(as_bytes)) == len(rows)
    if not complete:
        raise InvalidInput(
            f"Importance is counted over a whole space: {space.size:,} architectures, each once; "
            f"these are {len(rows):,}."
        )


def weights_of(space: SearchSpace, rows: Archs) -> NDArray[np.float64]:
    """(n,) how likely each canonical architecture is where every option of every choice is equally likely."""
    options = np.array(space.cardinalities, float)
    weights: NDArray[np.float64] = np.where(space.active(rows), 1 / options, 1.0).prod(axis=1)
    return weights


def _means(
    space: SearchSpace, rows: Archs, weighted: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of the centered objective under each option, and under each pair of options, of all choices in a row."""
    options = np.array(space.cardinalities)
    starts = np.concatenate([[0], np.cumsum(options)[:-1]])
    width = int(options.sum())
    alone, together = np.zeros(width), np.zeros((width, width))
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        chosen = _chosen(space, rows[part], starts, width)
        alone += weighted[part] @ chosen
        together += chosen.T @ (weighted[part, None] * chosen)
    each = np.repeat(options, options).astype(float)
    return alone * each, together * np.outer(each, each)


def _chosen(space: SearchSpace, rows: Archs, starts: NDArray[np.int64], width: int) -> NDArray[np.float64]:
    """(n, all options) 1 at the option taken; a choice that does not matter takes each of its options a little."""
    found = np.zeros((len(rows), width))
    np.put_along_axis(found, starts + rows.astype(np.int64), 1.0, axis=1)
    for index, matters in enumerate(space.active(rows).T):
        options = space.cardinalities[index]
        found[~matters, starts[index] : starts[index] + options] = 1 / options
    return found


def _shares(
    space: SearchSpace,
    mean: float,
    variance: float,
    alone: NDArray[np.float64],
    together: NDArray[np.float64],
) -> Importance:
    ends = np.cumsum(space.cardinalities)
    blocks = [slice(int(end) - n, int(end)) for end, n in zip(ends, space.cardinalities, strict=True)]
    main = np.array([np.mean(alone[block] ** 2) for block in blocks]) / variance
    pairs = np.zeros((len(space), len(space)))
    for a, first in enumerate(blocks):
        for b, second in enumerate(blocks[:a]):
            interaction = together[first, second] - alone[first][:, None] - alone[second][None, :]
            pairs[a, b] = pairs[b, a] = np.mean(interaction**2) / variance
    # What is left is 0 where there are two choices; rounding must not make it negative.
    rest = max(0.0, 1 - float(main.sum()) - float(pairs.sum()) / 2)
    effects = tuple(alone[block].copy() for block in blocks)
    return Importance(space.names, mean, variance, main, pairs, rest, effects)


def _nothing(space: SearchSpace, mean: float) -> Importance:
    d = len(space)
    effects = tuple(np.zeros(n) for n in space.cardinalities)
    return Importance(space.names, mean, 0.0, np.zeros(d), np.zeros((d, d)), 0.0, effects)
