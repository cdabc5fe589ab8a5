"""The Pruning page's view, and what is selected on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.library.benchmarks import CLEAN
from pages.ui.address import TAB, PageAddress, matching, model_id, part, whole_number
from pages.ui.selection import SelectedSamples, Selection

MIDDLE_SEVERITY = 3

selection: Selection[tuple[str, str]] = Selection("pr-cell", "pr-cell-seed", ("", CLEAN))
"""(model id, benchmark) of the selected cell of the table; ("", "clean") before anything was."""
samples = SelectedSamples("pr-samples")


@dataclass(frozen=True)
class Asked:
    """The view as an address states it; every field may be missing ("").

    Attributes:
        parent: id of the network that is pruned.
        model, benchmark: the selected cell of the table.
        compare: id of the network the selected one is compared with, "" for the parent.
        severity: of the corruptions shown.
        tab: label of the open tab.
    """

    parent: str = part("parent", model_id)
    model: str = part("model", model_id)
    benchmark: str = part("benchmark", matching(r"[a-z0-9_]{1,40}(@[1-5])?"), default=CLEAN)
    compare: str = part("compare", model_id)
    severity: int = part("severity", whole_number(1, 5), default=MIDDLE_SEVERITY)
    tab: str = part("tab", TAB)

    def checked(self) -> Asked:
        return replace(self, compare="") if self.compare == self.parent else self


def _select(asked: Asked) -> None:
    if asked.model:
        selection.select((asked.model, asked.benchmark))


address = PageAddress(Asked, key="view-pruning", widgets=("pr-", "pick-supernet"), on_arrival=_select)


def clicked(picked: str) -> None:
    """Select the cell "model|benchmark" that was clicked; the table outlines it by itself."""
    model, _, benchmark = picked.partition("|")
    if model and benchmark:
        selection.clicked((model, benchmark))
