"""A folder of a pretrained transformer, zipped or on this machine, made into a supernet.

What becomes elastic are the options; `core.library.folders.understood` says them before anything is built.
"""

from __future__ import annotations

import json
from typing import ClassVar

from core.config import Settings
from core.supernets.folders.base import architecture_of
from core.supernets.folders.folder import Folder, is_folder_zip, of_zip
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.understood import Understood
from core.supernets.loaders.base import LOADERS, Fixed, Loaded, Loader

FOLDER = "folder"
"""Under this name a supernet's card keeps config.json and what was made of it."""
_MOST_KEPT = 256 * 1024
_LABELS = ("id2label", "label2id")


@LOADERS.register("hugging_face")
class HuggingFace(Loader):
    """Heads, hidden units, layers and width become elastic; the largest subnet is the given network."""

    label = "Hugging Face folder"
    source = "save_pretrained of huggingface/transformers"
    Config = FolderOptions
    suffixes: ClassVar[tuple[str, ...]] = ("zip", "json", "txt", "safetensors")
    rank: ClassVar[int] = 20
    takes: ClassVar[str] = (
        "a Hugging Face folder of a transformer as .zip (config.json, model.safetensors, tokenizer)"
    )

    def fits(self, name: str, data: bytes) -> bool:
        return is_folder_zip(data)

    def load(self, name: str, data: bytes) -> Loaded:
        return self.load_folder(of_zip(name, data))

    def load_folder(self, folder: Folder) -> Loaded:
        """The supernet in a folder; raises as `load` does."""
        kind = architecture_of(folder)
        supernet, told = kind.supernet(folder, self.config)
        return Loaded(
            supernet=supernet,
            card={
                "title": told.title,
                "origin": {"loader": self.name, "source": kind.source},
                FOLDER: {
                    "architecture": told.architecture,
                    "class": told.class_name,
                    "config": _kept(folder.config),
                    "options": self.config.model_dump(mode="json"),
                },
            },
            title=told.title,
            facts=tuple(sentences(told)),
            fixed=tuple(Fixed(each.part, each.why) for each in (*told.fixed, *told.skipped)),
        )


def sentences(told: Understood) -> list[str]:
    """What was understood, a sentence each."""
    sizes = ", ".join(f"{what} {amount}" for what, amount in told.sizes)
    found = [f"It is a {told.class_name} ({told.label}): {sizes}."]
    for each in told.elastic:
        options = ", ".join(f"{option:,}" for option in each.options)
        often = "chosen once" if each.choices == 1 else f"chosen {each.choices} times"
        found.append(f"Elastic: {each.part}: {options}; {often}.")
    if told.fresh:
        names = ", ".join(told.fresh[:4])
        found.append(f"Not in the folder, drawn afresh, to be trained: {names}.")
    if told.tokenizer:
        found.append(told.tokenizer)
    return [*found, *told.facts]


def _kept(config: Settings) -> Settings:
    """config.json as a card keeps it; without the names of classes where there are very many."""
    if len(json.dumps(config)) <= _MOST_KEPT:
        return config
    return {key: value for key, value in config.items() if key not in _LABELS}
