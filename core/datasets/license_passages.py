"""Passages of license texts: of which license is it?"""

from __future__ import annotations

import re

import numpy as np
from pydantic import Field

from core.datasets.base import DATASETS, FractionSource, OnProgress
from core.datasets.kept_tokenizers import tokenizer_of
from core.datasets.license_texts import license_texts
from core.datasets.text_rows import RawTexts, TextConfig, rows_of_tokens, sharing

CLASSES = {
    "GNU GPL": ("GPL-1", "GPL-2", "GPL-3", "LGPL-2", "LGPL-2.1", "LGPL-3"),
    "GNU FDL": ("GFDL-1.2", "GFDL-1.3"),
    "Mozilla": ("MPL-1.1", "MPL-2.0"),
    "Apache": ("Apache-2.0",),
    "Artistic": ("Artistic",),
    "CC0": ("CC0-1.0",),
}
"""Versions that share their sentences are one class."""
_RUN = 8


class PassageConfig(TextConfig):
    """How long passages are, and what splits them."""

    words: int = Field(16, ge=8, le=64, description="Words of a passage; passages do not overlap.")


@DATASETS.register("license_passages")
class LicensePassages(FractionSource):
    """Passages of software licenses: which license are they from? Built in.

    Passages with eight words in a row in common are in one split, so none of the test was nearly seen in training. The
    built-in byte pairs were learned from all of the texts, without classes.
    """

    label = "License passages (text)"
    source = "assets/texts: the common licenses of a Linux distribution, verbatim"
    licence = "verbatim copies may be distributed by everyone (license texts)"
    task = "tokens"
    Config = PassageConfig

    def read(self, on_progress: OnProgress) -> RawTexts:
        config, texts = self.config, license_texts()
        passages: list[str] = []
        labels: list[int] = []
        for label, names in enumerate(CLASSES.values()):
            for name in names:
                found = _passages(texts[name], config.words)
                passages += found
                labels += [label] * len(found)
        words = [re.sub(r"[^a-z0-9 ]", "", each.lower()).split() for each in passages]
        tokenizer = tokenizer_of(config.tokenizer)
        x, lengths = rows_of_tokens(passages, tokenizer, config.length, on_progress)
        y = np.array(labels, np.int64)
        return RawTexts(x, lengths, y, tuple(CLASSES), tokenizer, sharing(words, _RUN))


def _passages(text: str, words: int) -> list[str]:
    """Runs of so many words; what is left over at the end is left out."""
    every = text.split()
    return [" ".join(every[at : at + words]) for at in range(0, len(every) - words + 1, words)]
