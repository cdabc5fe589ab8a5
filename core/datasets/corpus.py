"""A person's own text as language: one .txt, or a zip of them; decoded and kept as texts with classes are."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from core.datasets.base import DATASETS, FractionSource, OnProgress, upload_field
from core.datasets.found import Found
from core.datasets.found_texts import of_corpus
from core.datasets.kept_tokenizers import tokenizer_of
from core.datasets.language import RawLanguage, WindowConfig, windows
from core.datasets.splitting import split_ids
from core.datasets.texts import KeptTexts, file_state, given_texts


class CorpusConfig(WindowConfig):
    """Which text, what splits it, and how."""

    upload: str = upload_field()
    path: str = Field(
        "", max_length=4096, description="A .txt or .zip file.", json_schema_extra={"form": False}
    )


@DATASETS.register("corpus")
class Corpus(FractionSource):
    """Your own text in windows of tokens: which token comes next? One .txt file, or a zip of them."""

    label = "Your own text (language)"
    source = "Uploaded by you"
    licence = "Yours to know"
    task = "language"
    Config = CorpusConfig

    def read(self, on_progress: OnProgress) -> RawLanguage:
        config = self.config
        found, _ = given_texts(config.upload, config.path, classed=False)
        texts = dict(zip(found.names, found.texts, strict=True))
        return windows(texts, tokenizer_of(config.tokenizer), config, on_progress)

    def state(self) -> str:
        return file_state(self.config.path)


def corpus_found(upload: KeptTexts, *, seed: int = 0, **config: Any) -> Found:
    """What a kept upload holds, cut into windows and divided as these settings say.

    Raises:
        NotFound: its decoded copy is gone.
        InvalidInput: it is too short to be divided as the settings say.
    """
    source = Corpus(DATASETS.config("corpus", config | {"upload": upload.upload_id}))
    raw = source.read(lambda fraction, message: None)
    ids = split_ids(raw, source.held_out(raw), source.config, seed=seed, name=source.name)
    parts = {name: getattr(ids, name) for name in ("train", "validation", "test")}
    return of_corpus(upload.summary, raw.y, parts, *(each.shape[1] for each in (raw.x, raw.scored)))
