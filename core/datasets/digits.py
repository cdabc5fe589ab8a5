"""The 8x8 digits that come with scikit-learn: the default, because it is always there."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from core.datasets.base import DATASETS, FractionConfig, FractionSource, OnProgress, RawImages


@DATASETS.register("digits")
class Digits(FractionSource):
    """1,797 handwritten digits of 8x8 gray pixels; built in."""

    label = "Digits (8x8)"
    source = "Alpaydin & Kaynak, UCI Optical Recognition of Handwritten Digits, 1998; as in scikit-learn"
    licence = "CC BY 4.0 (UCI)"
    shape = (1, 8, 8)

    class Config(FractionConfig):
        """Shares of the 1,797 images."""

        calibration: int = Field(
            256, ge=8, le=1024, description="Training images used to recalibrate BatchNorm."
        )

    def read(self, on_progress: OnProgress) -> RawImages:
        # scikit-learn takes a second to import, and listing data sets must not.
        from sklearn.datasets import load_digits

        on_progress(0.0, "Reading the digits that come with scikit-learn.")
        bunch = load_digits()
        return RawImages(
            x=bunch.images.astype(np.uint8)[:, None],
            y=bunch.target.astype(np.int64),
            classes=tuple(str(digit) for digit in range(10)),
            scale=16.0,
        )
