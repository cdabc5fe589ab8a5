"""Tokenizers by their setting: two built in, and those that were kept here under the SHA-256 of their tokenizer.json."""

from __future__ import annotations

import hashlib

from core.cache import Cache
from core.datasets.loading import write_whole
from core.datasets.tokenizing import Tokenizing
from core.datasets.uploads import bytes_path
from core.errors import InvalidInput, NotFound
from core.people import Action, require

BYTE_PAIRS, BYTES = "byte_pairs", "bytes"
_read: Cache[Tokenizing] = Cache(8)


def keep_tokenizer(data: bytes) -> str:
    """Keep a tokenizer.json for jobs: the id is a `tokenizer` setting of data sets of texts.

    Args:
        data: the bytes of a tokenizer.json; judged, and kept as it will be used.

    Raises:
        InvalidInput: it is not accepted.
        StorageFailed: the disk refused it.
    """
    require(Action.UPLOAD)
    made = Tokenizing.read(data).json()
    tokenizer_id = hashlib.sha256(made).hexdigest()
    path = bytes_path(tokenizer_id)
    if not path.exists():
        write_whole(path, lambda file: file.write(made), private=True)
    return tokenizer_id


def tokenizer_of(setting: str) -> Tokenizing:
    """The tokenizer that a data set's setting names.

    Args:
        setting: "byte_pairs", "bytes", or an id that `keep_tokenizer` gave.

    Raises:
        NotFound: nothing is kept under that id.
        InvalidInput: what is kept no longer has that SHA-256.
    """
    if setting == BYTE_PAIRS:
        return _read.get(setting, Tokenizing.built_in)
    if setting == BYTES:
        return _read.get(setting, Tokenizing.bytes_alone)
    path = bytes_path(setting)
    if not path.is_file():
        raise NotFound("That tokenizer is no longer kept here; give its tokenizer.json again.")

    def read() -> Tokenizing:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != setting:
            raise InvalidInput("The kept tokenizer was damaged on the disk; give its tokenizer.json again.")
        return Tokenizing.read(data)

    return _read.get(str(path), read)
