"""A person's own sounds: a zip of class folders of .wav files, or of files whose names begin with the class.

Decoded in a process of its own and kept as images are (`core.datasets.uploads`): the bytes under their
SHA-256, the clips beside them by rate and length.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets import uploads
from core.datasets.base import DATASETS, FractionConfig, FractionSource, OnProgress, upload_field
from core.datasets.found import Found
from core.datasets.found_sounds import SoundProposal, SoundSummary, of_sounds
from core.datasets.images import read_file
from core.datasets.loading import write_whole
from core.datasets.series import RawSeries
from core.datasets.sound_archive import (
    LENGTHS_MS,
    Envelopes,
    decode_sounds,
    read_beside,
    read_sounds,
)
from core.datasets.splitting import split_ids
from core.datasets.waves import RATES
from core.errors import InvalidInput, NotFound
from core.people import Action, require
from core.settings import settings

DECODER = "core.datasets.sound_worker"


@DATASETS.register("sounds")
class Sounds(FractionSource):
    """Your own sounds: a zip with one folder of .wav files per class, or files named class_speaker_number.wav."""

    label = "Your own sounds"
    source = "Uploaded by you"
    licence = "Yours to know"
    task = "series"

    class Config(FractionConfig):
        """Which sounds, at which rate and length."""

        upload: str = upload_field()
        path: str = Field("", max_length=4096, description="A .zip file.", json_schema_extra={"form": False})
        rate: int = Field(8000, ge=RATES[0], le=RATES[1], description="Samples per second that networks get.")
        milliseconds: int = Field(
            1000, ge=LENGTHS_MS[0], le=LENGTHS_MS[1], description="Length of a clip; longer ones are cut."
        )

    def read(self, on_progress: OnProgress) -> RawSeries:
        config = self.config
        if bool(config.upload) == bool(config.path):
            raise InvalidInput("Choose sounds first: upload a .zip, or name one file.")
        if config.upload:
            return decoded_sounds(config.upload, rate=config.rate, milliseconds=config.milliseconds)
        return decode_sounds(
            read_file(Path(config.path)),
            rate=config.rate,
            milliseconds=config.milliseconds,
            on_progress=on_progress,
        )[0]

    def state(self) -> str:
        path = Path(self.config.path)
        if not self.config.path or not path.is_file():
            return ""
        return f"{path.stat().st_mtime_ns}:{path.stat().st_size}"


@dataclass(frozen=True)
class KeptSounds:
    """An upload that was accepted.

    Attributes:
        upload_id: SHA-256 of its bytes, the `upload` setting of the data set "sounds".
        summary: what was found in it.
        rate, milliseconds: what it was decoded to, as settings of that data set.
    """

    upload_id: str
    summary: SoundSummary
    rate: int
    milliseconds: int


def keep_sounds(data: bytes, **config: Any) -> KeptSounds:
    """Check an upload and keep it for jobs: `load_dataset("sounds", upload=<its id>, rate=.., milliseconds=..)`.

    Args:
        data: a .zip of sounds.
        config: fields of `Sounds.Config`; a rate and a length that fit the sounds where both are left out.

    Raises:
        InvalidInput: the upload is refused, or too small to be divided as the settings say.
        Busy: many others are being decoded.
        StorageFailed: the disk refused it.
    """
    require(Action.UPLOAD)
    source = Sounds(DATASETS.config("sounds", config))
    upload_id = hashlib.sha256(data).hexdigest()
    if {"rate", "milliseconds"} & set(config):
        wanted = SoundProposal(rate=source.config.rate, milliseconds=source.config.milliseconds)
    else:
        wanted = _proposed(upload_id) or _propose(data, upload_id)
    copy = _decoded_path(upload_id, wanted)
    try:
        _, summary = read_sounds(copy, with_clips=False)
    except (FileNotFoundError, InvalidInput):
        summary = _decode(data, upload_id, wanted)
    kept = uploads.bytes_path(upload_id)
    if not kept.exists():
        write_whole(kept, lambda file: file.write(data), private=True)
    found = KeptSounds(upload_id, summary, wanted.rate, wanted.milliseconds)
    _divided(found, source)
    return found


def decoded_sounds(upload_id: str, *, rate: int, milliseconds: int) -> RawSeries:
    """The clips of a kept upload.

    Raises:
        NotFound: nothing is kept under that id.
        InvalidInput: what is kept no longer has that SHA-256, or is refused.
        Busy: many others are being decoded.
    """
    wanted = SoundProposal(rate=rate, milliseconds=milliseconds)
    copy = _decoded_path(upload_id, wanted)
    if not uploads.is_kept(upload_id):
        raise _gone()
    for _ in range(2):
        try:
            raw, _ = read_sounds(copy)
        except (FileNotFoundError, InvalidInput):
            _decode(uploads.read_upload(upload_id), upload_id, wanted)
        else:
            with suppress(OSError):
                os.utime(copy)
            return raw
    raise InvalidInput("The kept sounds cannot be read from the disk; upload them again.")


def sounds_found(upload: KeptSounds, *, seed: int = 0, **config: Any) -> Found:
    """What a kept upload holds, divided as these settings say.

    Raises:
        NotFound: its decoded copy is gone.
        InvalidInput: it is too small to be divided as the settings say.
    """
    y, ids = _divided(upload, Sounds(DATASETS.config("sounds", config)), seed)
    return of_sounds(upload.summary, y, ids, _beside(upload)[0])


def some_envelopes(upload: KeptSounds) -> Envelopes:
    """Some clips of each class, to be drawn.

    Raises:
        NotFound: the decoded copy is gone.
    """
    return _beside(upload)[1]


def _beside(upload: KeptSounds) -> tuple[NDArray[np.int64], Envelopes]:
    try:
        return read_beside(_decoded_path(upload.upload_id, upload))
    except (FileNotFoundError, InvalidInput) as error:
        raise _gone() from error


def _divided(
    upload: KeptSounds, source: Sounds, seed: int = 0
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """(n,) classes, and the positions of each split."""
    try:
        raw, _ = read_sounds(_decoded_path(upload.upload_id, upload), with_clips=False)
    except (FileNotFoundError, InvalidInput) as error:
        raise _gone() from error
    ids = split_ids(raw, source.held_out(raw), source.config, seed=seed, name=source.name)
    return raw.y, {name: getattr(ids, name) for name in ("train", "validation", "test")}


def _decode(data: bytes, upload_id: str, wanted: SoundProposal) -> SoundSummary:
    target = _decoded_path(upload_id, wanted)
    answer = uploads.confined(DECODER, data, wanted.model_dump(), target)
    uploads.make_room(target)
    return SoundSummary.model_validate(answer)


def _propose(data: bytes, upload_id: str) -> SoundProposal:
    """Decode an upload to what fits it: one pass over it finds out what that is, and does it."""
    target = _folder() / f"{upload_id}-proposed-sounds.npz"
    answer = uploads.confined(DECODER, data, {"rate": None, "milliseconds": None}, target)
    proposed = SoundSummary.model_validate(answer).proposed
    uploads.renamed(target, _decoded_path(upload_id, proposed))
    return proposed


def _proposed(upload_id: str) -> SoundProposal | None:
    """What is proposed for an upload that was decoded before, to whatever."""
    for path in sorted(_folder().glob(f"{upload_id}-*-sounds.npz")):
        with suppress(FileNotFoundError, InvalidInput):
            return read_sounds(path, with_clips=False)[1].proposed
    return None


def _folder() -> Path:
    return settings().home / "datasets" / "decoded"


def _decoded_path(upload_id: str, wanted: SoundProposal | KeptSounds) -> Path:
    uploads.bytes_path(upload_id)  # judges the id
    return _folder() / f"{upload_id}-{wanted.rate}-{wanted.milliseconds}-sounds.npz"


def _gone() -> NotFound:
    return NotFound("Those sounds are no longer kept here; upload them again.")
