"""A Hugging Face folder as bytes by name: from an uploaded zip or from this machine, within limits, nothing executed.

Only the files named here are ever read: settings, weights in safetensors, and the tokenizer's. Code that lies beside
them is never run, pickles are never opened, nothing is fetched. Every file is bounded before it is read, and every JSON
text is judged (how deep, nothing named twice, no numbers that are none). No torch.

Source: what `save_pretrained` of huggingface/transformers (Apache 2.0) writes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.config import Settings
from core.datasets.archives import ZipLimits, open_zip, read_member, shown
from core.errors import InvalidInput, NotFound

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER, TOKENIZER_CONFIG, SPECIAL_TOKENS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
VOCAB_TXT, VOCAB_JSON, MERGES = "vocab.txt", "vocab.json", "merges.txt"
ADDED_TOKENS = "added_tokens.json"
PICTURES = "preprocessor_config.json"
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
MOST_BYTES = {
    CONFIG: 2**20,
    INDEX: 4 * 2**20,
    TOKENIZER: 32 * 2**20,
    TOKENIZER_CONFIG: 4 * 2**20,
    SPECIAL_TOKENS: 2**20,
    ADDED_TOKENS: 2**20,
    VOCAB_TXT: 8 * 2**20,
    VOCAB_JSON: 16 * 2**20,
    MERGES: 16 * 2**20,
    PICTURES: 2**20,
}
"""Of each file that is read whole; weights have their own limits."""
LIMITS = ZipLimits(
    upload_bytes=256 * 2**20,
    entries=2_000,
    member_bytes=256 * 2**20,
    total_bytes=512 * 2**20,
)
_MOST_WEIGHTS = 2 * 2**30
_MOST_FILES = 2_000
_DEEPEST = 24
"""Levels of JSON; the card of a supernet's file holds config.json a few levels down."""
_MOST_JSON_OBJECTS = 400_000
_MARKS = (CONFIG, WEIGHTS, INDEX)
_DIRECTORY = 4 * 2**20
"""Bytes at the end of an archive where its list of files is looked for."""
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
_HOW_TO_SAVE = "load the network where it comes from and save it with model.save_pretrained(folder, safe_serialization=True)"


