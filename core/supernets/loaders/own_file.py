"""A supernet's file as this project writes it."""

from __future__ import annotations

from typing import ClassVar

from core.errors import InvalidInput
from core.networks.untrusted_files import METADATA, read_header
from core.supernets.headers import KEY, peek_supernet
from core.supernets.loaders.base import LOADERS, Loaded, Loader


@LOADERS.register("paretoscope")
class OwnFile(Loader):
    """Weights in safetensors, everything else in the header; kept byte for byte."""

    label = "Paretoscope supernet"
    source = "this project's own format"
    suffixes: ClassVar[tuple[str, ...]] = ("safetensors",)
    rank: ClassVar[int] = 10
    takes: ClassVar[str] = "a supernet's .safetensors file that Paretoscope wrote"

    def fits(self, name: str, data: bytes) -> bool:
        try:
            return KEY in read_header(data).get(METADATA, {})
        except InvalidInput:
            return False

    def load(self, name: str, data: bytes) -> Loaded:
        peek_supernet(data)  # refused before torch is loaded
        from core.supernets.files import load_supernet

        supernet, card = load_supernet(data)
        known = card.get("data")
        return Loaded(
            supernet=supernet,
            card=card,
            title=str(card.get("title") or "")[:200],
            needs_data=not known,
            file=data,
        )
