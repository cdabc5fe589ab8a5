"""What was found in an archive of sounds: for a person to judge before anything is trained on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets.found import PLURAL, Found, Record, Skipped, classes_found


class SoundProposal(Record):
    """Settings of the data set "sounds" that fit what was found."""

    rate: int = Field(description="Samples per second.")
    milliseconds: int = Field(description="Length of a clip.")


class SoundSummary(Record):
    """What was found in an archive of sounds, and what it became."""

    counts: dict[str, int] = Field(description="Clips of each class, by its name.")
    rates: tuple[tuple[int, int], ...] = Field(description="(samples per second, how many files), ascending.")
    shortest: float = Field(description="Seconds of the shortest clip, as it came.")
    usual: float = Field(description="Seconds of the median clip.")
    longest: float = Field(description="Seconds of the longest clip.")
    cut: int = Field(description="Clips longer than what networks get, cut to their loudest stretch.")
    rate: int = Field(description="Samples per second that networks get.")
    length: int = Field(description="Samples that networks get.")
    skipped: tuple[Skipped, ...] = Field(description="What was left out, and why.")
    proposed: SoundProposal = Field(description="Rate and length that fit them.")
    repeated: int = Field(description="Clips equal to an earlier one, to the last sample that networks get.")
    silent: int = Field(description="Clips in which there is nothing to hear.")


def of_sounds(
    summary: SoundSummary,
    y: NDArray[np.int64],
    ids: Mapping[str, NDArray[np.int64]],
    same: NDArray[np.int64],
) -> Found:
    """What sounds hold, divided.

    Args:
        summary: what was found in the archive.
        y: (n,) classes.
        ids: positions of the samples of each split.
        same: (n,) position of the first clip equal to each.
    """
    held_out = np.concatenate([ids["validation"], ids["test"]])
    return Found(
        samples=PLURAL["series"],
        classes=classes_found(tuple(summary.counts), {name: y[at] for name, at in ids.items()}, y),
        facts=tuple(_facts(summary)),
        skipped=summary.skipped,
        across=int(np.isin(same[held_out], same[ids["train"]]).sum()),
    )


def _facts(summary: SoundSummary) -> list[str]:
    if len(summary.rates) == 1:
        rates = f"{summary.rates[0][0]:,} samples per second"
    else:
        listed = ", ".join(f"{rate:,} ({n:,} files)" for rate, n in summary.rates)
        rates = f"different samples per second: {listed}"
    facts = [
        f"They came with {rates}, {summary.shortest:.2f} to {summary.longest:.2f} seconds long "
        f"(half of them up to {summary.usual:.2f})."
    ]
    seconds = summary.length / summary.rate
    facts.append(
        f"Networks get {seconds:.2f} seconds of one channel at {summary.rate:,} samples per second "
        f"({summary.length:,} numbers)."
    )
    if summary.cut:
        facts.append(f"{summary.cut:,} are longer and are cut to their loudest stretch.")
    if summary.silent:
        facts.append(f"{summary.silent:,} hold nothing but silence.")
    if summary.repeated:
        facts.append(f"{summary.repeated:,} are copies of another clip.")
    return facts
