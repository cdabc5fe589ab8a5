"""The confined process that loads supernets: `python -m core.supernets.loaders.worker`, see `core.confined`.

It writes one zip without compression: the supernet's own file, and what came beside it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

from core.config import JsonObject
from core.confined import serve
from core.supernets.folders.folder import of_path
from core.supernets.loaders.base import LOADERS, Loaded, Loader, loader_of
from core.supernets.loaders.hugging_face import HuggingFace
from core.supernets.loaders.understood import End, FixedPart, Understood

SUPERNET = "supernet.safetensors"
_MOST_FACTS, _MOST_FIXED, _MOST_TEXT = 50, 500, 400


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Load the supernet and write it as ours; the answer is an `Understood`.

    Args:
        data: the bytes of a file; none where `options` names a folder of this machine.
        options: "name" of the file, "settings" of its loader, "folder" a path.
        target: the package to write.
    """
    loader, loaded = _loaded(data, options)
    file = loaded.file if loaded.file is not None else _written(loaded)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as package:
        package.writestr(SUPERNET, file)
        for beside, content in loaded.beside.items():
            package.writestr(beside, content)
    return understood(loader, loaded, file).model_dump(mode="json")


def _loaded(data: bytes, options: JsonObject) -> tuple[Loader, Loaded]:
    name, settings, folder = str(options.get("name", "")), options.get("settings"), options.get("folder")
    chosen = settings if isinstance(settings, dict) else {}
    if isinstance(folder, str):
        transformer = HuggingFace(LOADERS.config("hugging_face", chosen))
        return transformer, transformer.load_folder(of_path(Path(folder)))
    loader = loader_of(name, data)
    if chosen:
        loader = LOADERS.create(loader.name, chosen)
    return loader, loader.load(name, data)


def understood(loader: Loader, loaded: Loaded, file: bytes) -> Understood:
    """What to tell of a loaded supernet; long lists and texts are cut."""
    net, data = loaded.supernet, loaded.card.get("data")
    ends = net.space.ends
    return Understood(
        loader=loader.name,
        label=loader.label,
        title=loaded.title[:200],
        family=net.name,
        family_label=net.label,
        task=net.task.name,
        input_shape=tuple(net.config.input_shape),
        classes=net.classes,
        data=str(data.get("name", "") if isinstance(data, dict) else data or "")[:200],
        needs_data=loaded.needs_data,
        choices=len(net.space),
        size=net.space.size,
        params=sum(p.numel() for p in net.parameters()),
        smallest=None if ends is None else _end(loaded, ends[0]),
        largest=None if ends is None else _end(loaded, ends[1]),
        facts=tuple(fact[:_MOST_TEXT] for fact in loaded.facts[:_MOST_FACTS]),
        fixed=tuple(
            FixedPart(part=each.part[:200], why=each.why[:_MOST_TEXT]) for each in loaded.fixed[:_MOST_FIXED]
        ),
        beside=tuple(loaded.beside),
        file_sha256=hashlib.sha256(file).hexdigest(),
    )


def _end(loaded: Loaded, arch: Sequence[int]) -> End:
    net = loaded.supernet
    return End(arch_id=net.space.arch_id(arch), stages=[cost.to_json() for cost in net.costs(arch)])


def _written(loaded: Loaded) -> bytes:
    from core.supernets.files import dump_supernet

    return dump_supernet(loaded.supernet, loaded.card)


if __name__ == "__main__":
    serve(work)
