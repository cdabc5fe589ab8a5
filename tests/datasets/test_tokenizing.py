"""Tokenizers: what goes in comes out, bytes are counted, and a hostile tokenizer.json is a sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from core.datasets.kept_tokenizers import keep_tokenizer, tokenizer_of
from core.datasets.license_texts import license_texts
from core.datasets.tokenizer_training import learned
from core.datasets.tokenizing import END, PAD, Tokenizing
from core.errors import InvalidInput, NotFound
from tests.helpers.memory import growth

BOTH = {"byte_pairs": Tokenizing.built_in(), "bytes": Tokenizing.bytes_alone()}
# Half a character of UTF-16 is no text.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@pytest.fixture(params=BOTH)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizing:
    return BOTH[request.param]


@given(TEXTS)
def test_what_goes_in_comes_out(text: str) -> None:
    for each in BOTH.values():
        ids = each.encode(text)
        assert each.decode(ids) == text
        assert all(0 <= number < each.vocabulary for number in ids)
        counted, sizes = each.encode_counted(text)
        assert counted.tolist() == ids
        assert sizes.sum() == len(text.encode())
        assert (sizes >= 0).all()


def test_bytes_alone_are_the_bytes_after_two_special_tokens() -> None:
    each = BOTH["bytes"]
    assert each.vocabulary == 258
    assert each.encode("ab€") == [2 + byte for byte in "ab€".encode()]
    assert (each.padding, each.end) == (0, 1)
    assert each.encode(PAD + END) == [0, 1]


def test_the_built_in_byte_pairs_are_those_of_the_license_texts() -> None:
    built_in = BOTH["byte_pairs"]
    assert built_in.vocabulary == 512
    again = learned(list(license_texts().values()))
    assert again.tokens == built_in.tokens
    text = license_texts()["GPL-3"]
    assert again.encode(text) == built_in.encode(text)
    assert len(text.encode()) / len(built_in.encode(text)) > 2


def test_long_texts_are_split_as_in_one_piece(tokenizer: Tokenizing) -> None:
    text = license_texts()["GPL-3"] * 4
    whole = Tokenizer.from_str(tokenizer.json().decode()).encode(text, add_special_tokens=False).ids
    assert len(text) > 1 << 17
    assert tokenizer.encode(text) == whole


def test_its_json_is_read_to_the_same(tokenizer: Tokenizing) -> None:
    again = Tokenizing.read(tokenizer.json())
    assert again.json() == tokenizer.json()
    assert again.identity == tokenizer.identity
    assert len({each.identity for each in BOTH.values()}) == 2


def test_every_token_has_a_name_of_its_own(tokenizer: Tokenizing) -> None:
    assert len(tokenizer.tokens) == len(set(tokenizer.tokens)) == tokenizer.vocabulary


def test_a_token_that_there_is_not_is_refused(tokenizer: Tokenizing) -> None:
    for number in (-1, tokenizer.vocabulary):
        with pytest.raises(InvalidInput, match=f"0 to {tokenizer.vocabulary - 1}"):
            tokenizer.decode([number])


def test_it_is_kept_under_the_hash_of_what_will_be_used(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    spaced = json.dumps(json.loads(BOTH["bytes"].json()), indent=2).encode()
    kept = keep_tokenizer(spaced)
    assert tokenizer_of(kept).identity == BOTH["bytes"].identity
    assert keep_tokenizer(BOTH["bytes"].json()) == kept
    with pytest.raises(NotFound, match="no longer kept"):
        tokenizer_of("0" * 64)


# --- what a stranger may send --------------------------------------------------------------------------------


def word_piece(**changes: Any) -> dict[str, Any]:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "free", "soft", "##ware", "the", "a"]
    special = {n: {"id": n, "ids": [words.index(n)], "tokens": [n]} for n in ("[CLS]", "[SEP]")}
    cls, text, sep = (
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    )
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 10**12},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": [
            {"id": words.index(n), "content": n, "special": True} for n in ("[PAD]", "[CLS]", "[SEP]")
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [cls, text, sep],
            "pair": [cls, text, sep],
            "special_tokens": special,
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: n for n, word in enumerate(words)},
        },
    } | changes


def test_word_pieces_keep_what_stands_around_a_text_when_it_is_cut() -> None:
    each = Tokenizing.read(json.dumps(word_piece()).encode())
    assert each.encode("The software") == [7, 5, 6], "neither cut at 3 nor padded to a million million"
    assert each.encode("The software", special=True) == [2, 7, 5, 6, 3]
    assert each.encode("The software", special=True, most=4) == [2, 7, 5, 3]
    assert each.encode("the a " * 500, special=True, most=6) == [2, 7, 8, 7, 8, 3]
    assert each.encode("", special=True) == [2, 3]
    assert each.encode("zzz") == [1]
    assert each.padding == 0
    ids, sizes = each.encode_counted("Thé  soft")
    assert (ids.tolist(), sizes.tolist()) == ([7, 5], [6, 4]), "from where one begins to the next"


def deep(levels: int) -> Callable[[], bytes]:
    return lambda: b'{"normalizer":' + b'{"type":"Sequence","normalizers":[' * levels + b"]}" * levels + b"}"


def changed(**changes: Any) -> Callable[[], bytes]:
    return lambda: json.dumps(word_piece(**changes)).encode()


def pairs(**changes: Any) -> Callable[[], bytes]:
    model = json.loads(Tokenizing.bytes_alone().json())
    model["model"] |= changes
    return lambda: json.dumps(model).encode()


def template(**changes: Any) -> Callable[[], bytes]:
    return changed(post_processor=word_piece()["post_processor"] | changes)


def split(pattern: str) -> Callable[[], bytes]:
    return changed(
        pre_tokenizer={
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": False,
        }
    )


BROKEN_VOCABULARIES: dict[str, Any] = {
    "none": None,
    "a list": [],
    "empty": {},
    "a text": "abc",
    "a number beyond": {"[UNK]": 10**12},
    "negative": {"[UNK]": -1},
    "a fraction": {"[UNK]": 0.5},
    "a truth": {"[UNK]": True},
    "twice": {"[UNK]": 0, "a": 0},
    "a long token": {"[UNK]": 0, "a" * 100_000: 1},
}
HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no json": lambda: b"\xff\xfe{",
    "a list": lambda: b"[]",
    "a million lists": lambda: b"[" + b"[]," * 2_000_000 + b"[]]",
    "ten million numbers": lambda: b"[" + b"1," * 10_000_000 + b"1]",
    "deep": deep(40),
    "very deep": deep(100_000),
    "too large": lambda: b"{" + b" " * (33 << 20) + b"}",
    "nan": lambda: b'{"model": NaN}',
    "no model": changed(model=None),
    "an unknown model": changed(model={"type": "Neural", "vocab": {"a": 0}}),
    "an unknown part": changed(pre_tokenizer={"type": "Run", "code": "os.system('true')"}),
    "a part without a type": changed(normalizer={"lowercase": True}),
    "a part that is a list": changed(normalizer=[]),
    "a part of another role": changed(normalizer={"type": "ByteLevel"}),
    "many parts": changed(normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}] * 1000}),
    "a replacement that explodes": changed(
        normalizer={"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10_000_000}
    ),
    "something long before every text": changed(normalizer={"type": "Prepend", "prepend": "a" * 1000}),
    "a broken table": changed(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
    "a table that is none": changed(normalizer={"type": "Precompiled", "precompiled_charsmap": "\u20ac" * 9}),
    "an endless pattern": split("(a+)+$"),
    "a pattern that looks back": split(r"(a*)\1"),
    "many open ends": split("a*a*a*a*a*a*a*b"),
    "a pattern that is none": split("[a"),
    "a huge number": changed(pre_tokenizer={"type": "Digits", "individual_digits": 10**30}),
    "a long template": template(single=[{"SpecialToken": {"id": "[CLS]", "type_id": 0}}] * 20_000),
    "a template without a text": template(single="[CLS] $A"),
    "a template with many ids": template(
        special_tokens={"[CLS]": {"id": "[CLS]", "ids": [0] * 10**5, "tokens": ["a"] * 10**5}}
    ),
    "many added tokens": changed(added_tokens=[{"id": 1, "content": "a"}] * 50_000),
    "an added token far away": changed(added_tokens=[{"id": 10**9, "content": "far"}]),
    "an added token that is empty": changed(added_tokens=[{"id": 1, "content": ""}]),
    "a merge of nothing known": pairs(merges=[["zz", "y"]]),
    "a merge of three": pairs(merges=["a b c"]),
    "a merge that is a number": pairs(merges=[7]),
    "merges that are none": pairs(merges={"a": "b"}),
    "an unknown token that there is not": changed(model=word_piece()["model"] | {"unk_token": "[NO]"}),
    "a long prefix": changed(model=word_piece()["model"] | {"continuing_subword_prefix": "#" * 10**6}),
    "unigrams that are none": changed(model={"type": "Unigram", "unk_id": 0, "vocab": [["a"]]}),
    "an unknown unigram": changed(model={"type": "Unigram", "unk_id": 5, "vocab": [["a", 0.0]]}),
    **{
        f"vocabulary: {n}": changed(model=word_piece()["model"] | {"vocab": v})
        for n, v in BROKEN_VOCABULARIES.items()
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_tokenizer_is_a_sentence(name: str) -> None:
    data = HOSTILE[name]()
    began = time.process_time()
    # Counting memory takes a while; a file of less than that cannot take much.
    with (
        growth() if len(data) > 2**20 else nullcontext(lambda: 0) as grown,
        pytest.raises(InvalidInput) as refusal,
    ):
        Tokenizing.read(data)
    assert time.process_time() - began < 2
    assert grown() < 500 * 2**20
    said = str(refusal.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 300
