"""The Pruning page's view, and what is selected on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.library.benchmarks import CLEAN
from core.library.networks import describe
from core.library.pruned import list_pruned
from pages.ui import resources
from pages.ui.address import TAB, PageAddress, matching, missing, model_id, part, present, whole_number
from pages.ui.selection import SelectedSamples, Selection

MIDDLE_SEVERITY = 3

selection: Selection[tuple[str, str]] = Selection("pr-cell", "pr-cell-seed", ("", CLEAN))
"""(network id, benchmark) of the selected cell of the table; ("", "clean") before anything was."""
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

    parent: str = part("parent", model_id, what="network")
    model: str = part("model", model_id, what="pruned network")
    benchmark: str = part("benchmark", matching(r"[a-z0-9_]{1,40}(@[1-5])?"), default=CLEAN)
    compare: str = part("compare", model_id, what="pruned network")
    severity: int = part("severity", whole_number(1, 5), default=MIDDLE_SEVERITY, offers=lambda: ("1 to 5",))
    tab: str = part("tab", TAB)

    def checked(self) -> Asked:
        return replace(self, compare="") if self.compare == self.parent else self


def _select(asked: Asked) -> None:
    if asked.model:
        selection.select((asked.model, asked.benchmark))


def _keep(asked: Asked) -> tuple[Asked, list[str]]:
    """Without a network that is not here, and without rows that were not pruned from this one."""
    store = resources.store_or_none()
    there, absent = present([asked.parent] if asked.parent else [], lambda i: describe(store, i))
    if not there:
        return Asked(severity=asked.severity, tab=asked.tab), absent
    rows = {asked.parent, *(model.model_id for model in list_pruned(store, asked.parent))}
    for name in ("model", "compare"):
        if (wanted := getattr(asked, name)) and wanted not in rows:
            absent.append(missing("pruned network", wanted))
            asked = replace(asked, **{name: ""})
    return asked, absent


address = PageAddress(
    Asked, key="view-pruning", widgets=("pr-", "pick-supernet"), on_arrival=_select, keep=_keep
)


def clicked(picked: str) -> None:
    """Select the cell "model|benchmark" that was clicked; the table outlines it by itself."""
    model, _, benchmark = picked.partition("|")
    if model and benchmark:
        selection.clicked((model, benchmark))
