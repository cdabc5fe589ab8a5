"""What was found in an upload of texts: for a person to judge before anything is trained on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets.found import PLURAL, ClassFound, Found, Record, Skipped, classes_found
from core.words import count_of


class TextSummary(Record):
    """What was found in an upload of texts."""

    counts: dict[str, int] = Field(
        description="Texts of each class, by its name; of language, bytes of each text."
    )
    classed: bool = Field(description="Whether each text has a class.")
    shortest: int = Field(description="Words of the shortest text.")
    usual: float = Field(description="Words of the median text.")
    longest: int = Field(description="Words of the longest text.")
    bytes: int = Field(description="UTF-8 bytes of all texts.")
    skipped: tuple[Skipped, ...] = Field(description="What was left out, and why.")
    proposed: int = Field(
        description="Tokens of the built-in byte pairs that nineteen of twenty texts fit into."
    )
    repeated: int = Field(description="Texts equal to an earlier one.")


def of_texts(
    summary: TextSummary,
    y: NDArray[np.int64],
    ids: Mapping[str, NDArray[np.int64]],
    same: NDArray[np.int64],
) -> Found:
    """What texts with classes hold, divided.

    Args:
        summary: what was found.
        y: (n,) classes.
        ids: positions of the samples of each split.
        same: (n,) position of the first text equal to each.
    """
    held_out = np.concatenate([ids["validation"], ids["test"]])
    return Found(
        samples=PLURAL["tokens"],
        classes=classes_found(tuple(summary.counts), {name: y[at] for name, at in ids.items()}, y),
        facts=tuple(_facts(summary)),
        skipped=summary.skipped,
        across=int(np.isin(same[held_out], same[ids["train"]]).sum()),
    )


def of_corpus(
    summary: TextSummary, y: NDArray[np.int64], ids: Mapping[str, NDArray[np.int64]], length: int, scored: int
) -> Found:
    """What texts for language hold, cut into windows of so many tokens and divided; arguments as for `of_texts`.

    Args:
        summary: what was found.
        y: (n,) which text a window begins in.
        ids: positions of the windows of each split.
        length: tokens of a window.
        scored: positions of a window that are scored.
    """
    tokens = f"They are {len(y):,} windows of {length:,} tokens; neighbors are in one split, none overlap."
    found = classes_found(tuple(summary.counts), {name: y[at] for name, at in ids.items()}, y)
    return Found(
        samples=PLURAL["language"],
        classes=_few(found),
        facts=(*_facts(summary), tokens),
        skipped=summary.skipped,
        positions=scored,
    )


_MOST_LISTED = 50


def _few(found: tuple[ClassFound, ...]) -> tuple[ClassFound, ...]:
    """The first texts one by one, all others together."""
    if len(found) <= _MOST_LISTED:
        return found
    rest = found[_MOST_LISTED - 1 :]
    sums = {n: sum(getattr(each, n) for each in rest) for n in ("samples", "train", "validation", "test")}
    return (*found[: _MOST_LISTED - 1], ClassFound(name=f"{len(rest):,} more texts", **sums))


def _facts(summary: TextSummary) -> list[str]:
    n = sum(summary.counts.values()) if summary.classed else len(summary.counts)
    facts = [
        f"{count_of(n, 'text')} with {summary.bytes:,} bytes, {summary.shortest:,} to {summary.longest:,} words long "
        f"(half of them up to {summary.usual:,.0f})."
    ]
    if summary.repeated:
        facts.append(f"{summary.repeated:,} are copies of another text.")
    return facts
