"""WordPiece behind BERT's normalizer, and byte pairs as GPT-2 has them, written out in plain Python from the papers.

What a tokenizer that is built from vocabulary files is compared with, character by character.
Sources: Devlin et al., BERT, 2019, and its tokenization.py; Sennrich et al., ACL 2016; Radford et al., GPT-2, 2019.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise

from tests.helpers.tiny_folders import byte_letters

_HAN = [
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
]


def word_pieces_of(text: str, vocabulary: Mapping[str, int], *, lower: bool = True) -> list[int]:
    """Numbers of a text's word pieces, between [CLS] and [SEP]; special tokens in the text are found first."""
    special = [token for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if token in vocabulary]
    found = [vocabulary["[CLS]"]]
    for part in re.split("(" + "|".join(map(re.escape, special)) + ")", text):
        if part in special:
            found.append(vocabulary[part])
        else:
            for word in _words(part, lower):
                found += _pieces(word, vocabulary)
    return [*found, vocabulary["[SEP]"]]


def _words(text: str, lower: bool) -> list[str]:
    kept = []
    for character in text:
        if character in "\t\n\r" or unicodedata.category(character) == "Zs":
            kept.append(" ")
        elif character in "\0\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co"):
            continue
        elif any(first <= ord(character) <= last for first, last in _HAN):
            kept.append(f" {character} ")
        else:
            kept.append(character)
    text = "".join(kept)
    if lower:
        text = "".join(
            c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn"
        ).lower()
    words = []
    for word in text.split():
        words += [each for each in re.split(r"(" + _PUNCTUATION + ")", word) if each]
    return words


def _is_punctuation(character: str) -> bool:
    code = ord(character)
    marks = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return marks or unicodedata.category(character).startswith("P")


_PUNCTUATION = (
    "[" + "".join(re.escape(chr(code)) for code in range(0x3000) if _is_punctuation(chr(code))) + "]"
)


def _pieces(word: str, vocabulary: Mapping[str, int]) -> list[int]:
    """Longest match first."""
    if len(word) > 100:
        return [vocabulary["[UNK]"]]
    found, start = [], 0
    while start < len(word):
        ends = range(len(word), start, -1)
        piece = next((p for e in ends if (p := ("##" if start else "") + word[start:e]) in vocabulary), None)
        if piece is None:
            return [vocabulary["[UNK]"]]
        found.append(vocabulary[piece])
        start += len(piece) - (2 if start else 0)
    return found


def byte_pairs_of(text: str, vocabulary: Mapping[str, int], merges: Sequence[str]) -> list[int]:
    """Numbers of a text's byte pairs; `<|endoftext|>` in the text is found first."""
    letters = byte_letters()
    ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(merges)}
    found = []
    for part in re.split(r"(<\|endoftext\|>)", text):
        if part == "<|endoftext|>":
            found.append(vocabulary[part])
            continue
        for word in _split(part):
            symbols = [letters[byte] for byte in word.encode()]
            while len(symbols) > 1:
                pairs = [(ranks.get(pair, len(ranks)), at) for at, pair in enumerate(pairwise(symbols))]
                rank, at = min(pairs)
                if rank == len(ranks):
                    break
                symbols[at : at + 2] = ["".join(symbols[at : at + 2])]
            found += [vocabulary[symbol] for symbol in symbols]
    return found


def _split(text: str) -> list[str]:
    """GPT-2's words, by kind of character: what its expression of \\p{L}, \\p{N} and \\s says."""
    kinds = "".join(
        "L"
        if c.isalpha() and unicodedata.category(c)[0] == "L"
        else "N"
        if unicodedata.category(c)[0] == "N"
        else "S"
        if c.isspace() and c not in "\x1c\x1d\x1e\x1f"
        else "O"
        for c in text
    )
    found, at = [], 0
    while at < len(text):
        short = re.match(r"'s|'t|'re|'ve|'m|'ll|'d", text[at:])
        run = re.match(r"L+|N+|O+", kinds[at:]) or (text[at] == " " and re.match(r"S(L+|N+|O+)", kinds[at:]))
        blank = re.match(r"S+", kinds[at:])
        if short:
            length = len(short[0])
        elif run:
            length = len(run[0])
        else:
            assert blank
            length = len(blank[0])
            # Of several blanks the last stays for the word that follows.
            if at + length < len(text) and length > 1:
                length -= 1
        found.append(text[at : at + length])
        at += length
    return found
