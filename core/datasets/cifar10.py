"""CIFAR-10 from any of its forms that need no unpickling.

The well-known Python version of CIFAR-10 is a pickle, which can run code, so it is never read; the
authors' binary version, a .npz or a Parquet table hold the same images.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.datasets.base import DATASETS, RawImages
from core.datasets.npz import images_from_npz
from core.datasets.official import OfficialSource
from core.errors import InvalidInput

_BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
_ROW = 1 + 3 * 32 * 32
_BATCH_BYTES = 10_000 * _ROW
_BINARY_FOLDERS = ("cifar-10-batches-bin", "cifar10", "cifar-10", ".")
_TARS = ("cifar-10-binary.tar.gz", "cifar10/cifar-10-binary.tar.gz", "cifar-10/cifar-10-binary.tar.gz")
_NPZ = ("cifar10.npz", "cifar-10.npz", "cifar10/cifar10.npz", "cifar-10/cifar-10.npz")
_TABLES = ("cifar10.parquet", "cifar-10.parquet", "cifar10/cifar10.parquet", "cifar-10/cifar-10.parquet")


@DATASETS.register("cifar10")
class Cifar10(OfficialSource):
    """60,000 color 32x32 photographs in 10 classes; official test set of 10,000."""

    label = "CIFAR-10 (32x32)"
    source = "Krizhevsky, Learning multiple layers of features from tiny images, 2009"
    licence = "no licence stated; cite the report"
    openml_id = 40927
    shape = (3, 32, 32)
    n_train = 50_000
    n_test = 10_000
    download_bytes = 650_000_000
    class_names = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )
    first_labels = (6, 9, 9, 4, 1, 1, 2, 7, 8, 3)
    first_test_labels = (3, 8, 8, 0, 6, 6, 1, 6, 3, 1)
    local_hint = (
        "Without a network, put cifar-10-binary.tar.gz (its binary version) or a cifar10.npz with arrays x and y "
        "into a folder and set PARETOSCOPE_DATA to it."
    )

    def read_folder(self, folder: Path) -> RawImages | None:
        for name in _BINARY_FOLDERS:
            files = [folder / name / batch for batch in _BATCHES]
            if all(path.is_file() for path in files):
                return self._from_batches([_read_batch(path) for path in files])
        for name in _TARS:
            if (folder / name).is_file():
                return self._from_batches(_read_tar(folder / name))
        for name in _NPZ:
            if (folder / name).is_file():
                return self._from_npz((folder / name).read_bytes())
        for name in _TABLES:
            if (folder / name).is_file():
                return self._from_table(folder / name)
        return None

    def _from_batches(self, batches: list[bytes]) -> RawImages:
        for name, data in zip(_BATCHES, batches, strict=True):
            if len(data) != _BATCH_BYTES:
                raise InvalidInput(f"{name} has {len(data):,} bytes instead of {_BATCH_BYTES:,}.")
        rows = np.frombuffer(b"".join(batches), dtype=np.uint8).reshape(-1, _ROW)
        return self.checked(rows[:, 1:].reshape(-1, *self.shape), rows[:, 0], 10_000)

    def _from_npz(self, data: bytes) -> RawImages:
        raw = images_from_npz(data)
        if raw.x.dtype != np.uint8:
            raise InvalidInput("The CIFAR-10 file must hold bytes (uint8).")
        if raw.n_test:
            return self.checked(raw.x, raw.y, raw.n_test)
        return self.in_official_order(raw.x, raw.y)

    def _from_table(self, path: Path) -> RawImages:
        """OpenML's table: 3,072 pixel columns and the class, one row per image."""
        import pyarrow
        import pyarrow.parquet

        try:
            file = pyarrow.parquet.ParquetFile(path)
            if file.metadata.num_columns != _ROW or file.metadata.num_rows != self.n_train + self.n_test:
                raise InvalidInput(f"{path.name} does not hold 60,000 rows of 3,072 pixels and a class.")
            # Group by group: as one table of 64-bit numbers it would need 1.5 GB.
            groups = [_pixels(file.read_row_group(number)) for number in range(file.num_row_groups)]
        except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
            raise InvalidInput(f"{path.name} is not a readable table of images.") from error
        rows = np.concatenate(groups)
        return self.in_official_order(rows[:, 1:].reshape(-1, *self.shape), rows[:, 0])


def _pixels(table: object) -> NDArray[np.uint8]:
    """(rows, 1 + 3072) bytes, the class first."""
    frame = table.to_pandas()  # type: ignore[attr-defined]
    label = "class" if "class" in frame.columns else frame.columns[-1]
    values = frame.drop(columns=label).to_numpy(dtype=np.uint8)
    return np.column_stack([frame[label].astype(np.int64).to_numpy(dtype=np.uint8), values])


def _read_batch(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_BATCH_BYTES + 1)


def _read_tar(path: Path) -> list[bytes]:
    """The six batches out of the official archive, as streams; nothing is extracted."""
    wanted = {f"cifar-10-batches-bin/{name}": name for name in _BATCHES}
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = wanted.get(member.name)
                if name is None or not member.isreg():
                    continue
                stream = archive.extractfile(member)
                if stream is not None:
                    found[name] = stream.read(_BATCH_BYTES + 1)
                if len(found) == len(_BATCHES):
                    break
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise InvalidInput(f"{path.name} is cut short or damaged.") from error
    if len(found) != len(_BATCHES):
        raise InvalidInput(f"{path.name} does not hold the six batches of the binary version of CIFAR-10.")
    return [found[name] for name in _BATCHES]
