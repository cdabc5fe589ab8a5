"""Latency profiles that a person hands over: read in a confined process, and held to the supernet they are for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from core.confined import Limits, run_confined
from core.errors import InvalidInput
from core.evaluation.latency.campaign import Settled
from core.evaluation.latency.candidates import chances, next_batch
from core.evaluation.latency.profile import FILE, LatencyProfile, read_profile, require_same
from core.library import supernets
from core.library.latency import LatencyRecord, identity_of, quality_in
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.words import format_share, within_sentence

CONFIDENCE = 0.95
"""That no subnet which was not timed is on a front that counts as settled."""
MOST_BYTES = 8 << 20
"""Of an uploaded profile: fifty thousand subnets."""
_READER = "core.library.profile_worker"
_LIMITS = Limits(memory_bytes=2 * 2**30, cpu_seconds=20, file_bytes=64 << 20)


def foreign_profile(data: bytes, entry: SupernetEntry) -> LatencyProfile:
    """A profile from a file that may come from anybody.

    Args:
        data: the file.
        entry: the supernet it should be of.

    Raises:
        InvalidInput: it is no profile, damaged, unfinished or too large, or of another supernet or space.
        Busy: the machine has no time to read it now.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"This file is larger than {MOST_BYTES >> 20} MB, which no profile of a kit is.")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / FILE
        run_confined(_READER, data, {}, target, _LIMITS)
        profile = read_profile(target.read_bytes())
    require_same(profile, identity_of(entry))
    for name in (*profile.timings.arch_ids, *profile.anchors.arch_ids):
        entry.space.from_id(name)
    return profile


def fitted(profile: LatencyProfile, entry: SupernetEntry) -> LatencyRecord:
    """What a profile says of every subnet.

    Raises:
        InvalidInput: its times have nothing to do with each other.
    """
    try:
        with np.errstate(all="ignore"):
            record = LatencyRecord.of(profile, supernets.costs(entry))
            return record.model_copy(update={"settled": _settled(record, entry)})
    except (ValidationError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise InvalidInput(
            "The times in this profile differ so wildly that nothing can be learnt from them. Run the kit again."
        ) from error


def could_be_on_front(record: LatencyRecord, entry: SupernetEntry, most: int) -> list[str]:
    """Subnets that were not timed and must be, so that the front consists of timed ones; the likeliest first.

    Args:
        record: of the device.
        entry: the supernet; without a complete table there is no front, and nothing to time for it.
        most: at most so many.
    """
    quality = quality_in(entry)
    if quality is None:
        return []
    ids = list(quality.values)
    chance = _chances(record, entry, ids, list(quality.values.values()))
    return [ids[at] for at in next_batch(chance, CONFIDENCE, most).tolist()]


def _settled(record: LatencyRecord, entry: SupernetEntry) -> Settled | None:
    quality = quality_in(entry)
    if quality is None:
        return None
    chance = _chances(record, entry, list(quality.values), list(quality.values.values()))
    return Settled(
        objective=quality.objective, confidence=CONFIDENCE, chance=float(chance.sum()), table=quality.table
    )


def _chances(
    record: LatencyRecord, entry: SupernetEntry, ids: Sequence[str], quality: Sequence[float]
) -> NDArray[np.float64]:
    """(n,) how likely each subnet that was not timed is on the front; see `candidates.chances`."""
    costs, timings = supernets.costs(entry), record.profile.timings
    timed = dict(zip(timings.arch_ids, timings.ms, strict=True))
    ms = np.array([timed.get(arch_id, np.nan) for arch_id in ids])
    predicted = record.model.predict(costs, costs.space.from_ids(ids))
    return chances(np.array(quality, float), ms, predicted, record.validation)


def said(record: LatencyRecord) -> str:
    """What a profile became, and how well it predicts subnets that were not timed."""
    timed, found = len(record.profile.timings.arch_ids), record.validation
    return (
        f"{objective(record.objective).label}: {timed:,} subnets were timed, the others are predicted. Subnets that "
        f"the predictor had not seen (cross-validated): rank correlation {found.rank_correlation:.3f}, median error "
        f"{format_share(found.median_error, 1)}.{_further(record)}"
    )


def _further(record: LatencyRecord) -> str:
    settled = record.settled
    if settled is None or settled.reached:
        return ""
    quality = within_sentence(objective(settled.objective).label)
    return (
        f" Some of the others could be on the front of {quality} and this latency: a second kit, around its front, "
        "times them too."
    )
