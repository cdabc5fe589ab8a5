"""What every panel of the Pruning page is given."""

from __future__ import annotations

from dataclasses import dataclass

from core.library.pruned import PrunedModel
from core.views.pruning import PruningView


@dataclass(frozen=True, eq=False)
class Shown:
    """The page's selection.

    Attributes:
        view: everything measured of the parent.
        models: networks in the table, parent first.
        model: the selected one.
        benchmark: the selected images.
        compare: the network it is compared with.
        severity: of the corruptions shown.
        apart: whether seeds are shown one by one.
    """

    view: PruningView
    models: tuple[PrunedModel, ...]
    model: PrunedModel
    benchmark: str
    compare: PrunedModel
    severity: int
    apart: bool = False

    @property
    def key(self) -> str:
        """Decides every figure of the selected cell."""
        return f"{self.view.key}|{'/'.join(m.model_id for m in self.models)}|{self.model.model_id}|{self.benchmark}|{self.compare.model_id}"
