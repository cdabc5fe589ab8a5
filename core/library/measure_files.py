"""Measure subnets as they would run outside: cut out, exported, and handed to an objective's instrument."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.cache import kept
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.objectives.base import FromFiles, Reading, method
from core.runtime import heavy_imports
from core.spaces import Arch


def measure_files(
    entry: SupernetEntry,
    archs: Sequence[Arch],
    name: str,
    on_progress: Callable[[float], None] | None = None,
) -> list[Reading]:
    """One reading per architecture for an objective that is measured on exported files. Loads torch.

    Latencies are taken interleaved, so their order among each other is firmer than the figures.

    Raises:
        DataUnavailable: the supernet's data set, which calibration needs, is not here.
    """
    heavy_imports()
    objective = method(name, FromFiles)
    files = [_exported(entry, tuple(arch), objective.exporter) for arch in archs]
    return objective.measured(files, supernets.dataset(entry).calibration.first(1).arrays(), on_progress)


@kept(256, key=lambda entry, arch, exporter: (entry.sha256, arch, exporter))
def _exported(entry: SupernetEntry, arch: Arch, exporter: str) -> bytes:
    from core.export.exporting import export_subnet
    from core.export.subnet import extract_subnet

    subnet = extract_subnet(
        supernets.load(entry), arch, supernets.dataset(entry), title=entry.title, splits=()
    )
    return export_subnet(subnet, exporter).data
