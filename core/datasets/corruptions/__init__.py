"""Corruptions of images (noise, blur, weather-like and digital) and of texts, each in five severities.

Our own, because the published code needs images of 32 pixels or more and its constants hardly bite on
small ones. Chance is drawn per sample from (seed, corruption, sample id), so a sample looks the same in
any batch, and a higher severity is the same accident made larger. How strong a severity is belongs to
the data set: `calibrate` finds it from a reference network.
"""

from __future__ import annotations

from core.datasets.corruptions.base import CORRUPTIONS, GROUPS, SEVERITIES, Corruption, corrupt, names_for
from core.datasets.corruptions.calibrating import Calibration, calibrate

__all__ = [
    "CORRUPTIONS",
    "GROUPS",
    "SEVERITIES",
    "Calibration",
    "Corruption",
    "calibrate",
    "corrupt",
    "names_for",
]
