"""Data sets as NumPy arrays in [0, 1], divided into train, calibration, validation and test.

`digits` comes with scikit-learn and needs no network; the others are read from a local folder, from
our cache, or downloaded once from OpenML. A person's own images come in through `images`.
"""

from __future__ import annotations

from core.datasets.base import DATASETS, SPLITS, Dataset, Split
from core.datasets.loading import load_dataset, write_npz

__all__ = ["DATASETS", "SPLITS", "Dataset", "Split", "load_dataset", "write_npz"]