class Folder:
    """The files of a folder that are understood here.

    Attributes:
        title: the folder's own name, for a person.
        sizes: name -> bytes, of every file on its top level.
    """

    def __init__(
        self, title: str, sizes: Mapping[str, int], read: Callable[[str], bytes], path: Path | None = None
    ) -> None:
        self.title, self.sizes, self._read, self._path = title, dict(sizes), read, path

    def __contains__(self, name: str) -> bool:
        return name in self.sizes

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            InvalidInput: it is not there, or larger than such a file can be.
        """
        self._fits(name)
        return self._read(name)

    def _fits(self, name: str) -> bool:
        """A file is there and no larger than it can be; raises where it is not."""
        if name not in self.sizes:
            raise InvalidInput(f"The folder has no {shown(name)}; copy the whole folder.")
        most = MOST_BYTES.get(name, _MOST_WEIGHTS)
        if self.sizes[name] > most:
            raise InvalidInput(
                f"{shown(name)} has {self.sizes[name]:,} bytes; at most {most:,} are accepted."
            )
        return True

    def source(self, name: str) -> Path | bytes:
        """A file of weights: where it lies, or its bytes where it comes from an archive; raises as `read`."""
        return self.read(name) if self._path is None or not self._fits(name) else self._path / name

    def text(self, name: str) -> str:
        """A file as text, with plain line ends; raises as `read` does, and where it is not UTF-8."""
        try:
            return self.read(name).decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{shown(name)} is not text in UTF-8.") from error

    def json(self, name: str) -> Settings:
        """A file that holds one JSON object; an empty one where the folder has no such file.

        Raises:
            InvalidInput: it is damaged, too deep, or says something twice.
        """
        return parsed(self.read(name), name) if name in self.sizes else {}

    @property
    def weight_bytes(self) -> int:
        """Bytes of its weights, of all parts together."""
        return sum(size for name, size in self.sizes.items() if name == WEIGHTS or SHARD.fullmatch(name))

    def sha256(self) -> str:
        """SHA-256 of the names and contents of the files that are ever read.

        Raises:
            InvalidInput: one is larger than it can be.
            NotFound: one cannot be read.
        """
        told = hashlib.sha256()
        for name in sorted(self.sizes):
            if name not in MOST_BYTES and name != WEIGHTS and not SHARD.fullmatch(name):
                continue
            source = self.source(name)
            if isinstance(source, Path):
                with source.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            else:
                digest = hashlib.sha256(source).hexdigest()
            told.update(f"{name} {digest}\n".encode())
        return told.hexdigest()

    @property
    def config(self) -> Settings:
        """What config.json says.

        Raises:
            InvalidInput: as `json`; or there is none.
        """
        if CONFIG not in self.sizes:
            raise InvalidInput(
                "There is no config.json: bring the folder that model.save_pretrained wrote, with all its files."
            )
        return self.json(CONFIG)

    def require_weights(self) -> None:
        """There are weights in a format that is read.

        Raises:
            InvalidInput: there are none, or only pickles.
        """
        if WEIGHTS in self.sizes or INDEX in self.sizes:
            return
        pickled = sorted(name for name in self.sizes if name.endswith(_PICKLED))
        if pickled:
            raise InvalidInput(
                f"The weights are in {shown(pickled[0])}, which is never opened here, because loading it can run code; "
                f"{_HOW_TO_SAVE}."
            )
        if any(SHARD.fullmatch(name) for name in self.sizes):
            raise InvalidInput(f"The weights are in parts, but {INDEX}, which lists them, is not there.")
        raise InvalidInput(f"There is no {WEIGHTS} in the folder; {_HOW_TO_SAVE}.")


def of_zip(name: str, data: bytes) -> Folder:
    """The folder in an archive, on its top level or in the one folder that it holds.

    Raises:
        InvalidInput: the archive is damaged or hostile (`core.datasets.archives`), or holds no config.json.
    """
    archive, infos = open_zip(data, LIMITS)
    infos = [info for info in infos if not info.filename.startswith("__MACOSX/")]
    # The config nearest to the top says where the folder is; others belong to parts that are not read.
    configs = sorted(
        (info.filename.count("/"), info.filename)
        for info in infos
        if info.filename.rpartition("/")[2] == CONFIG
    )
    if not configs:
        raise InvalidInput(
            "There is no config.json in the archive: zip the folder that save_pretrained wrote."
        )
    if len(configs) > 1 and configs[0][0] == configs[1][0]:
        raise InvalidInput("The archive holds several folders with a config.json; zip one of them alone.")
    top = configs[0][1][: -len(CONFIG)]
    inside = {
        info.filename[len(top) :]: info
        for info in infos
        if info.filename.startswith(top) and "/" not in info.filename[len(top) :]
    }
    title = top.rstrip("/").rpartition("/")[2] or name.rsplit(".", 1)[0]
    sizes = {each: info.file_size for each, info in inside.items()}
    return Folder(title, sizes, lambda each: read_member(archive, inside[each]))


def of_path(path: Path) -> Folder:
    """A folder on this machine.

    Raises:
        NotFound: there is none, or it cannot be read.
        InvalidInput: it holds too much to be one.
    """
    if not path.is_dir():
        raise NotFound(f"There is no folder {str(path)!r}.")
    sizes: dict[str, int] = {}
    try:
        for each in path.iterdir():
            if each.is_file():
                sizes[each.name] = each.stat().st_size
            if len(sizes) > _MOST_FILES:
                raise InvalidInput(
                    f"{shown(path.name)} holds more than {_MOST_FILES:,} files; give the folder of one network."
                )
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from error

    def read(name: str) -> bytes:
        try:
            with (path / name).open("rb") as file:
                return file.read(sizes[name] + 1)[: sizes[name]]
        except OSError as error:
            raise NotFound(f"{path / name} cannot be read: {error.strerror}.") from error

    return Folder(path.resolve().name, sizes, read, path)


def is_folder_zip(data: bytes) -> bool:
    """Whether bytes are an archive with a config.json or a model's weights in it, by its list of files; never an error.

    One that is refused as an archive but names such a file counts, so that its own sentence is told.
    """
    if not data.startswith(b"PK"):
        return False
    try:
        _, infos = open_zip(data, LIMITS)
    except InvalidInput:
        return any(mark.encode() in data[-_DIRECTORY:] for mark in _MARKS)
    names = {info.filename.rpartition("/")[2] for info in infos}
    return any(name in _MARKS or SHARD.fullmatch(name) for name in names)


def parsed(data: bytes, name: str) -> Settings:
    """One JSON object, judged.

    Raises:
        InvalidInput: it is damaged, too deep, holds too many objects, says something twice, or no JSON number.
    """
    objects = 0

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal objects
        objects += 1
        if objects > _MOST_JSON_OBJECTS:
            raise InvalidInput(f"{shown(name)} holds more than {_MOST_JSON_OBJECTS:,} objects.")
        made = dict(pairs)
        if len(made) != len(pairs):
            raise InvalidInput(f"{shown(name)} names something twice.")
        return made

    def no_number(text: str) -> Any:
        raise InvalidInput(f"{shown(name)} holds {text}, which is no number of JSON.")

    try:
        found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=unique, parse_constant=no_number)
        deep = _levels(found) > _DEEPEST
        # JSON may smuggle half a character in, which cannot be written out again.
        json.dumps(None if deep else found, ensure_ascii=False).encode()
    except RecursionError:
        deep, found = True, None
    except ValueError as error:
        raise InvalidInput(f"{shown(name)} is damaged: it cannot be read as JSON.") from error
    if deep:
        raise InvalidInput(f"{shown(name)} is nested more than {_DEEPEST} levels deep.")
    if not isinstance(found, dict):
        raise InvalidInput(f"{shown(name)} is not a JSON object.")
    return found


def _levels(value: Any) -> int:
    """How deep objects and lists are nested."""
    level, inside = 0, [value]
    while inside:
        level += 1
        inside = [
            inner
            for each in inside
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return level
