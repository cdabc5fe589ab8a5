"""Latency profiles that a person hands over: read in a confined process, and held to the supernet they are for."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from core.confined import Limits, run_confined
from core.errors import InvalidInput
from core.evaluation.latency.profile import FILE, LatencyProfile, read_profile, require_same
from core.library import supernets
from core.library.latency import LatencyRecord, identity_of
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.words import format_share

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
            return LatencyRecord.of(profile, supernets.costs(entry))
    except (ValidationError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise InvalidInput(
            "The times in this profile differ so wildly that nothing can be learnt from them. Run the kit again."
        ) from error


def said(record: LatencyRecord) -> str:
    """What a profile became, and how well it predicts subnets that were not timed."""
    timed, found = len(record.profile.timings.arch_ids), record.validation
    return (
        f"{objective(record.objective).label}: {timed:,} subnets were timed, the others are predicted. Subnets that "
        f"the model had not seen (cross-validated): rank correlation {found.rank_correlation:.3f}, median error "
        f"{format_share(found.median_error, 1)}."
    )
