"""A program of torch.export (.pt2) that is one fixed image classifier, made into a supernet."""

from __future__ import annotations

from typing import ClassVar

from core.supernets.loaders.base import LOADERS, Loaded, Loader
from core.supernets.reading.exported_archive import is_archive
from core.supernets.reading.exported_file import read_exported

_ROWS = 4
_TOLERANCE = 1e-5


@LOADERS.register("exported_network")
class ExportedNetwork(Loader):
    """The same for torch.export; the graph is read as data, no code of the file is run and nothing is unpickled."""

    label = "torch.export network"
    source = "torch.export, pytorch.org"
    suffixes: ClassVar[tuple[str, ...]] = ("pt2",)
    rank: ClassVar[int] = 50
    takes: ClassVar[str] = "a .pt2 file of torch.export, which becomes a supernet"

    def fits(self, name: str, data: bytes) -> bool:
        return is_archive(data)

    def load(self, name: str, data: bytes) -> Loaded:
        given = read_exported(data)
        from core.supernets.converting import convert
        from core.supernets.loaders.converted_card import loaded
        from core.supernets.reading.exported_run import run_exported

        return loaded(convert(given), lambda images: run_exported(data, images), _ROWS, _TOLERANCE)
