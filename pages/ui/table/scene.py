"""What the Tables page has decided before anything that depends on the selected row is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from core.library.imported_tables import TableRows
from core.library.kept_tables import TableAbout
from core.records import Objective
from core.store.imported import ImportedTable
from core.views.table_front import TableFront, choices
from pages.ui.table.view import View


@dataclass(frozen=True)
class Scene:
    """What was decided above the chart.

    Attributes:
        table: which.
        about: what is kept of it.
        rows: of it.
        x, y: objectives of the axes.
        found: their front under the limits.
        key: changes whenever the front does.
        log_x, log_y: logarithmic axes.
        line: draw the step line.
        mark_knees: draw diamonds at the knees.
        picture: "svg" or "png", for the camera button.
        view: what the address says, with nothing selected yet.
    """

    table: ImportedTable
    about: TableAbout
    rows: TableRows
    x: Objective
    y: Objective
    found: TableFront
    key: str
    log_x: bool
    log_y: bool
    line: bool
    mark_knees: bool
    picture: str
    view: View

    def title_of(self, row: str) -> str:
        """What a row is called in a list: its number where its name is a whole configuration."""
        name = self.name_of(row)
        return f"row {row}" if choices(name) else name

    def name_of(self, row: str) -> str:
        """What a row is called."""
        return self.rows.identity(int(row) - 1)
