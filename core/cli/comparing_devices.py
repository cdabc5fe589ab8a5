"""`doctor --device`: the device that is set against the processor, on a shipped supernet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.device import chosen_device
from core.errors import DataUnavailable
from core.runtime import heavy_imports
from core.seeding import stream
from core.words import format_share

_SUBNETS = 24


def compared(name: str = "digits-cnn") -> Iterator[tuple[bool, str]]:
    """(whether it is fine, line) per thing that was compared.

    Args:
        name: of a shipped supernet whose data set is on this machine.

    Raises:
        InvalidInput, DataUnavailable: the device that is set is none, or is not there.
    """
    heavy_imports()
    from core.evaluation.agreement import compare
    from core.library import supernets
    from core.tasks.base import evaluation_data

    device = chosen_device()
    if not device.identity:
        yield (
            True,
            "The processor computes in float32; there is nothing to compare it with. Set PARETOSCOPE_DEVICE.",
        )
        return
    entry = next((each for each in supernets.entries() if each.supernet_id == name), None)
    if entry is None:
        raise DataUnavailable(f"The shipped supernet {name} is not here; install the app anew.")
    supernet = supernets.load(entry)
    drawn = supernet.space.sample_array(_SUBNETS, stream(0, "devices"))
    rows = np.unique(
        np.concatenate([np.array(supernet.space.ends or (), np.uint8).reshape(-1, drawn.shape[1]), drawn]),
        axis=0,
    )
    found = compare(supernet, rows, evaluation_data(supernets.dataset(entry)), "test", device)
    yield (
        True,
        f"{device.label}, {device.precision}: {found.subnets} subnets of {name}, {found.answers:,} answers",
    )
    free = device.free_bytes()
    if free is not None:
        yield True, f"{free / 1e9:.1f} GB of its memory are free"
    yield (
        found.difference <= found.tolerance,
        f"logits differ by {found.difference:.2g} at most, where {found.tolerance:.2g} are no fault (the largest is "
        f"{found.largest:.3g})",
    )
    yield (
        not found.unexplained,
        f"{found.differ} answers differ, {found.unexplained} of them without being near-ties; {found.near_ties} are "
        f"({format_share(found.near_ties / found.answers, 2)})",
    )
    yield True, f"{found.there:.2f} s for all, {found.here:.2f} s on the processor"
