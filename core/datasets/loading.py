"""`load_dataset`: one door to every data set, kept in memory by its arguments.

Two visitors who ask for the same data get the same object; a second one who asks while the first is
still reading waits for that reading instead of starting another.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core.cache import Cache
from core.datasets.base import DATASETS, SPLITS, Dataset, DataSource, OnProgress, Raw
from core.datasets.splitting import fingerprint, split_ids
from core.errors import InvalidInput, StorageFailed
from core.settings import settings

_loaded: Cache[Dataset] = Cache(6)


def load_dataset(
    name: str, *, seed: int = 0, on_progress: OnProgress | None = None, **config: Any
) -> Dataset:
    """Read, divide and keep a data set.

    Args:
        name: registry name, "digits" for example.
        seed: decides the division into splits (an official test set stays what it is).
        on_progress: called with (fraction 0-1, message) while reading; may raise `Cancelled`.
        config: fields of the plug-in's `Config`.

    Returns:
        The same object for the same arguments.

    Raises:
        NotFound: there is no such data set.
        InvalidInput: a field is unknown or out of bounds, or a file is not what it should be.
        DataUnavailable: the data are neither on this machine nor reachable.
    """
    source = DATASETS.create(name, config)
    place = settings()
    fields = source.config.model_dump(mode="json")
    key = json.dumps([name, int(seed), fields, source.state(), str(place.home), str(place.data_folder)])

    def read() -> Dataset:
        report = on_progress or _silent
        dataset = assemble(source, source.read(report), seed=seed)
        report(1.0, f"{source.label} is ready.")
        return dataset

    return _loaded.get(key, read)


def assemble(source: DataSource, raw: Raw, *, seed: int) -> Dataset:
    """Divide and convert what a plug-in has read.

    Raises:
        InvalidInput: there are too few samples.
    """
    ids = split_ids(raw, source.held_out(raw), source.config, seed=seed, name=source.name)
    splits = {name: raw.take(getattr(ids, name)) for name in SPLITS}
    tokenizer, target_bytes = raw.told()
    return Dataset(
        name=source.name,
        title=source.label,
        classes=raw.classes,
        train=splits["train"],
        calibration=splits["calibration"],
        validation=splits["validation"],
        test=splits["test"],
        source=source.source,
        licence=source.licence,
        fingerprint=fingerprint(splits, raw.classes),
        task=source.task,
        inputs=raw.inputs(splits["train"]),
        arrays=raw.arrays,
        tokenizer=tokenizer,
        target_bytes=target_bytes,
    )


def write_npz(dataset: Dataset, split: str, path: str | Path) -> Path:
    """Write one split as arrays: what the samples are, `y` (n,) int64 and `classes`.

    Images are `x` (n, c, h, w) float32 in [0, 1]; tokens are `x` (n, length) and `mask`; a graph is `x`,
    the features of all its nodes, those of the split first, and `edges`; language is `x` (n, length), `scored` (n, p) and
    `bytes` (n,) that the next tokens stand for.

    The file appears whole or not at all; an older file of that name is replaced.

    Raises:
        InvalidInput: there is no such split, or the path does not end in .npz.
        StorageFailed: the disk refused the file.
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise InvalidInput(f"The data are written as .npz; {target.name!r} has another ending.")
    part = dataset.split(split)
    arrays = dict(zip(dataset.arrays, part.arrays(), strict=True))
    if len(dataset.target_bytes):
        arrays["bytes"] = dataset.target_bytes[part.ids]
    save_arrays(target, **arrays, y=part.y, classes=np.array(dataset.classes))
    return target


def save_arrays(target: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays to `target` as .npz, whole or not at all.

    Raises:
        StorageFailed: the disk refused the file; an older one is intact.
    """
    write_whole(target, lambda file: np.savez(file, allow_pickle=False, **arrays))


def write_whole(target: Path, write: Callable[[IO[bytes]], object], *, private: bool = False) -> None:
    """Let `write` fill a temporary file beside `target`, make it durable, then rename it durably.

    Args:
        target: the file.
        write: called with the temporary file.
        private: readable for this user alone.

    Raises:
        StorageFailed: the disk refused the file; an older one is intact.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
        try:
            with io.FileIO(handle, "wb") as raw, io.BufferedWriter(raw) as file:
                write(file)
                file.flush()
                os.fsync(handle)
            Path(temporary).chmod(0o600 if private else 0o644)
            Path(temporary).replace(target)
            _sync_folder(target.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageFailed(
            f"{target} could not be written ({error.strerror}); nothing was changed."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; Windows cannot open folders, and journals renames itself."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _silent(fraction: float, message: str) -> None:
    """Nobody is watching."""
