"""Files of texts on the command line: a .txt is language, a .csv or .tsv has classes, a zip is what its folders say."""

from __future__ import annotations

from pathlib import Path

from core.config import Settings
from core.errors import InvalidInput

TEXT_ENDINGS = (".txt", ".csv", ".tsv")
FLAGS = ("length", "scored", "tokenizer")
"""Settings of texts that a person may name."""


def kind_of(name: str, data: bytes) -> str:
    """The data set that a file of texts is for; "" for a file of something else.

    Raises:
        InvalidInput: it is a zip that is not accepted.
    """
    from core.datasets.text_archive import kind_of_zip

    ending = Path(name).suffix.lower()
    if ending in TEXT_ENDINGS:
        return "corpus" if ending == ".txt" else "texts"
    return kind_of_zip(data) if ending == ".zip" else ""


def kept_texts(data: bytes, kind: str, asked: Settings) -> Settings:
    """Keep texts as the page does; the settings of the data set, what is left out as proposed.

    Args:
        data: the file.
        kind: "texts" or "corpus".
        asked: see `FLAGS`; a tokenizer may be the path of a tokenizer.json.

    Raises:
        InvalidInput: the texts or the tokenizer are refused, or a setting is not one of these data.
    """
    from core.datasets.images import read_file
    from core.datasets.kept_tokenizers import BYTE_PAIRS, BYTES, keep_tokenizer
    from core.datasets.texts import keep_texts

    given = {field: value for field, value in asked.items() if value is not None}
    if kind == "texts" and "scored" in given:
        raise InvalidInput("Texts with classes have no --scored: one answer is judged for each.")
    tokenizer = given.get("tokenizer")
    if isinstance(tokenizer, str) and tokenizer not in (BYTE_PAIRS, BYTES):
        given["tokenizer"] = keep_tokenizer(read_file(Path(tokenizer)))
    kept = keep_texts(data, classed=kind == "texts")
    proposed: Settings = {"length": kept.length} if kind == "texts" else {}
    return {"upload": kept.upload_id, **proposed, **given}
