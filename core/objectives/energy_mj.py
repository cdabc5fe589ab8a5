"""Energy."""

from __future__ import annotations

from core.objectives.base import OBJECTIVES, FromProfile
from core.records import Shown


@OBJECTIVES.register("energy_mj")
class Energy(FromProfile):
    """Energy of one answer on a device, from a published table of it."""

    label = "Energy"
    unit = "mJ"
    shown = Shown(symbol="mJ", digits=2, fine_digits=3)
    place = 45
    stored = "float32"
    varies = True
    summary = "Energy of one answer on a device, from a published table of it."
