"""A search for layers as its panel shows it: points, the best expression, and the comparison with the usual layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.library.norm_search import EVOLVED, NormSearch
from core.over_seeds import Spread, comparisons, spread, verdict
from core.records import Metrics

_COMPARED = "test accuracy"


@dataclass(frozen=True)
class LayerRow:
    """One layer of the comparison.

    Attributes:
        name: what a person reads.
        accuracy: test accuracy over seeds.
    """

    name: str
    accuracy: Spread


@dataclass(frozen=True)
class NormView:
    """A search so far.

    Attributes:
        search: what was read.
        rejected: expressions that were not trained in full.
        rows: layers compared, the best mean first.
        sentences: who is better, one per usual layer; empty before the comparison began.
    """

    search: NormSearch
    rejected: int
    rows: tuple[LayerRow, ...]
    sentences: tuple[str, ...]

    @classmethod
    def of(cls, logged: Sequence[Metrics]) -> NormView:
        """Of what a run has logged.

        Raises:
            InvalidInput: an expression cannot be read.
        """
        found = NormSearch.of(logged)
        rows = [LayerRow(layer.name, spread(list(layer.tests.values()))) for layer in found.layers]
        rows.sort(key=lambda row: -row.accuracy.mean)
        pairs = comparisons({layer.name: dict(layer.tests) for layer in found.layers}, of=EVOLVED)
        return cls(
            found,
            sum(bool(candidate.rejected) for candidate in found.candidates),
            tuple(rows),
            tuple(verdict(pair, _COMPARED) for pair in pairs),
        )
