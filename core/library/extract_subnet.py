"""Turn one subnet of a supernet into a file that runs on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cache import Cache
from core.export import EXPORTERS, writes
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.registry import PluginInfo
from core.runtime import heavy_imports
from core.spaces import Arch

if TYPE_CHECKING:
    from core.export.exporting import Exported

_files: Cache[Exported] = Cache(16)


def formats(family: str) -> list[PluginInfo]:
    """Every format that a subnet of a family can be downloaded in, the bundle first; no torch."""
    fitting = [info for info in EXPORTERS.describe() if writes(info, family)]
    return sorted(fitting, key=lambda info: (info.name != "bundle", info.label))


def download(entry: SupernetEntry, arch: Arch, format_name: str = "bundle") -> Exported:
    """One subnet as a file (`data`, `file_name`, `media_type`); made at first request and kept a while.

    The subnet is calibrated, extracted, measured on the test images by the code it is shipped with,
    written, read back and compared before it is handed out. Loads torch.

    Raises:
        NotFound: there is no such format.
        DataUnavailable: the supernet's data set, which calibration needs, is not here.
        CoreError: the file read back did not compute the same.
    """
    key = (entry.sha256, entry.title, tuple(arch), format_name)  # the title stands in its card
    return _files.get(key, lambda: _make(entry, arch, format_name))


def _make(entry: SupernetEntry, arch: Arch, format_name: str) -> Exported:
    heavy_imports()
    from core.export.exporting import export_subnet
    from core.export.subnet import extract_subnet

    EXPORTERS.info(format_name)
    subnet = extract_subnet(supernets.load(entry), arch, supernets.dataset(entry), title=entry.title)
    return export_subnet(subnet, format_name)
