"""Architectures as numbers that predictors learn from.

Three blocks stand side by side. One column per option of every choice: 1 where the architecture takes it, and nothing
where the choice does not matter, so that a layer the depth leaves out teaches nothing. Products of group summaries: how
large the widths, kernels or depths of a part of the chain are on the whole, and every product of two of those, for what
choices do together. The logarithm of what is counted beforehand. In our trials no single block did as well as all three.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.spaces import Archs, SearchSpace

MOST_SUMMARIES = 12
"""Groups are cut along the chain only as finely as this many summaries allow: 78 products."""
_MOST_PARTS = 3


class OneHot:
    """One column per option of every choice that has several.

    Attributes:
        width: number of columns.
        choice: (width,) position of each column's choice.
        option: (width,) option index of each column.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        told = [i for i, options in enumerate(space.cardinalities) if options > 1]
        counts = [space.cardinalities[i] for i in told]
        self.width = int(sum(counts))
        self.choice = np.repeat(np.array(told, np.int64), counts)
        self.option = np.concatenate([np.arange(n) for n in counts]) if counts else np.zeros(0, np.int64)
        self._columns = np.array(told, np.int64)
        self._starts = np.cumsum([0, *counts])[:-1].astype(np.int64)

    def __call__(self, rows: Archs) -> NDArray[np.float64]:
        """(n, d) canonical architectures -> (n, width) of 0 and 1; all 0 for a choice that does not matter."""
        found = np.zeros((len(rows), self.width))
        if self.width:
            matters = self._space.active(rows)[:, self._columns]
            at = self._starts + rows[:, self._columns]
            found[np.arange(len(rows))[:, None], at] = matters
        return found


class GroupSummaries:
    """Few numbers that say how large an architecture is where: linear in the columns of `OneHot`.

    Choices of one kind make a group, cut into up to three parts along the chain. Ordered options are summed up by how
    far they stand from the first, others by how often each is taken.

    Attributes:
        weights: (one-hot width, summaries).
    """

    def __init__(self, space: SearchSpace, one_hot: OneHot) -> None:
        self.weights = np.zeros((one_hot.width, 0))
        for parts in range(_MOST_PARTS, 0, -1):
            columns = [c for group in _groups(space, parts) for c in _summaries(space, one_hot, group)]
            if columns and (len(columns) <= MOST_SUMMARIES or parts == 1):
                self.weights = np.stack(columns, axis=1)[:, : 2 * MOST_SUMMARIES]
                break
        self._pairs = np.triu_indices(self.weights.shape[1])

    def products(self, one_hot: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, one-hot width) -> (n, pairs): every product of two summaries, squares among them."""
        summaries = one_hot @ self.weights
        first, second = self._pairs
        return np.asarray(summaries[:, first] * summaries[:, second])


def _groups(space: SearchSpace, parts: int) -> list[list[int]]:
    """Positions of choices, by kind and part of the chain."""
    gates = {choice.requires[0] for choice in space.choices if choice.requires}
    kinds: dict[tuple[str | int, bool, bool], list[int]] = {}
    for index, choice in enumerate(space.choices):
        if len(choice.options) > 1:
            # Where nobody said what is chosen, choices with as many options are taken for one kind.
            kind = choice.kind or len(choice.options)
            kinds.setdefault((kind, choice.name in gates, choice.ordinal), []).append(index)
    cut = [np.array_split(members, min(parts, len(members))) for members in kinds.values()]
    return [part.tolist() for of_kind in cut for part in of_kind]


def _summaries(space: SearchSpace, one_hot: OneHot, group: list[int]) -> list[NDArray[np.float64]]:
    here = np.isin(one_hot.choice, group) / len(group)
    most = np.array(space.cardinalities)[one_hot.choice]
    if space.choices[group[0]].ordinal:
        # From above 0, so that the first option differs from a choice that does not matter.
        return [here * (one_hot.option + 1) / most]
    return [here * (one_hot.option == option) for option in range(1, int(most[here > 0].max()))]


class Encoding:
    """The columns of one space, and how what is known beside them is written.

    Args:
        space: of the architectures.
        products: with products of group summaries.
        costs: with what is counted beforehand.
    """

    def __init__(self, space: SearchSpace, *, products: bool = True, costs: bool = True) -> None:
        self._one_hot = OneHot(space)
        self._groups = GroupSummaries(space, self._one_hot) if products else None
        self._costs = costs
        self._logs: NDArray[np.bool_] | None = None

    def fit(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Decide how the numbers beside are written, and encode.

        Args:
            rows: (n, d) canonical architectures.
            beside: (n, k) numbers known of each beforehand; columns above 0 are written as logarithms.

        Returns:
            (n, p) finite columns, unscaled.
        """
        self._logs = None if beside is None or not self._costs else np.asarray((beside > 0).all(axis=0))
        return self(rows, beside)

    def __call__(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """(n, d) canonical architectures -> (n, p), columns as when it was fitted."""
        one_hot = self._one_hot(rows)
        blocks = [one_hot]
        if self._groups is not None:
            blocks.append(self._groups.products(one_hot))
        if self._logs is not None and beside is not None:
            tiny = np.finfo(float).tiny
            blocks.append(np.where(self._logs, np.log(np.maximum(beside, tiny)), beside))
        return np.concatenate(blocks, axis=1)


class Standardized:
    """Columns with mean 0 and deviation 1 over the rows it was made from; columns without any spread become 0."""

    def __init__(self, columns: NDArray[np.float64]) -> None:
        self._mean = columns.mean(axis=0)
        spread = columns.std(axis=0)
        varies = spread > 1e-9 * (1 + np.abs(self._mean))
        self._scale = np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)

    def __call__(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, p) -> (n, p)."""
        return np.asarray((columns - self._mean) * self._scale)
