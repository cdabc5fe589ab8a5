"""Text to token numbers and back: a tokenizer.json, judged before it is used, or bytes alone.

A tokenizer.json may come from a stranger. Its JSON is judged first (size, how deep, how many entries), then every part
by its type and its settings: of what could make a short text huge or a search for it endless (replacements, free
patterns, padding), nothing is let through. Only then the library builds it, and a panic of the library is a refusal.

Source: Sennrich et al., ACL 2016 (byte pairs); Radford et al., GPT-2, 2019 (over bytes). The format is that of
huggingface/tokenizers (Apache 2.0).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.datasets.tokenizer_judging import MOST_TOKENS, judged, numbered
from core.errors import InvalidInput
from core.settings import ASSETS

# Threads of the library would come on top of one process per core.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

PAD, END = "<pad>", "<end>"
_PADDINGS = (PAD, "[PAD]", "<|pad|>", "<|endoftext|>", "</s>", "<unk>", "[UNK]")
"""Tokens that fill rows up, the usual ones first; the mask hides them."""
_PIECE = 1 << 16
"""Characters that the library gets at once; cut at an end of a line where there is one."""


class Tokenizing:
    """A tokenizer; made by `read`, `bytes_alone` or `built_in`. It is never changed, so threads may share one."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self._json = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        self._numbers = numbered(content)
        self._tokenizer = _built(self._json)
        self.vocabulary = max(self._numbers.values()) + 1

    @classmethod
    def read(cls, data: bytes) -> Tokenizing:
        """The tokenizer of the bytes of a tokenizer.json; what it says of cutting and padding is left out.

        Raises:
            InvalidInput: damaged, too large, too deep, or with a part that is not accepted.
        """
        return cls(judged(data))

    @classmethod
    def bytes_alone(cls) -> Tokenizing:
        """Every byte is a token, after one for padding and one for the end of a text: 258 in all."""
        tokens = [PAD, END, *_byte_characters()]
        return cls.of_byte_pairs({token: number for number, token in enumerate(tokens)}, [])

    @classmethod
    def of_byte_pairs(cls, vocabulary: dict[str, int], merges: Sequence[tuple[str, str]]) -> Tokenizing:
        """Byte pairs over bytes: token -> number, with `PAD` and `END` among them, and what is joined, in order."""
        return cls.read(json.dumps(_byte_pairs(vocabulary, merges)).encode())

    @classmethod
    def built_in(cls) -> Tokenizing:
        """The 512 byte pairs of `assets/texts/tokenizer.json`."""
        return cls.read((ASSETS / "texts" / "tokenizer.json").read_bytes())

    def json(self) -> bytes:
        """The bytes of a tokenizer.json that `read` makes this of, and the tokenizers library as well."""
        return self._json

    @cached_property
    def identity(self) -> str:
        """16 hexadecimal digits; equal ones split texts alike."""
        return hashlib.sha256(self._json).hexdigest()[:16]

    @cached_property
    def padding(self) -> int:
        """The token that fills rows up; what says which tokens count is a mask."""
        return next((self._numbers[each] for each in _PADDINGS if each in self._numbers), 0)

    @cached_property
    def end(self) -> int | None:
        """The token that ends a text, where there is one."""
        known = (END, "<|endoftext|>", "</s>", "<|end_of_text|>", "[SEP]")
        return next((self._numbers[each] for each in known if each in self._numbers), None)

    @cached_property
    def special(self) -> frozenset[int]:
        """Tokens that stand for no text: what is put around one, fills it up or ends it."""
        return frozenset(each["id"] for each in self._content["added_tokens"] if each["special"])

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """How each token is written, by its number; a number that none has is written `<number>`."""
        found = {number: token for token, number in self._numbers.items()}
        return tuple(found.get(number, f"<{number}>") for number in range(self.vocabulary))

    def encode(self, text: str, *, special: bool = False, most: int | None = None) -> list[int]:
        """The numbers of a text's tokens.

        Args:
            text: any.
            special: whether the tokens that the tokenizer puts around a text are added ([CLS] and [SEP]).
            most: at most so many, what is put around it included; the end of the text is cut off.

        Raises:
            InvalidInput: the tokenizer cannot split this text.
        """
        if not special:
            return self._ids(text)[:most].tolist()
        found = self._encoded(text, special=True)
        if most is None or len(found.ids) <= most:
            return list(found.ids)
        # What is put around a text stays, at its ends; the text between is cut.
        put = list(found.special_tokens_mask)
        before = put.index(0) if 0 in put else len(put)
        after = put[::-1].index(0) if 0 in put else 0
        kept = max(before, most - after)
        return [*found.ids[:kept], *found.ids[len(found.ids) - after :]][:most]

    def encode_all(
        self, texts: Iterable[str], *, special: bool = False, most: int | None = None
    ) -> list[list[int]]:
        """`encode` of each text."""
        return [self.encode(text, special=special, most=most) for text in texts]

    def encode_counted(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n,) tokens of a text, and (n,) how many of its bytes each stands for: from where it begins to the next one.

        The second sum to the text's length in UTF-8, whatever a tokenizer leaves out.

        Raises:
            InvalidInput: the tokenizer cannot split this text.
        """
        ids, sizes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for piece in _pieces(text):
            found = self._encoded(piece, special=False)
            width = np.array([len(character.encode()) for character in piece], np.int64)
            place = np.concatenate([[0], np.cumsum(width)])
            starts = np.array([start for start, _ in found.offsets], np.int64)
            ends = np.append(starts[1:], len(piece))
            if len(starts):
                starts[0] = 0
                sizes.append(place[ends] - place[starts])
            ids.append(np.array(found.ids, np.int64))
        return np.concatenate(ids), np.concatenate(sizes)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some tokens; half a character becomes U+FFFD.

        Raises:
            InvalidInput: there is no such token.
        """
        if not all(0 <= number < self.vocabulary for number in ids):
            raise InvalidInput(f"This tokenizer knows the tokens 0 to {self.vocabulary - 1:,}.")
        try:
            return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))
        except BaseException as error:
            raise _refused(error, "The tokenizer cannot put these tokens together.") from error

    def _ids(self, text: str) -> NDArray[np.int64]:
        found = [np.array(self._encoded(piece, special=False).ids, np.int64) for piece in _pieces(text)]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _encoded(self, text: str, *, special: bool) -> Any:
        try:
            return self._tokenizer.encode(text, add_special_tokens=special)
        except BaseException as error:
            raise _refused(error, "The tokenizer cannot split this text.") from error


def _built(data: bytes) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_str(data.decode())
    except BaseException as error:
        raise _refused(error, "The tokenizer.json is damaged: its parts do not fit together.") from error


def _refused(error: BaseException, said: str) -> BaseException:
    """A panic of the library is no `Exception`; what stops a program stays what it is."""
    if (
        isinstance(error, KeyboardInterrupt | SystemExit | MemoryError)
        or type(error).__module__ == "core.errors"
    ):
        return error
    if isinstance(error, Exception) or type(error).__name__ == "PanicException":
        return InvalidInput(said)
    return error


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of bounded size, whose ends are those of lines where lines are not too long."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        if end < len(text):
            line = text.rfind("\n", start + 1, end)
            end = line + 1 if line > 0 else end
        yield text[start:end]
        start = end


def _byte_characters() -> list[str]:
    """The character that stands for each byte, from 0 to 255 (Radford et al.)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in shown else next(others)) for byte in range(256)]


def _byte_pairs(vocabulary: dict[str, int], merges: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A byte-level tokenizer.json."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": vocabulary[token], "content": token, "special": True}
            | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
            for token in (PAD, END)
        ],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [list(pair) for pair in merges],
        },
    }


__all__ = ["MOST_TOKENS", "Tokenizing"]
