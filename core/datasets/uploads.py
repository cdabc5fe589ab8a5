"""Uploads kept on this machine: the bytes under their SHA-256, and what a confined process made of them.

Nothing of an upload is decoded in the server's process, and nothing twice: the arrays lie beside the
bytes, by size and channels, and a refusal is remembered. The arrays are only copies, so the ones used
longest ago are deleted when there are many; the bytes stay.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.cache import Cache
from core.confined import Limits, run_confined
from core.datasets.base import RawImages
from core.datasets.decoding import Summary, read_decoded, read_labels
from core.datasets.loading import write_whole
from core.errors import InvalidInput, NotFound
from core.settings import settings

DECODER = "core.datasets.decode_worker"
LIMITS = Limits()
MOST_DECODED_BYTES = 4 * 2**30
_MOST_REFUSALS = 512
_OURS = re.compile(r"[0-9a-f]{64}-\d+-\d\.npz")

_refused: Cache[str] = Cache(_MOST_REFUSALS)


@dataclass(frozen=True)
class Upload:
    """An upload that was accepted.

    Attributes:
        upload_id: SHA-256 of its bytes, the `upload` setting of the data set "images".
        summary: what was found in it.
    """

    upload_id: str
    summary: Summary


def keep(data: bytes, *, size: int, channels: int) -> Upload:
    """Decode an upload, unless that was done before, and keep its bytes.

    Args:
        data: a .zip of class folders or a .npz.
        size: side in pixels, 0 as `core.datasets.decoding.decode` has it.
        channels: 0, 1 or 3.

    Raises:
        InvalidInput: the upload is refused; nothing of it was kept.
        Busy: many others are being decoded.
        StorageFailed: the disk refused it.
    """
    upload_id = hashlib.sha256(data).hexdigest()
    decoded = _decoded_path(upload_id, size, channels)
    try:
        _, summary = read_labels(decoded)
    except (FileNotFoundError, InvalidInput):
        summary = _decode(data, upload_id, size, channels)
    kept = _bytes_path(upload_id)
    if not kept.exists():
        write_whole(kept, lambda file: file.write(data), private=True)
    return Upload(upload_id, summary)


def decoded_images(upload_id: str, *, size: int, channels: int) -> RawImages:
    """The images of a kept upload.

    Raises:
        NotFound: nothing is kept under that id.
        InvalidInput: what is kept no longer has that SHA-256, or is refused at this size.
        Busy: many others are being decoded.
    """
    decoded = _decoded_path(upload_id, size, channels)
    if not _bytes_path(upload_id).is_file():
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


def read_upload(upload_id: str) -> bytes:
    """The bytes of a kept upload, verified against its id.

    Raises:
        NotFound: nothing is kept under that id.
        InvalidInput: what is kept no longer has that SHA-256.
    """
    path = _bytes_path(upload_id)
    if not path.is_file():
        raise _gone()
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != upload_id:
        raise InvalidInput("The kept images were damaged on the disk; upload them again.")
    return data


def _decode(data: bytes, upload_id: str, size: int, channels: int) -> Summary:
    target = _decoded_path(upload_id, size, channels)
    known = _refused.find(target.name)
    if known is not None:
        raise InvalidInput(known)
    try:
        answer = run_confined(DECODER, data, {"size": size, "channels": channels}, target, LIMITS)
    except InvalidInput as error:
        _refused.put(target.name, str(error))
        raise
    _make_room(target)
    return Summary.model_validate(answer)


def _make_room(newest: Path) -> None:
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


def _bytes_path(upload_id: str) -> Path:
    if not re.fullmatch(r"[0-9a-f]{64}", upload_id):
        raise _gone()
    return settings().home / "datasets" / "uploads" / f"{upload_id}.bin"


def _decoded_path(upload_id: str, size: int, channels: int) -> Path:
    _bytes_path(upload_id)
    return settings().home / "datasets" / "decoded" / f"{upload_id}-{size}-{channels}.npz"
