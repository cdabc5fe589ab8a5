"""Uploads kept on this machine: the bytes under their SHA-256, and what a confined process made of them.

Nothing of an upload is decoded in the server's process, and nothing twice: the arrays lie beside the
bytes, by size and channels, and a refusal is remembered. The arrays are only copies, so the ones used
longest ago are deleted when there are many; the bytes stay.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.cache import Cache
from core.config import JsonObject, Settings
from core.confined import Limits, run_confined
from core.datasets.base import RawImages
from core.datasets.decoding import Sheet, read_beside, read_decoded, read_labels
from core.datasets.found import Proposal, Summary
from core.datasets.loading import write_whole
from core.elsewhere import fetched
from core.errors import InvalidInput, NotFound, StorageFailed
from core.people import Action, require
from core.settings import settings

DECODER = "core.datasets.decode_worker"
LIMITS = Limits()
MOST_DECODED_BYTES = 4 * 2**30
_MOST_REFUSALS = 512
_OURS = re.compile(r"[0-9a-f]{64}-((\d+-\d+|proposed)(-sounds)?|texts|corpus)\.npz")

_refused: Cache[str] = Cache(_MOST_REFUSALS)


@dataclass(frozen=True)
class Upload:
    """An upload that was accepted.

    Attributes:
        upload_id: SHA-256 of its bytes, the `upload` setting of the data set "images".
        summary: what was found in it.
        size, channels: what it was decoded to, as settings of that data set.
    """

    upload_id: str
    summary: Summary
    size: int
    channels: int


def keep(data: bytes, *, size: int | None = None, channels: int | None = None) -> Upload:
    """Decode an upload, unless that was done before, and keep its bytes.

    Args:
        data: a .zip of class folders or a .npz.
        size: side in pixels, 0 as `core.datasets.decoding.decode` has it; None: what is proposed.
        channels: 0, 1 or 3; None: what is proposed.

    Raises:
        InvalidInput: the upload is refused; nothing of it was kept.
        Busy: many others are being decoded.
        StorageFailed: the disk refused it.
    """
    require(Action.UPLOAD)
    upload_id = hashlib.sha256(data).hexdigest()
    if size is None or channels is None:
        proposed = _proposed(upload_id) or _propose(data, upload_id)
        size = proposed.size if size is None else size
        channels = proposed.channels if channels is None else channels
    decoded = _decoded_path(upload_id, size, channels)
    try:
        _, summary = read_labels(decoded)
    except (FileNotFoundError, InvalidInput):
        summary = _decode(data, upload_id, size, channels)
    kept = bytes_path(upload_id)
    if not kept.exists():
        write_whole(kept, lambda file: file.write(data), private=True)
    return Upload(upload_id, summary, size, channels)


def decoded_images(upload_id: str, *, size: int, channels: int) -> RawImages:
    """The images of a kept upload.

    Raises:
        NotFound: nothing is kept under that id.
        InvalidInput: what is kept no longer has that SHA-256, or is refused at this size.
        Busy: many others are being decoded.
    """
    decoded = _decoded_path(upload_id, size, channels)
    if not is_kept(upload_id):
        raise _gone()
    for _ in range(2):
        try:
            raw, _ = read_decoded(decoded)
        except (FileNotFoundError, InvalidInput):
            _decode(read_upload(upload_id), upload_id, size, channels)
        else:
            with suppress(OSError):
                os.utime(decoded)
            return raw
    raise InvalidInput("The kept images cannot be read from the disk; upload them again.")


def labels(upload_id: str, *, size: int, channels: int) -> RawImages:
    """As `decoded_images`, but without the images: enough to divide them.

    Raises:
        NotFound: the upload was not decoded at this size.
    """
    try:
        return read_labels(_decoded_path(upload_id, size, channels))[0]
    except (FileNotFoundError, InvalidInput) as error:
        raise _gone() from error


def beside(upload: Upload) -> tuple[NDArray[np.int64], Sheet]:
    """(n,) position of the first image equal to each, and some images of each class, small.

    Raises:
        NotFound: its decoded copy is gone.
    """
    try:
        return read_beside(_decoded_path(upload.upload_id, upload.size, upload.channels))
    except (FileNotFoundError, InvalidInput) as error:
        raise _gone() from error


def read_upload(upload_id: str) -> bytes:
    """The bytes of a kept upload, verified against its id.

    Raises:
        NotFound: nothing is kept under that id.
        InvalidInput: what is kept no longer has that SHA-256.
    """
    path = bytes_path(upload_id)
    if not is_kept(upload_id):
        raise _gone()
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != upload_id:
        raise InvalidInput("The kept images were damaged on the disk; upload them again.")
    return data


def _decode(data: bytes, upload_id: str, size: int, channels: int) -> Summary:
    target = _decoded_path(upload_id, size, channels)
    summary = _confined(data, {"size": size, "channels": channels}, target)
    make_room(target)
    return summary


def _propose(data: bytes, upload_id: str) -> Proposal:
    """Decode an upload to what fits it: one pass over it finds out what that is, and does it."""
    target = _decoded_path(upload_id, 0, 0).with_name(f"{upload_id}-proposed.npz")
    proposed = _confined(data, {"size": None, "channels": None}, target).proposed
    decoded = _decoded_path(upload_id, proposed.size, proposed.channels)
    renamed(target, decoded)
    return proposed


def renamed(proposed: Path, decoded: Path) -> None:
    """Give a decoded copy the name of what it was decoded to.

    Raises:
        StorageFailed: the disk refused it.
    """
    try:
        proposed.replace(decoded)
    except OSError as error:
        raise StorageFailed(f"The upload could not be kept: {error.strerror or error}.") from error
    make_room(decoded)


def _proposed(upload_id: str) -> Proposal | None:
    """What is proposed for an upload that was decoded before, at whatever size."""
    for path in sorted(_decoded_path(upload_id, 0, 0).parent.glob(f"{upload_id}-*.npz")):
        with suppress(FileNotFoundError, InvalidInput):
            return read_labels(path)[1].proposed
    return None


def _confined(data: bytes, options: Mapping[str, int | None], target: Path) -> Summary:
    return Summary.model_validate(confined(DECODER, data, options, target))


def confined(module: str, data: bytes, options: JsonObject, target: Path) -> Settings:
    """Let a decoder make a copy in a confined process; a refusal is remembered.

    Args:
        module: see `core.confined.run_confined`.
        data: the upload.
        options: what it becomes.
        target: where the copy will lie.

    Raises:
        InvalidInput: the upload is refused, now or before.
        Busy: many others are being decoded.
    """
    known = _refused.find(target.name)
    if known is not None:
        raise InvalidInput(known)
    try:
        return run_confined(module, data, options, target, LIMITS)
    except InvalidInput as error:
        _refused.put(target.name, str(error))
        raise


def make_room(newest: Path) -> None:
    """Delete decoded copies used longest ago, beyond `MOST_DECODED_BYTES`; never the one just made."""
    with suppress(OSError):
        ours = [path for path in newest.parent.iterdir() if _OURS.fullmatch(path.name) and path != newest]
        stats = sorted(((path.stat(), path) for path in ours), key=lambda pair: -pair[0].st_mtime)
        total = newest.stat().st_size
        for stat, path in stats:
            total += stat.st_size
            if total > MOST_DECODED_BYTES:
                path.unlink(missing_ok=True)


def _gone() -> NotFound:
    return NotFound("Those images are no longer kept here; upload them again.")


def bytes_path(upload_id: str) -> Path:
    """Where the bytes of an upload lie.

    Raises:
        NotFound: that is no id.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", upload_id):
        raise _gone()
    return settings().home / "datasets" / "uploads" / f"{upload_id}.bin"


def is_kept(upload_id: str) -> bool:
    """Whether the bytes of an upload are here; what another server was given is brought first.

    Raises:
        NotFound: that is no id.
        DataUnavailable: where it may be cannot be reached.
    """
    path = bytes_path(upload_id)
    return path.is_file() or brought(path)


def brought(path: Path) -> bool:
    """Whether an upload was to be had from elsewhere, and lies at `path` now.

    Raises:
        DataUnavailable: where it may be cannot be reached.
        StorageFailed: the disk refused it.
    """
    data = fetched(path)
    if data is None:
        return False
    write_whole(path, lambda file: file.write(data), private=True)
    return True


def _decoded_path(upload_id: str, size: int, channels: int) -> Path:
    bytes_path(upload_id)
    return settings().home / "datasets" / "decoded" / f"{upload_id}-{size}-{channels}.npz"
