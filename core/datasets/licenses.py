"""License texts as language: what comes next?"""

from __future__ import annotations

from core.datasets.base import DATASETS, FractionSource, OnProgress
from core.datasets.kept_tokenizers import tokenizer_of
from core.datasets.language import RawLanguage, WindowConfig, windows
from core.datasets.license_texts import license_texts


@DATASETS.register("licenses")
class Licenses(FractionSource):
    """Fourteen software licenses in windows of tokens: which token comes next? Built in.

    Versions of one license share sentences, so some of what is held out was nearly seen in training. The built-in byte
    pairs were learned from all of the texts.
    """

    label = "Licenses (language)"
    source = "assets/texts: the common licenses of a Linux distribution, verbatim"
    licence = "verbatim copies may be distributed by everyone (license texts)"
    task = "language"
    Config = WindowConfig

    def read(self, on_progress: OnProgress) -> RawLanguage:
        return windows(license_texts(), tokenizer_of(self.config.tokenizer), self.config, on_progress)
