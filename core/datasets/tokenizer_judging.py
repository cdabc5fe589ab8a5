"""A tokenizer.json from a stranger: judged part by part, before the library sees it. No torch.

Accepted are the parts that tokenizers of language models are made of, each with settings that cannot make a short text
huge or a search endless. A part that is not known here is refused by its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from core.datasets.archives import shown
from core.errors import InvalidInput

MOST_BYTES = 32 * 2**20
MOST_TOKENS = 1_000_000
_MOST_COMMAS, _MOST_LISTS = 3_000_000, 1_200_000
_DEEPEST = 32
_LONGEST = 1_000
"""Characters of a token, or of any other text."""
_MOST_ADDED, _MOST_PARTS = 20_000, 24
_NAME = "tokenizer.json"

_MODELS = ("BPE", "WordPiece", "Unigram", "WordLevel")
_PARTS = {
    "normalizer": (
        *("Sequence", "BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents"),
        *("Replace", "Prepend", "Precompiled"),
    ),
    "pre_tokenizer": (
        *("Sequence", "BertPreTokenizer", "ByteLevel", "Whitespace", "WhitespaceSplit", "Punctuation"),
        *("Metaspace", "Digits", "Split"),
    ),
    "post_processor": ("Sequence", "BertProcessing", "RobertaProcessing", "ByteLevel", "TemplateProcessing"),
    "decoder": (
        *("Sequence", "ByteLevel", "WordPiece", "Metaspace", "BPEDecoder", "ByteFallback", "Fuse"),
        *("Strip", "Replace"),
    ),
}


def judged(data: bytes) -> dict[str, Any]:
    """What a tokenizer.json says, without cutting, padding and chance.

    Raises:
        InvalidInput: it is damaged, too large or too deep, or one of its parts is not accepted.
    """
    content = _parsed(data)
    made: dict[str, Any] = {"version": "1.0", "truncation": None, "padding": None}
    made["added_tokens"] = _added(content.get("added_tokens"))
    for role, known in _PARTS.items():
        made[role] = None if content.get(role) is None else _part(content[role], role, known, _Counter())
    made["model"] = _model(content.get("model"))
    highest = max(numbered(made).values())
    _require(highest < MOST_TOKENS, f"numbers its tokens beyond {MOST_TOKENS:,}")
    return made


def numbered(content: dict[str, Any]) -> dict[str, int]:
    """Token -> number, of a judged tokenizer.json."""
    vocabulary = content["model"]["vocab"]
    if isinstance(vocabulary, list):
        found = {pair[0]: number for number, pair in enumerate(vocabulary)}
    else:
        found = dict(vocabulary)
    return found | {each["content"]: each["id"] for each in content["added_tokens"]}


class _Counter:
    """How many parts there are, inside each other and one after another."""

    def __init__(self) -> None:
        self.n = 0

    def one_more(self) -> None:
        self.n += 1
        _require(self.n <= _MOST_PARTS, f"has more than {_MOST_PARTS} parts of one kind")


def _require(fine: bool, otherwise: str) -> None:
    if not fine:
        raise InvalidInput(f"{_NAME} {otherwise}.")


def _parsed(data: bytes) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"{_NAME} has {len(data):,} bytes; at most {MOST_BYTES:,} are accepted.")
    # Counted in the bytes: an honest file holds no more even inside its tokens, and objects take memory.
    small = data.count(b",") <= _MOST_COMMAS and data.count(b"[") + data.count(b"{") <= _MOST_LISTS
    _require(small, "has more entries than a tokenizer needs")
    try:
        found = json.loads(data.decode("utf-8-sig"), parse_constant=_no_number)
        deep = _levels(found) > _DEEPEST
    except RecursionError:
        deep, found = True, None
    except ValueError as error:
        raise InvalidInput(f"{_NAME} is damaged: it cannot be read as JSON.") from error
    _require(not deep, f"is nested more than {_DEEPEST} levels deep")
    _require(isinstance(found, dict), "is not a JSON object")
    return dict(found)


def _no_number(text: str) -> Any:
    raise InvalidInput(f"{_NAME} holds {text}, which is no number of JSON.")


def _levels(value: Any) -> int:
    level, inside = 0, [value]
    while inside and level <= _DEEPEST:
        level += 1
        held = [each.values() if isinstance(each, dict) else each for each in inside]
        inside = [each for some in held if isinstance(some, list | type({}.values())) for each in some]
        inside = [each for each in inside if isinstance(each, dict | list)]
    return level


# --- parts -----------------------------------------------------------------------------------------


def _part(value: Any, role: str, known: tuple[str, ...], count: _Counter) -> dict[str, Any]:
    """One part, or a sequence of parts, with the settings that are accepted."""
    count.one_more()
    _require(isinstance(value, dict) and isinstance(value.get("type"), str), f"has a {role} without a type")
    kind = value["type"]
    if kind not in known:
        raise InvalidInput(
            f"{_NAME} has a {role.replace('_', '-')} that is not accepted here: {shown(kind)}."
        )
    if kind == "Sequence":
        key = next((k for k in (f"{role}s", "pretokenizers", "processors") if k in value), f"{role}s")
        inside = value.get(key)
        _require(isinstance(inside, list), f"has a sequence of {role}s without any")
        return {"type": kind, key: [_part(each, role, known, count) for each in inside]}
    judge = _JUDGES.get(kind, _plain)
    return {"type": kind, **judge({k: v for k, v in value.items() if k != "type"})}


def _plain(said: dict[str, Any]) -> dict[str, Any]:
    """Settings that are flags, short texts, small numbers or pairs of a short text and a number."""
    for value in said.values():
        pair = isinstance(value, list) and len(value) == 2 and _short(value[0]) and type(value[1]) is int
        fine = value is None or isinstance(value, bool) or _short(value) or pair
        fine = fine or (type(value) is int and 0 <= value <= _LONGEST)
        _require(fine, "has a part with a setting that is not accepted")
    return said


def _replace(said: dict[str, Any]) -> dict[str, Any]:
    """A short text for another: never a pattern that may be anything, never one that makes texts much longer."""
    pattern, content = said.get("pattern"), said.get("content")
    _require(
        isinstance(pattern, dict) and len(pattern) == 1 and isinstance(content, str) and len(content) <= 8,
        "replaces texts by something that is not accepted",
    )
    return {"pattern": _pattern(pattern), "content": content}


def _prepend(said: dict[str, Any]) -> dict[str, Any]:
    text = said.get("prepend")
    _require(isinstance(text, str) and len(text) <= 8, "puts something long before every text")
    return {"prepend": text}


def _precompiled(said: dict[str, Any]) -> dict[str, Any]:
    text = said.get("precompiled_charsmap")
    fine = isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text) and len(text) <= 2 * 2**20
    _require(bool(fine), "has a table of characters that is damaged")
    return {"precompiled_charsmap": text}


def _split(said: dict[str, Any]) -> dict[str, Any]:
    behavior, invert = said.get("behavior"), said.get("invert", False)
    known = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
    _require(behavior in known and isinstance(invert, bool), "splits texts in a way that is not accepted")
    return {"pattern": _pattern(said.get("pattern")), "behavior": behavior, "invert": invert}


def _pattern(value: Any) -> dict[str, str]:
    """A text to look for, or a pattern whose search ends soon."""
    _require(isinstance(value, dict) and len(value) == 1, "looks for something that is not accepted")
    (kind, text), *_ = value.items()
    _require(
        kind in ("String", "Regex") and _short(text) and text, "looks for something that is not accepted"
    )
    if kind == "Regex":
        _require(_ends_soon(text), "has a pattern whose search may take too long")
    return {kind: text}


_REPEATED_GROUP = re.compile(r"(?<!\\)\)[*+{]")
_OPEN_ENDS = re.compile(r"(?<!\\)(?:[*+]|\{\d*,\})")


def _ends_soon(pattern: str) -> bool:
    """No group is repeated and nothing is referred back to, so a search takes a bounded number of steps at each place.

    Within one alternative at most three pieces may have any length: with n characters, n^3 steps at the worst.
    """
    if _REPEATED_GROUP.search(pattern) or re.search(r"\\[1-9kg]|\(\?<[=!]|\(\?\(|\(\?R", pattern):
        return False
    alternatives = re.split(r"(?<!\\)\|", pattern)
    return all(len(_OPEN_ENDS.findall(re.sub(r"\+\+|\?\+|\*\+", "+", each))) <= 4 for each in alternatives)


def _template(said: dict[str, Any]) -> dict[str, Any]:
    """What stands around a text: a few special tokens."""
    special = said.get("special_tokens")
    if not isinstance(special, dict) or len(special) > 64:
        raise InvalidInput(f"{_NAME} puts too many tokens around a text.")
    for name in ("single", "pair"):
        pieces = said.get(name)
        if not isinstance(pieces, list) or not 1 <= len(pieces) <= 16:
            raise InvalidInput(f"{_NAME} puts too many tokens around a text.")
        for piece in pieces:
            _require(isinstance(piece, dict) and len(piece) == 1, "has a damaged template")
            (kind, what), *_ = piece.items()
            fine = kind in ("SpecialToken", "Sequence") and isinstance(what, dict) and _short(what.get("id"))
            _require(fine and what.get("type_id") in (0, 1), "has a damaged template")
    for each in special.values():
        fine = isinstance(each, dict) and all(isinstance(each.get(k), list) for k in ("ids", "tokens"))
        _require(fine and len(each["ids"]) == len(each["tokens"]) <= 16, "has a damaged template")
        _require(all(_number(n) for n in each["ids"]), "has a damaged template")
    return {name: said[name] for name in ("single", "pair", "special_tokens")}


_JUDGES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "Replace": _replace,
    "Prepend": _prepend,
    "Precompiled": _precompiled,
    "Split": _split,
    "TemplateProcessing": _template,
}


# --- tokens ----------------------------------------------------------------------------------------


def _short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _number(value: Any) -> bool:
    return type(value) is int and 0 <= value < MOST_TOKENS


def _added(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    _require(isinstance(value, list) and len(value) <= _MOST_ADDED, "adds more tokens than are accepted")
    made = []
    for each in value:
        fine = isinstance(each, dict) and _short(each.get("content")) and each["content"]
        _require(bool(fine) and _number(each.get("id")), "has an added token that is damaged")
        flags = {k: bool(each.get(k)) for k in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        made.append({"id": each["id"], "content": each["content"], **flags})
    return made


def _model(value: Any) -> dict[str, Any]:
    _require(isinstance(value, dict), "has no model")
    kind = value.get("type")
    if kind is None:  # older files leave it out
        kind = "BPE" if "merges" in value else "WordPiece" if "continuing_subword_prefix" in value else ""
    if kind not in _MODELS:
        raise InvalidInput(f"{_NAME} has a model that is not accepted here: {shown(str(kind))}.")
    made: dict[str, Any] = {"type": kind}
    vocabulary = value.get("vocab")
    if kind == "Unigram":
        made["vocab"] = _scored(vocabulary)
        _require(value.get("unk_id") is None or _number(value["unk_id"]), "has a damaged model")
        _require(
            (value.get("unk_id") or 0) < len(made["vocab"]), "names an unknown token that it does not have"
        )
        return made | {"unk_id": value.get("unk_id"), "byte_fallback": bool(value.get("byte_fallback"))}
    made["vocab"] = _vocabulary(vocabulary)
    unknown = value.get("unk_token")
    _require(unknown is None or _short(unknown), "has a damaged model")
    if kind == "BPE":
        made["merges"] = _merges(value.get("merges"), made["vocab"], value.get("continuing_subword_prefix"))
        for name in ("continuing_subword_prefix", "end_of_word_suffix"):
            _require(value.get(name) is None or _short(value[name]), "has a damaged model")
            made[name] = value.get(name)
        for name in ("fuse_unk", "byte_fallback", "ignore_merges"):
            made[name] = bool(value.get(name))
        return made | {"dropout": None, "unk_token": unknown}
    _require(unknown in made["vocab"], "names an unknown token that it does not have")
    if kind == "WordPiece":
        most = value.get("max_input_chars_per_word", 100)
        prefix = value.get("continuing_subword_prefix", "##")
        _require(type(most) is int and 1 <= most <= _LONGEST and _short(prefix), "has a damaged model")
        made |= {"max_input_chars_per_word": most, "continuing_subword_prefix": prefix}
    return made | {"unk_token": unknown}


def _vocabulary(value: Any) -> dict[str, int]:
    _require(
        isinstance(value, dict) and 1 <= len(value) <= MOST_TOKENS, "has no vocabulary, or too large a one"
    )
    _require(
        all(_number(n) for n in value.values()), "numbers its tokens with something else than whole numbers"
    )
    _require(len(set(value.values())) == len(value), "gives two tokens one number")
    _require(
        all(len(token) <= _LONGEST for token in value), f"has a token of more than {_LONGEST:,} characters"
    )
    return dict(value)


def _scored(value: Any) -> list[list[Any]]:
    _require(
        isinstance(value, list) and 1 <= len(value) <= MOST_TOKENS, "has no vocabulary, or too large a one"
    )
    for each in value:
        fine = isinstance(each, list) and len(each) == 2 and _short(each[0])
        _require(fine and type(each[1]) in (int, float), "has a vocabulary that is damaged")
    return value


def _merges(value: Any, vocabulary: dict[str, int], prefix: Any) -> list[list[str]]:
    _require(isinstance(value, list) and len(value) <= MOST_TOKENS, "has no merges, or too many")
    cut = len(prefix) if isinstance(prefix, str) else 0
    made = []
    for each in value:
        pair = each.split(" ") if isinstance(each, str) else each
        fine = isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
        _require(fine, "has a merge that is not a pair")
        left, right = pair
        joined = left + right[cut:]
        _require(
            left in vocabulary and right in vocabulary and joined in vocabulary,
            f"joins a pair that its vocabulary does not have: {shown(left)} and {shown(right)}",
        )
        made.append([left, right])
    return made
