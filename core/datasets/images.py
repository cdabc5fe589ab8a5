"""A person's own images: a zip of class folders, or a .npz of arrays.

An upload is decoded in a process of its own. Only what was accepted is kept, under the SHA-256 of its
bytes, so that a background job and a later visit can find it; a page never passes a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets import uploads
from core.datasets.archives import ZipLimits
from core.datasets.base import (
    DATASETS,
    Dataset,
    FractionConfig,
    FractionSource,
    OnProgress,
    Raw,
    RawImages,
    upload_field,
)
from core.datasets.decoding import decode
from core.datasets.found import Found, of_images
from core.datasets.loading import assemble
from core.datasets.pictures import WHITE_BELOW
from core.datasets.splitting import split_ids
from core.datasets.uploads import Upload
from core.errors import InvalidInput, NotFound


@DATASETS.register("images")
class Images(FractionSource):
    """Your own images: a zip with one folder per class, or a .npz with arrays x and y."""

    label = "Your own images"
    source = "Uploaded by you"
    licence = "Yours to know"
    upload_bytes: ClassVar[int] = ZipLimits().upload_bytes
    reading: ClassVar[Mapping[str, str]] = WHITE_BELOW

    class Config(FractionConfig):
        """Which images, at which size."""

        upload: str = upload_field()
        path: str = Field(
            "", max_length=4096, description="A .zip or .npz file.", json_schema_extra={"form": False}
        )
        size: int = Field(
            0, ge=0, le=224, description="Side in pixels (0: as they are in a .npz, 32 for pictures)."
        )
        channels: Literal[0, 1, 3] = Field(
            0, description="1: gray, 3: RGB (0: as they are in a .npz, RGB for pictures)."
        )

    def read(self, on_progress: OnProgress) -> RawImages:
        size, channels = self.config.size, self.config.channels
        if bool(self.config.upload) == bool(self.config.path):
            raise InvalidInput("Choose images first: upload a .zip or .npz, or name one file.")
        if self.config.upload:
            return uploads.decoded_images(self.config.upload, size=size, channels=channels)
        return decode(
            read_file(Path(self.config.path)), size=size, channels=channels, on_progress=on_progress
        )[0]

    def state(self) -> str:
        path = Path(self.config.path)
        if not self.config.path or not path.is_file():
            return ""
        return f"{path.stat().st_mtime_ns}:{path.stat().st_size}"

    def held_out(self, raw: Raw) -> tuple[int, int]:
        validation, test = super().held_out(raw)
        return validation, raw.n_test or test


def load_images(
    data: bytes, *, seed: int = 0, on_progress: OnProgress | None = None, **config: Any
) -> Dataset:
    """Check, read and divide an upload without keeping anything.

    Args:
        data: a .zip of class folders or a .npz.
        seed: decides the division into splits.
        on_progress: called with (fraction 0-1, message).
        config: fields of `Images.Config`.

    Raises:
        InvalidInput: one sentence says what is refused and why.
    """
    source = Images(DATASETS.config("images", config))
    chosen = source.config
    raw, _ = decode(data, size=chosen.size, channels=chosen.channels, on_progress=on_progress)
    return assemble(source, raw, seed=seed)


def keep_upload(data: bytes, **config: Any) -> Upload:
    """Check an upload and keep it for jobs: `load_dataset("images", upload=<its id>, size=.., channels=..)`.

    It is decoded in a confined process, once; see `core.datasets.uploads`.

    Args:
        data: a .zip of class folders or a .npz.
        config: fields of `Images.Config`; size and channels that fit the images where both are left out.

    Raises:
        InvalidInput: the upload is refused, or too small to be divided as the settings say.
        Busy: many others are being decoded.
        StorageFailed: the disk refused it.
    """
    source = Images(DATASETS.config("images", config))
    names = ("size", "channels")
    chosen = {name: getattr(source.config, name) for name in names} if set(names) & set(config) else {}
    kept = uploads.keep(data, **chosen)
    _divided(kept, source)
    return kept


def found_in(upload: Upload, *, seed: int = 0, **config: Any) -> Found:
    """What a kept upload holds, divided as these settings say.

    Args:
        upload: as `keep_upload` returned it.
        seed: decides the division.
        config: fields of `Images.Config`.

    Raises:
        NotFound: its decoded copy is gone.
        InvalidInput: it is too small to be divided as the settings say.
    """
    y, ids = _divided(upload, Images(DATASETS.config("images", config)), seed)
    same, _ = uploads.beside(upload)
    return of_images(upload.summary, y, ids, same)


def _divided(
    upload: Upload, source: Images, seed: int = 0
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """(n,) classes, and the positions of each split."""
    raw = uploads.labels(upload.upload_id, size=upload.size, channels=upload.channels)
    ids = split_ids(raw, source.held_out(raw), source.config, seed=seed, name=source.name)
    return raw.y, {name: getattr(ids, name) for name in ("train", "validation", "test")}


def read_file(path: Path) -> bytes:
    """The bytes of a file that a person names.

    Raises:
        NotFound: there is none.
        InvalidInput: it is too large.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    if path.stat().st_size > Images.upload_bytes:
        raise InvalidInput(f"{path.name} has more than {Images.upload_bytes:,} bytes.")
    return path.read_bytes()
