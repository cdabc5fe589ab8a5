"""What MNIST and Fashion-MNIST share: the same four file names, hence a trap.

Both data sets use the same names, so files lying directly in a shared folder are taken only if the
first labels are the ones this data set is known to start with.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from core.datasets.base import RawImages
from core.datasets.idx import read_idx
from core.datasets.official import OfficialSource
from core.errors import InvalidInput

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class IdxSource(OfficialSource):
    """An official data set stored as four idx files, gzipped or not."""

    folder_names: ClassVar[tuple[str, ...]]
    shape = (1, 28, 28)
    n_train = 60_000
    n_test = 10_000

    def read_folder(self, folder: Path) -> RawImages | None:
        for name in self.folder_names:
            files = _find(folder / name)
            if files is not None:
                return self._read(files)
        files = _find(folder)
        if files is None:
            return None
        named = folder.name.lower().replace("_", "-") in {
            name.lower().split("/")[0] for name in self.folder_names
        }
        if not named and tuple(read_idx(files[1])[: len(self.first_labels)]) != self.first_labels:
            return None
        return self._read(files)

    def _read(self, files: list[Path]) -> RawImages:
        train_x, train_y, test_x, test_y = (read_idx(path) for path in files)
        if train_x.ndim != 3 or test_x.ndim != 3 or train_x.shape[1:] != test_x.shape[1:]:
            raise InvalidInput(f"The files of {self.label} do not hold images of one size.")
        if (
            train_y.ndim != 1
            or test_y.ndim != 1
            or len(train_x) != len(train_y)
            or len(test_x) != len(test_y)
        ):
            raise InvalidInput(f"The files of {self.label} do not hold one label for each image.")
        x = np.concatenate([train_x, test_x])[:, None]
        return self.checked(x, np.concatenate([train_y, test_y]), len(test_y))


def _find(folder: Path) -> list[Path] | None:
    found = []
    for name in _FILES:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                found.append(path)
                break
        else:
            return None
    return found
