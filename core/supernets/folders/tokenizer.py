"""A folder's tokenizer as one tokenizer.json: its own, or built of vocab.txt or vocab.json with merges.txt.

What is built splits texts as the fast tokenizers of transformers do that are made of the same files: WordPiece behind
BERT's normalizer, or byte-level BPE as GPT-2 has it. What tokenizer_config.json says of lower case, accents and a
leading space goes before what tokenizer.json says, as there. No torch.

Source: Devlin et al., BERT, 2019 (WordPiece); Radford et al., GPT-2, 2019 (byte-level BPE); the settings are those of
huggingface/transformers (Apache 2.0).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.datasets.archives import shown
from core.datasets.tokenizer_judging import MOST_TOKENS
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput
from core.supernets.folders.folder import (
    ADDED_TOKENS,
    MERGES,
    SPECIAL_TOKENS,
    TOKENIZER,
    TOKENIZER_CONFIG,
    VOCAB_JSON,
    VOCAB_TXT,
    Folder,
    parsed,
)

_LONGEST_TOKEN = 1_000
_KINDS = {"BPE": "byte pairs", "Unigram": "a unigram model", "WordLevel": "whole words"}
_BERT = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
_GPT2 = {"unk": "<|endoftext|>", "bos": "<|endoftext|>", "eos": "<|endoftext|>"}


def tokenizer_json(folder: Folder) -> bytes | None:
    """The tokenizer of a folder as the bytes of a tokenizer.json; None where it has none.

    Raises:
        InvalidInput: its files are damaged, too large, or do not belong together.
    """
    if TOKENIZER in folder:
        return _told(parsed(folder.read(TOKENIZER), TOKENIZER), folder)
    if VOCAB_TXT in folder:
        return _dumped(_word_piece(folder))
    if VOCAB_JSON in folder and MERGES in folder:
        return _dumped(_byte_pairs(folder))
    if VOCAB_JSON in folder or MERGES in folder:
        raise InvalidInput(
            f"The tokenizer needs {VOCAB_JSON} and {MERGES}, and only one of them is in the folder."
        )
    return None


def tokenizing(folder: Folder) -> Tokenizing | None:
    """The tokenizer of a folder, judged; None where it has none. Raises as `tokenizer_json` and `Tokenizing.read` do."""
    written = tokenizer_json(folder)
    return None if written is None else Tokenizing.read(written)


def described(folder: Folder, tokenizer: Tokenizing | None, vocabulary: int) -> str:
    """What texts are split by, in a sentence.

    Args:
        folder: where it is from.
        tokenizer: of the folder, if it has one.
        vocabulary: how many tokens the network has vectors for.

    Raises:
        InvalidInput: the tokenizer has more tokens than the network has vectors.
    """
    if tokenizer is None:
        return (
            "The folder has no tokenizer, so texts cannot be given to the network; put its tokenizer files beside its "
            "weights and load it again."
        )
    if tokenizer.vocabulary > vocabulary:
        raise InvalidInput(
            f"The tokenizer has {tokenizer.vocabulary:,} tokens, the network vectors for {vocabulary:,}: they do not belong "
            "together."
        )
    kind = json.loads(tokenizer.json())["model"]["type"]
    of = (
        TOKENIZER
        if TOKENIZER in folder
        else VOCAB_TXT
        if VOCAB_TXT in folder
        else f"{VOCAB_JSON} and {MERGES}"
    )
    return f"Texts are split by {_KINDS.get(kind, kind)} of {tokenizer.vocabulary:,} tokens ({of})."


def _told(content: dict[str, Any], folder: Folder) -> bytes:
    """A tokenizer.json with what tokenizer_config.json says put in, and without cutting or padding."""
    said = folder.json(TOKENIZER_CONFIG)
    normalizer = content.get("normalizer")
    if isinstance(normalizer, dict) and normalizer.get("type") == "BertNormalizer":
        for key, ours in (
            ("do_lower_case", "lowercase"),
            ("tokenize_chinese_chars", "handle_chinese_chars"),
            ("strip_accents", "strip_accents"),
        ):
            if isinstance(said.get(key), bool):
                normalizer[ours] = said[key]
    before = content.get("pre_tokenizer")
    if (
        isinstance(before, dict)
        and before.get("type") == "ByteLevel"
        and isinstance(said.get("add_prefix_space"), bool)
    ):
        before["add_prefix_space"] = said["add_prefix_space"]
    return _dumped({**content, "truncation": None, "padding": None})


def _word_piece(folder: Folder) -> dict[str, Any]:
    """BERT's, of vocab.txt: a token a line, numbered from 0."""
    lines = folder.text(VOCAB_TXT).split("\n")
    if lines and not lines[-1]:
        lines.pop()
    tokens = [line.rstrip("\n") for line in lines]
    _check_tokens(tokens, VOCAB_TXT)
    # Of a token that stands twice the later number counts, as in transformers.
    vocabulary = {token: number for number, token in enumerate(tokens)}
    said = folder.json(TOKENIZER_CONFIG)
    special = _special(folder, _BERT)
    for role in ("unk", "cls", "sep"):
        if special[role] not in vocabulary:
            raise InvalidInput(f"{VOCAB_TXT} has no token {shown(special[role])}, which every text needs.")
    first, last = special["cls"], special["sep"]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added(folder, special, vocabulary),
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": _flag(said, "tokenize_chinese_chars", True),
            "strip_accents": said["strip_accents"] if isinstance(said.get("strip_accents"), bool) else None,
            "lowercase": _flag(said, "do_lower_case", True),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [_token(first, 0), _text("A", 0), _token(last, 0)],
            "pair": [_token(first, 0), _text("A", 0), _token(last, 0), _text("B", 1), _token(last, 1)],
            "special_tokens": {
                each: {"id": each, "ids": [vocabulary[each]], "tokens": [each]} for each in (first, last)
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": special["unk"],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }


def _byte_pairs(folder: Folder) -> dict[str, Any]:
    """GPT-2's, of vocab.json (token to number) and merges.txt (a pair a line, the most frequent first)."""
    vocabulary = folder.json(VOCAB_JSON)
    _check_tokens(list(vocabulary), VOCAB_JSON)
    if not all(type(n) is int and 0 <= n < MOST_TOKENS for n in vocabulary.values()):
        raise InvalidInput(f"{VOCAB_JSON} numbers its tokens with something else than whole numbers from 0.")
    if len(set(vocabulary.values())) != len(vocabulary):
        raise InvalidInput(f"{VOCAB_JSON} gives two tokens one number.")
    pairs = [line for line in folder.text(MERGES).split("\n") if line and not line.startswith("#version")]
    _check_tokens(pairs, MERGES)
    for pair in pairs:
        left, _, right = pair.partition(" ")
        if " " in right or not {left, right, left + right} <= vocabulary.keys():
            raise InvalidInput(f"{MERGES} joins a pair that {VOCAB_JSON} does not have: {shown(pair)}.")
    said = folder.json(TOKENIZER_CONFIG)
    special = _special(folder, _GPT2)
    leading = _flag(said, "add_prefix_space", False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added(folder, special, vocabulary),
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": leading,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": _around(said, special, vocabulary),
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary,
            "merges": pairs,
        },
    }


