"""What scripts share that split texts: the tokenizer beside them, through the tokenizers library alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.export.predicting.common import HERE, fail

MOST_TEXT_BYTES = 64 * 2**20


def load_tokenizer() -> Any:
    """The tokenizer of this folder."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        fail(
            "splitting texts needs tokenizers; try: pip install tokenizers (arrays in an .npz file work without it)"
        )
    file = HERE / "tokenizer.json"
    if not file.is_file():
        fail(
            "there is no tokenizer.json beside this script: this subnet came without one; give an .npz file."
        )
    try:
        return Tokenizer.from_file(str(file))
    except Exception:  # whatever the library says about a damaged file means the same
        fail("tokenizer.json cannot be read; unpack the download again.")


def read_text(path: Path) -> str:
    """A text file, in UTF-8."""
    try:
        if path.stat().st_size > MOST_TEXT_BYTES:
            fail(f"{path.name} is larger than {MOST_TEXT_BYTES >> 20} MB; give it in parts.")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        fail(f"{path.name} cannot be read as text in UTF-8.")


def numbers(tokenizer: Any, text: str, most: int) -> list[int]:
    """A text's tokens with those that stand around it; what is too long is cut at the end of the text itself."""
    found = tokenizer.encode(text)
    if len(found.ids) <= most:
        return list(found.ids)
    put = list(found.special_tokens_mask)
    before = put.index(0) if 0 in put else len(put)
    after = put[::-1].index(0) if 0 in put else 0
    kept = max(before, most - after)
    return [*found.ids[:kept], *found.ids[len(found.ids) - after :]][:most]
