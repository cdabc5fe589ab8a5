"""A person's own images: a zip of class folders, or a .npz of arrays.

An upload is checked in memory first. Only then may it be kept, under the SHA-256 of its bytes, so
that a background job and a later visit can find it; a page never passes a path.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from core.datasets.archives import ZipLimits
from core.datasets.base import DATASETS, Dataset, FractionConfig, FractionSource, OnProgress, Raw, RawImages
from core.datasets.loading import assemble, write_whole
from core.datasets.npz import images_from_npz
from core.datasets.pictures import images_from_zip, resize_images
from core.errors import InvalidInput, NotFound
from core.settings import settings

_PICTURE_SIDE = 32


@DATASETS.register("images")
class Images(FractionSource):
    """Your own images: a zip with one folder per class, or a .npz with arrays x and y."""

    label = "Your own images"
    source = "Uploaded by you"
    licence = "Yours to know"
    upload_bytes: ClassVar[int] = ZipLimits().upload_bytes

    class Config(FractionConfig):
        """Which images, at which size."""

        upload: str = Field(
            "",
            pattern=r"^([0-9a-f]{64})?$",
            description="Id of a kept upload.",
            json_schema_extra={"form": False, "by_content": True},
        )
        path: str = Field(
            "", max_length=4096, description="A .zip or .npz file.", json_schema_extra={"form": False}
        )
        size: int = Field(
            0, ge=0, le=224, description="Side in pixels (0: as they are in a .npz, 32 for pictures)."
        )
        channels: Literal[0, 1, 3] = Field(
            0, description="1: grey, 3: RGB (0: as they are in a .npz, RGB for pictures)."
        )

    def read(self, on_progress: OnProgress) -> RawImages:
        if bool(self.config.upload) == bool(self.config.path):
            raise InvalidInput("Choose images first: upload a .zip or .npz, or name one file.")
        data = read_upload(self.config.upload) if self.config.upload else _read_file(Path(self.config.path))
        return self.read_bytes(data, on_progress)

    def read_bytes(self, data: bytes, on_progress: OnProgress) -> RawImages:
        """The images in an archive's bytes; what it is, the bytes themselves say.

        Raises:
            InvalidInput: one sentence says what is refused and why.
        """
        size, channels = self.config.size, self.config.channels
        if 0 < size < 4:
            raise InvalidInput("Images need at least 4 pixels a side.")
        if looks_like_npz(data):
            return resize_images(images_from_npz(data), size=size, channels=channels)
        return images_from_zip(
            data, size=size or _PICTURE_SIDE, channels=channels or 3, on_progress=on_progress
        )

    def state(self) -> str:
        path = Path(self.config.path)
        if not self.config.path or not path.is_file():
            return ""
        return f"{path.stat().st_mtime_ns}:{path.stat().st_size}"

    def held_out(self, raw: Raw) -> tuple[int, int]:
        validation, test = super().held_out(raw)
        return validation, raw.n_test or test


def looks_like_npz(data: bytes) -> bool:
    """Whether a zip's first member is called .npy (a .npz is a zip of those)."""
    return data[:4] == b"PK\x03\x04" and data[30 : 30 + int.from_bytes(data[26:28], "little")].endswith(
        b".npy"
    )


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
    return assemble(
        source, source.read_bytes(data, on_progress or (lambda fraction, message: None)), seed=seed
    )


def keep_upload(data: bytes, **config: Any) -> str:
    """Check an upload and keep it for jobs: `load_dataset("images", upload=<the returned id>)`.

    Raises:
        InvalidInput: the upload is refused; nothing was written.
        StorageFailed: the disk refused it.
    """
    load_images(data, **config)
    upload_id = hashlib.sha256(data).hexdigest()
    target = _upload_path(upload_id)
    if not target.exists():
        write_whole(target, lambda file: file.write(data))
    return upload_id


def read_upload(upload_id: str) -> bytes:
    """The bytes of a kept upload, verified against its id.

    Raises:
        NotFound: nothing is kept under that id.
        InvalidInput: what is kept no longer has that SHA-256.
    """
    path = _upload_path(upload_id)
    if len(upload_id) != 64 or not path.is_file():
        raise NotFound("Those images are no longer kept here; upload them again.")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != upload_id:
        raise InvalidInput("The kept images were damaged on the disk; upload them again.")
    return data


def _upload_path(upload_id: str) -> Path:
    return settings().home / "datasets" / "uploads" / f"{upload_id}.bin"


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    if path.stat().st_size > Images.upload_bytes:
        raise InvalidInput(f"{path.name} has more than {Images.upload_bytes:,} bytes.")
    return path.read_bytes()