def _around(
    said: Mapping[str, Any], special: Mapping[str, str], vocabulary: Mapping[str, Any]
) -> dict[str, Any]:
    """What GPT-2's tokenizer puts around a text: nothing, or the tokens that the settings ask for."""
    first = special["bos"] if _flag(said, "add_bos_token", False) and special["bos"] in vocabulary else ""
    last = special["eos"] if _flag(said, "add_eos_token", False) and special["eos"] in vocabulary else ""
    if not first and not last:
        return {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}

    def row(which: str, kind: int) -> list[dict[str, Any]]:
        before, after = [_token(first, kind)] if first else [], [_token(last, kind)] if last else []
        return [*before, _text(which, kind), *after]

    return {
        "type": "TemplateProcessing",
        "single": row("A", 0),
        "pair": [*row("A", 0), *row("B", 1)],
        "special_tokens": {
            each: {"id": each, "ids": [vocabulary[each]], "tokens": [each]} for each in {first, last} - {""}
        },
    }


def _special(folder: Folder, usual: Mapping[str, str]) -> dict[str, str]:
    """Role -> special token: as special_tokens_map.json or tokenizer_config.json say, or as is usual."""
    found = dict(usual)
    for name in (TOKENIZER_CONFIG, SPECIAL_TOKENS):
        said = folder.json(name)
        for role in (*usual, "pad"):
            token = said.get(f"{role}_token")
            token = token.get("content") if isinstance(token, dict) else token
            if isinstance(token, str) and 0 < len(token) <= _LONGEST_TOKEN:
                found[role] = token
    return found


def _added(folder: Folder, special: Mapping[str, str], vocabulary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tokens that are found before anything is split: special ones, and what tokenizer_config.json adds.

    Raises:
        InvalidInput: it adds a token in a way that nobody writes.
    """
    found: dict[int, dict[str, Any]] = {}
    for token in special.values():
        if token in vocabulary:
            found[vocabulary[token]] = _added_token(vocabulary[token], token, {"special": True})
    for number, each in _listed(folder).items():
        content = each.get("content") if isinstance(each, dict) else None
        fits = isinstance(content, str) and 1 <= len(content) <= _LONGEST_TOKEN and len(number) <= 6
        if not isinstance(each, dict) or not number.isdecimal() or not fits:
            raise InvalidInput(
                f"The tokenizer's settings add the token {shown(number)} in a way that is not read: it needs a number and "
                "a content."
            )
        found[int(number)] = _added_token(int(number), str(content), each)
    return [found[number] for number in sorted(found)]


def _listed(folder: Folder) -> dict[str, Any]:
    """Number -> added token, as tokenizer_config.json lists them; earlier releases wrote token -> number in a file."""
    listed = folder.json(TOKENIZER_CONFIG).get("added_tokens_decoder")
    if isinstance(listed, dict):
        return dict(listed)
    return {
        str(number): {"content": token, "normalized": True}
        for token, number in folder.json(ADDED_TOKENS).items()
    }


def _added_token(number: int, token: str, said: Mapping[str, Any]) -> dict[str, Any]:
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return {"id": number, "content": token} | {flag: _flag(said, flag, False) for flag in flags}


def _check_tokens(tokens: list[str], name: str) -> None:
    if not 1 <= len(tokens) <= MOST_TOKENS:
        raise InvalidInput(f"{name} lists {len(tokens):,} entries; 1 to {MOST_TOKENS:,} are accepted.")
    if any(len(token) > _LONGEST_TOKEN for token in tokens):
        raise InvalidInput(f"{name} holds an entry of more than {_LONGEST_TOKEN:,} characters.")


def _flag(said: Mapping[str, Any], key: str, usual: bool) -> bool:
    found = said.get(key, usual)
    return found if isinstance(found, bool) else usual


def _token(token: str, kind: int) -> dict[str, Any]:
    return {"SpecialToken": {"id": token, "type_id": kind}}


def _text(which: str, kind: int) -> dict[str, Any]:
    return {"Sequence": {"id": which, "type_id": kind}}


def _dumped(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
