"""Data sets with official training and test files: local folder, then our cache, then OpenML.

A folder a person names comes first, so a classroom without network needs one folder and one setting.
What is downloaded is stored once as .npz under `settings().home / "datasets"`.
"""

from __future__ import annotations

import shutil
import threading
import time
import zipfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets.base import DataSource, OnProgress, Raw, RawImages, SplitConfig
from core.datasets.loading import save_arrays
from core.errors import CoreError, DataUnavailable, InvalidInput
from core.quiet import quiet
from core.settings import settings

STALL_SECONDS = 60.0
"""A download that has not grown for so long is given up."""

_POLL_SECONDS = 0.2


class OfficialConfig(SplitConfig):
    """Validation images are taken from the official training set; the test set stays official."""

    validation: int = Field(5000, ge=100, le=20000, description="Training images kept for validation.")
    folder: str = Field(
        "", description="Folder with the official files.", json_schema_extra={"form": False}, max_length=4096
    )


class OfficialSource(DataSource):
    """A data set whose test images are fixed by its authors."""

    openml_id: ClassVar[int]
    shape: ClassVar[tuple[int, int, int]]
    n_train: ClassVar[int]
    n_test: ClassVar[int]
    class_names: ClassVar[tuple[str, ...]]
    first_labels: ClassVar[tuple[int, ...]]
    first_test_labels: ClassVar[tuple[int, ...]]
    download_bytes: ClassVar[int]
    local_hint: ClassVar[str]
    Config = OfficialConfig

    def held_out(self, raw: Raw) -> tuple[int, int]:
        # Without a known order (raw.n_test is 0) the seed holds out as many as the authors did.
        return self.config.validation, min(self.n_test, len(raw.y) // 6)

    def is_here(self) -> bool:
        return self._cache.is_file() or any(self.read_folder(f) is not None for f in self._folders())

    def read(self, on_progress: OnProgress) -> RawImages:
        for folder in self._folders():
            on_progress(0.0, f"Looking for {self.label} in {folder.name}.")
            found = self.read_folder(folder)
            if found is not None:
                return found
        cached = self._read_cache()
        if cached is None:
            cached = self._download(on_progress)
        return cached

    @abstractmethod
    def read_folder(self, folder: Path) -> RawImages | None:
        """The data from the official files in a person's folder, or None if they are not there.

        Raises:
            InvalidInput: the files are there and damaged.
        """

    def checked(self, x: NDArray[Any], y: NDArray[Any], n_test: int) -> RawImages:
        """Images and labels with the shape and the classes this data set must have.

        Args:
            x: (n, c, h, w) uint8, training images first.
            y: (n,) class indices.
            n_test: how many at the end are official test images (0: it is not known which).

        Raises:
            InvalidInput: something does not fit.
        """
        if x.dtype != np.uint8 or x.shape[1:] != self.shape or len(x) != len(y) or not 0 <= n_test < len(x):
            raise InvalidInput(f"The files of {self.label} do not hold the expected images and labels.")
        if y.min() < 0 or y.max() >= len(self.class_names):
            raise InvalidInput(
                f"The files of {self.label} hold labels outside its {len(self.class_names)} classes."
            )
        return RawImages(x=x, y=y.astype(np.int64), classes=self.class_names, n_test=n_test)

    def in_official_order(self, x: NDArray[Any], y: NDArray[Any]) -> RawImages:
        """A copy of all images in one table; its end is the official test set only if the order proves it.

        Were the rows shuffled, "the last 10,000" would quietly mix official training and test images;
        then as many are held out by the seed instead.
        """
        starts = ((0, self.first_labels), (self.n_train, self.first_test_labels))
        official = all(tuple(y[at : at + len(labels)]) == labels for at, labels in starts)
        return self.checked(x, y, self.n_test if official else 0)

    def _folders(self) -> list[Path]:
        if self.config.folder:
            named = Path(self.config.folder).expanduser()
            if not named.is_dir():
                raise InvalidInput(f"There is no folder {named}.")
            return [named]
        shared = settings().data_folder
        return [shared] if shared is not None and shared.is_dir() else []

    @property
    def _cache(self) -> Path:
        return settings().home / "datasets" / f"{self.name}.npz"

    def _read_cache(self) -> RawImages | None:
        try:
            with self._cache.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return self.in_official_order(arrays["x"], arrays["y"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, InvalidInput):
            # Our own file, damaged: it is only a copy, so it is fetched again and replaced.
            return None

    def _download(self, on_progress: OnProgress) -> RawImages:
        downloads = settings().home / "datasets" / "downloads" / self.name
        x, y = fetch(self.openml_id, downloads, self.download_bytes, self.label, self.local_hint, on_progress)
        if len(x) != self.n_train + self.n_test or x.shape[1] != int(np.prod(self.shape)):
            raise DataUnavailable(f"OpenML sent something else than {self.label}. {self.local_hint}")
        raw = self.in_official_order(x.reshape(-1, *self.shape), y)
        save_arrays(self._cache, x=raw.x, y=raw.y.astype(np.uint8))
        shutil.rmtree(downloads, ignore_errors=True)
        return raw


def fetch(
    openml_id: int, folder: Path, expected_bytes: int, label: str, hint: str, on_progress: OnProgress
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Download a table of pixels from OpenML, watching that it grows.

    scikit-learn opens its connections without a time limit, so the download runs in a daemon thread
    and is given up when its files have stopped growing; what has arrived is kept by scikit-learn.

    Returns:
        (n, pixels) uint8 and (n,) int64 labels.

    Raises:
        DataUnavailable: the network is away or the server does not answer; one sentence says how to
            use a local folder instead.
    """
    outcome: dict[str, Any] = {}
    thread = threading.Thread(target=_fetch_into, args=(outcome, openml_id, folder), daemon=True)
    thread.start()
    size, grown = -1, time.monotonic()
    while thread.is_alive():
        on_progress(min(0.9, max(size, 0) / expected_bytes), f"Downloading {label} from OpenML.")
        thread.join(_POLL_SECONDS)
        now = _folder_bytes(folder)
        if now != size:
            size, grown = now, time.monotonic()
        # Once everything is here, parsing takes its time and the folder does not grow.
        elif time.monotonic() - grown > STALL_SECONDS and size < 0.5 * expected_bytes:
            raise DataUnavailable(f"{label} could not be downloaded: OpenML does not answer. {hint}")
    if "error" in outcome:
        raise DataUnavailable(f"{label} could not be downloaded from OpenML. {hint}") from outcome["error"]
    on_progress(0.95, f"Unpacking {label}.")
    return outcome["x"], outcome["y"]


def _fetch_into(outcome: dict[str, Any], openml_id: int, folder: Path) -> None:
    try:
        import sklearn.datasets

        folder.mkdir(parents=True, exist_ok=True)
        # It warns at each retry; the person gets one sentence at the end instead.
        with quiet():
            x, y = sklearn.datasets.fetch_openml(
                data_id=openml_id,
                data_home=str(folder),
                as_frame=False,
                parser="pandas",
                return_X_y=True,
                n_retries=1,
                delay=0.5,
            )
        outcome["x"] = np.asarray(x).astype(np.uint8)
        outcome["y"] = np.asarray(y).astype(np.int64)
    except (OSError, ValueError, ImportError, CoreError, MemoryError) as error:
        outcome["error"] = error
    except Exception as error:  # what a parser raises on half a file is not ours to list
        outcome["error"] = error


def _folder_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue  # a temporary file that was renamed meanwhile
    return total
