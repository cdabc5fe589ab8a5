"""What the Front page has decided before anything that depends on the selected subnet is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from core.library.coverage import Coverage
from core.library.fronts import Front
from core.records import Objective
from pages.ui.front.chance import FrontSure
from pages.ui.front.chart import ChartView
from pages.ui.front.view import View
from pages.ui.front.what_if import Shown


@dataclass(frozen=True)
class Scene:
    """What was decided above the chart.

    Attributes:
        shown: supernet and table.
        front: of the axes and limits.
        x, y: objectives of the axes.
        sure: what is known of how sure the front is.
        chart: the chart, with nothing selected or tried yet.
        view: what the address says, with nothing selected yet.
    """

    shown: Shown
    front: Front
    x: Objective
    y: Objective
    sure: FrontSure
    chart: ChartView
    view: View

    @property
    def covered(self) -> Coverage:
        """How much of the space the table holds."""
        return Coverage(len(self.shown.table), self.shown.entry.space.size)
