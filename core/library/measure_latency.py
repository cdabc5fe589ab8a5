"""Time subnets on this machine, as they would run outside: exported, in onnxruntime, one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core.cache import kept
from core.evaluation.latency import measure_latency as measure
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.runtime import heavy_imports
from core.spaces import Arch

if TYPE_CHECKING:
    from core.evaluation.latency import Latencies


def measure_latency(
    entry: SupernetEntry, archs: Sequence[Arch], on_progress: Callable[[float], None] | None = None
) -> Latencies:
    """Milliseconds for one input (the whole graph, for graphs), per architecture. Loads torch and onnxruntime.

    The subnets are timed interleaved, so their order among each other is firmer than the figures.

    Raises:
        DataUnavailable: the supernet's data set, which calibration needs, is not here.
    """
    heavy_imports()
    models = [_onnx(entry, tuple(arch)) for arch in archs]
    one = supernets.dataset(entry).calibration.first(1)
    return measure(models, one.arrays(), on_progress=on_progress)


@kept(256, key=lambda entry, arch: (entry.sha256, arch))
def _onnx(entry: SupernetEntry, arch: Arch) -> bytes:
    from core.export.exporting import export_subnet
    from core.export.subnet import extract_subnet

    subnet = extract_subnet(
        supernets.load(entry), arch, supernets.dataset(entry), title=entry.title, splits=()
    )
    return export_subnet(subnet, "onnx").data
