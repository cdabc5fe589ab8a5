"""The confined process that looks at folders: `python -m core.supernets.folders.worker`, see `core.confined`.

It reads config.json, the headers of the weights and the tokenizer, and says what would be made; nothing is built.
"""

from __future__ import annotations

from pathlib import Path

from core.config import JsonObject
from core.confined import serve
from core.supernets.folders.base import architecture_of
from core.supernets.folders.folder import of_path, of_zip
from core.supernets.loaders.base import LOADERS


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """What a folder is; the answer is a `core.supernets.folders.understood.Understood`.

    Args:
        data: the bytes of a zip; none where `options` names a folder of this machine.
        options: "name" of the file, "settings" of the loader, "folder" a path.
        target: not used.
    """
    settings = options.get("settings")
    chosen = LOADERS.config("hugging_face", settings if isinstance(settings, dict) else {})
    path = options.get("folder")
    folder = of_path(Path(path)) if isinstance(path, str) else of_zip(str(options.get("name", "")), data)
    told = architecture_of(folder).understood(folder, chosen)
    return told.model_dump(mode="json")


if __name__ == "__main__":
    serve(work)
