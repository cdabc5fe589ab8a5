"""A pretrained transformer from a person's folder: what it is and what would be made of it, then the supernet.

`understood` says both before anything is built, as often as a person changes the options; `load` makes it, and what
it answers is kept by `core.library.loading.keep`. Both work in a confined process: this one holds no more than the
bytes of an upload.
"""

from __future__ import annotations

import json
from pathlib import Path

from core.cache import Cache
from core.config import JsonObject, Settings
from core.confined import run_confined
from core.errors import InvalidInput
from core.library import loading
from core.supernets.folders.folder import is_folder_zip
from core.supernets.folders.understood import Understood
from core.supernets.loaders.base import LOADERS
from core.supernets.loaders.understood import Understood as LoadedSupernet

LOOKER = "core.supernets.folders.worker"
LOADER = "hugging_face"
Source = bytes | Path
"""The bytes of an uploaded zip, or a folder on this machine."""

_told: Cache[Understood] = Cache(128)
_refused: Cache[str] = Cache(128)


def is_folder(source: Source) -> bool:
    """Whether something given is a folder of a model: a path of one, or an archive with a config.json; never an error."""
    return source.is_dir() if isinstance(source, Path) else is_folder_zip(source)


def understood(name: str, source: Source, options: JsonObject | None = None) -> Understood:
    """What a folder is and what would become elastic; nothing is built.

    Args:
        name: of the file or folder, for its title.
        source: where it is.
        options: fields of `core.supernets.folders.options.FolderOptions`.

    Raises:
        InvalidInput: it is damaged, hostile, or not supported; an option is out of bounds.
        NotFound: there is no such folder.
        Busy: the machine has no time to read it now.
    """
    settings = _settings(options)
    key = (loading.content_sha256(source), json.dumps(settings, sort_keys=True))
    if (known := _told.find(key)) is not None:
        return known
    if (said := _refused.find(key)) is not None:
        raise InvalidInput(said)
    data, asked = loading.asked_of(name, source, settings)
    try:
        answer = run_confined(LOOKER, data, asked, limits=loading.limits_for(source))
    except InvalidInput as error:
        _refused.put(key, str(error))
        raise
    found = Understood.model_validate(answer)
    _told.put(key, found)
    return found


def load(name: str, source: Source, options: JsonObject | None = None) -> LoadedSupernet:
    """The supernet of a folder; made once for the same folder and options, and kept by `loading.keep`.

    Raises as `understood` does; StorageFailed: the disk refused what was made.
    """
    return loading.understand(name, source, _settings(options))


def _settings(options: JsonObject | None) -> Settings:
    """The options that differ from the defaults, validated: the same choice has one name."""
    chosen: Settings = LOADERS.config(LOADER, options).model_dump(mode="json", exclude_defaults=True)
    return chosen
