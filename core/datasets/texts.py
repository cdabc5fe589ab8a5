"""A person's own texts with classes: a zip with one folder of .txt files per class, or a table of texts and labels.

Decoded in a process of its own and kept as images are (`core.datasets.uploads`): the bytes under their SHA-256, the
texts beside them. `core.datasets.corpus` is the same for language.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from core.datasets import uploads
from core.datasets.base import DATASETS, FractionSource, OnProgress, upload_field
from core.datasets.found import Found
from core.datasets.found_texts import TextSummary, of_texts
from core.datasets.images import read_file
from core.datasets.kept_tokenizers import tokenizer_of
from core.datasets.loading import write_whole
from core.datasets.splitting import split_ids
from core.datasets.text_archive import Texts, decode_texts, equal_texts, read_texts
from core.datasets.text_rows import RawTexts, TextConfig, rows_of_tokens
from core.errors import InvalidInput, NotFound
from core.people import Action, require
from core.settings import settings

DECODER = "core.datasets.text_worker"


class OwnTextConfig(TextConfig):
    """Which texts, and what splits them."""

    upload: str = upload_field()
    path: str = Field(
        "", max_length=4096, description="A .zip, .csv or .tsv file.", json_schema_extra={"form": False}
    )


@DATASETS.register("texts")
class OwnTexts(FractionSource):
    """Your own texts with classes: a zip with one folder of .txt files per class, or a .csv with columns text and label."""

    label = "Your own texts (classes)"
    source = "Uploaded by you"
    licence = "Yours to know"
    task = "tokens"
    Config = OwnTextConfig

    def read(self, on_progress: OnProgress) -> RawTexts:
        config = self.config
        found, _ = given_texts(config.upload, config.path, classed=True)
        tokenizer = tokenizer_of(config.tokenizer)
        x, lengths = rows_of_tokens(found.texts, tokenizer, config.length, on_progress)
        # Copies of a text go to one split together.
        return RawTexts(x, lengths, found.y, found.names, tokenizer, equal_texts(found.texts))

    def state(self) -> str:
        return file_state(self.config.path)


@dataclass(frozen=True)
class KeptTexts:
    """An upload that was accepted.

    Attributes:
        upload_id: SHA-256 of its bytes, the `upload` setting of the data sets "texts" and "corpus".
        summary: what was found in it.
        length: tokens that are proposed for a text.
    """

    upload_id: str
    summary: TextSummary
    length: int


def keep_texts(data: bytes, *, classed: bool = True) -> KeptTexts:
    """Check an upload and keep it for jobs: `load_dataset("texts", upload=<its id>)`, or "corpus" without classes.

    Args:
        data: a .zip, .csv or .tsv of texts with classes; a .txt or a .zip for language.
        classed: which of the two.

    Raises:
        InvalidInput: the upload is refused.
        Busy: many others are being decoded.
        StorageFailed: the disk refused it.
    """
    require(Action.UPLOAD)
    upload_id = hashlib.sha256(data).hexdigest()
    try:
        _, summary = read_texts(_decoded_path(upload_id, classed))
    except (FileNotFoundError, InvalidInput):
        _decode(data, upload_id, classed)
        _, summary = read_texts(_decoded_path(upload_id, classed))
    kept = uploads.bytes_path(upload_id)
    if not kept.exists():
        write_whole(kept, lambda file: file.write(data), private=True)
    return KeptTexts(upload_id, summary, summary.proposed)


def texts_found(upload: KeptTexts, *, seed: int = 0, **config: Any) -> Found:
    """What a kept upload of texts with classes holds, divided as these settings say.

    Raises:
        NotFound: its decoded copy is gone.
        InvalidInput: it is too small to be divided as the settings say.
    """
    source = OwnTexts(DATASETS.config("texts", config | {"upload": upload.upload_id}))
    raw = source.read(lambda fraction, message: None)
    ids = split_ids(raw, source.held_out(raw), source.config, seed=seed, name=source.name)
    parts = {name: getattr(ids, name) for name in ("train", "validation", "test")}
    assert raw.together is not None
    return of_texts(upload.summary, raw.y, parts, raw.together)


def given_texts(upload: str, path: str, *, classed: bool) -> tuple[Texts, TextSummary]:
    """The texts of a kept upload, or of a file of this machine.

    Raises:
        NotFound: nothing is kept under that id, or there is no such file.
        InvalidInput: neither or both are named, or the texts are refused.
        Busy: many others are being decoded.
    """
    if bool(upload) == bool(path):
        raise InvalidInput("Choose texts first: upload a file, or name one.")
    if path:
        return decode_texts(read_file(Path(path)), classed=classed)
    copy = _decoded_path(upload, classed)
    if not uploads.is_kept(upload):
        raise NotFound("Those texts are no longer kept here; upload them again.")
    for _ in range(2):
        try:
            found = read_texts(copy)
        except (FileNotFoundError, InvalidInput):
            _decode(uploads.read_upload(upload), upload, classed)
        else:
            with suppress(OSError):
                os.utime(copy)
            return found
    raise InvalidInput("The kept texts cannot be read from the disk; upload them again.")


def file_state(path: str) -> str:
    """What changes when a file does, "" for none."""
    file = Path(path)
    return f"{file.stat().st_mtime_ns}:{file.stat().st_size}" if path and file.is_file() else ""


def _decode(data: bytes, upload_id: str, classed: bool) -> None:
    target = _decoded_path(upload_id, classed)
    uploads.confined(DECODER, data, {"classed": classed}, target)
    uploads.make_room(target)


def _decoded_path(upload_id: str, classed: bool) -> Path:
    uploads.bytes_path(upload_id)  # judges the id
    kind = "texts" if classed else "corpus"
    return settings().home / "datasets" / "decoded" / f"{upload_id}-{kind}.npz"
