"""A visitor's own texts on a form: with a class each, or as language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pages.ui.supernets.own_upload import Looked, OwnData, own_upload

CLASSED, LANGUAGE = "texts", "corpus"
"""Data sets of one's own: texts with classes, and text as language."""
MOST_TEXT_MB = 32
_MOST_TEXTS, _MOST_LETTERS = 6, 90


def own_texts(name: str, fixed: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The data choice for texts of one's own; None until there are some that can be used.

    Args:
        name: of the data set.
        fixed: settings that a supernet decides.
    """
    return own_upload(replace(_OWN[name], fixed=dict(fixed or {})))


def _kept(classed: bool) -> Any:
    def keep(data: bytes, config: dict[str, Any]) -> Any:
        from core.datasets.texts import keep_texts

        return keep_texts(data, classed=classed)

    return keep


def _look_classed(read: Any, config: dict[str, Any]) -> Looked:
    from core.datasets.texts import given_texts, texts_found

    texts, _ = given_texts(read.upload_id, "", classed=True)
    seen: dict[int, str] = {}
    for text, number in zip(texts.texts, texts.y.tolist(), strict=True):
        seen.setdefault(number, text)
    some = [(texts.names[number], _begin(text)) for number, text in sorted(seen.items())[:_MOST_TEXTS]]
    return Looked(texts_found(read, **config), texts=some)


def _look_language(read: Any, config: dict[str, Any]) -> Looked:
    from core.datasets.corpus import corpus_found
    from core.datasets.texts import given_texts

    texts, _ = given_texts(read.upload_id, "", classed=False)
    some = [(name, _begin(text)) for name, text in zip(texts.names, texts.texts, strict=True)][:_MOST_TEXTS]
    return Looked(corpus_found(read, **config), texts=some)


def _begin(text: str) -> str:
    line = " ".join(text[: 4 * _MOST_LETTERS].split())
    return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]}…"


_OWN = {
    CLASSED: OwnData(
        name=CLASSED,
        types=("zip", "csv", "tsv"),
        most_mb=MOST_TEXT_MB,
        hint="A zip with one folder of .txt files per class, or a .csv or .tsv with columns text and label.",
        empty="A zip with one folder of .txt files per class, or a table with columns text and label.",
        settings="Tokenizer, length, split and limits",
        keep=_kept(classed=True),
        look=_look_classed,
        side=0,
        caption="The beginning of one text of each class.",
        proposed=lambda read: {"length": read.length},
    ),
    LANGUAGE: OwnData(
        name=LANGUAGE,
        types=("txt", "zip"),
        most_mb=MOST_TEXT_MB,
        hint="One .txt file in UTF-8, or a zip of them.",
        empty="One .txt file, or a zip of them.",
        settings="Tokenizer, windows, split and limits",
        keep=_kept(classed=False),
        look=_look_language,
        side=0,
        caption="The beginning of each text. It is cut into windows of tokens; neighbors stay in one split.",
        proposed=lambda read: {},
    ),
}
