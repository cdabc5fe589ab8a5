"""Tokenizers of folders: built of vocabulary files they split as the papers say, and special tokens stay whole.

Against transformers itself they are compared in tests/peers.
"""

from __future__ import annotations

import json
import random
import zipfile
from typing import Any

import pytest
from tokenizers import Tokenizer

from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput
from core.supernets.files import dump_supernet, load_supernet
from core.supernets.folders.base import architecture_of
from core.supernets.folders.folder import of_zip
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.tokenizer import tokenizer_json
from tests.helpers.plain_tokenizers import byte_pairs_of, word_pieces_of
from tests.helpers.tiny_folders import (
    WORDS,
    Files,
    bert,
    byte_pairs,
    dumped,
    gpt2,
    llama,
    vit,
    word_pieces,
    zipped,
)

PIECES = {token: number for number, token in enumerate(word_pieces())}
ODD = [
    *(
        "É",
        "naïve",
        "中文字",
        "[MASK]",
        "[SEP]",
        "<|endoftext|>",
        "don't",
        "I'll we've",
        "...",
        "--",
        "\t",
        "\n",
        "\r\n",
    ),
    *(
        "  ",
        "   a",
        "\u200b",
        "\u00ad",
        "a\u0301",
        "x²",
        "1234",
        "3.14",
        "«»",
        "“so”",
        "a" * 120,
        "the",
        "Licensing",
        "🙂",
    ),
]


def texts(n: int) -> list[str]:
    rng = random.Random(0)
    return [
        "".join(
            rng.choice([*ODD, *WORDS]) + rng.choice([" ", " ", "", "\n"]) for _ in range(rng.randint(0, 15))
        )
        for _ in range(n)
    ]


def tokenizer(files: Files) -> Tokenizer:
    written = tokenizer_json(of_zip("x.zip", zipped(files)))
    assert written is not None
    return Tokenizer.from_str(written.decode())


def saying(files: Files, **said: Any) -> Files:
    content = json.loads(files["tokenizer_config.json"]) | said
    return files | {"tokenizer_config.json": dumped(content)}


@pytest.mark.parametrize("lower", [True, False])
def test_word_pieces_are_those_of_the_paper(lower: bool) -> None:
    made = tokenizer(saying(bert(), do_lower_case=lower))
    for text in texts(300):
        assert made.encode(text).ids == word_pieces_of(text, PIECES, lower=lower), text


def test_byte_pairs_are_those_of_the_paper() -> None:
    vocabulary, merges = byte_pairs()
    for made in (tokenizer(gpt2()), tokenizer(llama())):
        for text in texts(300):
            assert made.encode(text).ids == byte_pairs_of(text, vocabulary, merges), text
            assert made.decode(made.encode(text).ids, skip_special_tokens=False) == text


def test_what_the_settings_say_goes_before_what_the_file_says() -> None:
    written = tokenizer_json(of_zip("x.zip", zipped(bert())))
    assert written is not None
    cut = dumped(
        json.loads(written) | {"truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0}}
    )
    files = bert() | {"tokenizer.json": cut}
    assert tokenizer(files).encode("The license of THE").tokens == [
        "[CLS]",
        "the",
        "license",
        "of",
        "the",
        "[SEP]",
    ]
    upper = tokenizer(saying(files, do_lower_case=False)).encode("The")
    assert upper.tokens == ["[CLS]", "[UNK]", "[SEP]"]
    vocabulary, merges = byte_pairs()
    spaced = tokenizer(saying(gpt2(), add_prefix_space=True)).encode("the").ids
    assert spaced == byte_pairs_of(" the", vocabulary, merges)
    around = tokenizer(saying(gpt2(), add_bos_token=True, add_eos_token=True)).encode("the").ids
    assert around == [268, *byte_pairs_of("the", vocabulary, merges), 268]


def test_added_tokens_stay_whole() -> None:
    at = {
        "content": "license!",
        "special": False,
        "normalized": False,
        "lstrip": False,
        "rstrip": False,
        "single_word": False,
    }
    files = saying(bert(), added_tokens_decoder={"101": at})
    assert tokenizer(files).encode("a license!").ids == [2, PIECES["a"], 101, 3]
    for wrong in ({"x": at}, {"9999999": at}, {"101": {"content": ""}}, {"101": {}}, {"101": 3}, {"-1": at}):
        with pytest.raises(InvalidInput, match="in a way that is not read"):
            tokenizer(saying(bert(), added_tokens_decoder=wrong))


def test_tokens_that_earlier_releases_added_in_a_file_stay_whole() -> None:
    files = bert() | {"added_tokens.json": dumped({"license!": 101})}
    assert tokenizer(files).encode("a LICENSE!").ids == [2, PIECES["a"], 101, 3]
    for wrong in ({"x": "y"}, {"x": -1}, {"x": None}, {"": 101}, {"x": 10**9}):
        with pytest.raises(InvalidInput, match="in a way that is not read"):
            tokenizer(bert() | {"added_tokens.json": dumped(wrong)})


def test_a_special_token_may_have_another_name() -> None:
    vocabulary = [token if token != "[CLS]" else "<s>" for token in word_pieces()]
    files = bert() | {"vocab.txt": "\n".join(vocabulary).encode()}
    with pytest.raises(InvalidInput, match=r"vocab\.txt has no token \?CLS\?"):
        tokenizer(files)
    named = files | {"special_tokens_map.json": dumped({"cls_token": {"content": "<s>"}})}
    assert tokenizer(named).encode("the").tokens == ["<s>", "the", "[SEP]"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"vocab.json": b"{}", "merges.txt": b"#version: 0.2\n"}, "lists 0 entries"),
        ({"vocab.json": b'{"a": 0}'}, "only one of them is in the folder"),
        ({"vocab.json": b'{"a": 0, "b": 0, "ab": 1}', "merges.txt": b"a b"}, "gives two tokens one number"),
        ({"vocab.json": b'{"a": -1}', "merges.txt": b"a a"}, "something else than whole numbers"),
        ({"vocab.json": b'{"a": true}', "merges.txt": b"a a"}, "something else than whole numbers"),
        (
            {"vocab.json": b'{"a": 0, "b": 1}', "merges.txt": b"a b"},
            "joins a pair that vocab.json does not have",
        ),
        (
            {"vocab.json": b'{"a": 0, "aa": 1}', "merges.txt": b"a a a"},
            "joins a pair that vocab.json does not have",
        ),
        ({"vocab.txt": b"x" * 2000}, "an entry of more than 1,000 characters"),
        ({"vocab.txt": b"a\n" * 1_000_001}, "lists 1,000,001 entries; 1 to 1,000,000 are accepted"),
    ],
)
def test_vocabularies_that_are_none_are_refused(files: Files, sentence: str) -> None:
    whole = {"config.json": b"{}"} | files
    with pytest.raises(InvalidInput, match=sentence):
        tokenizer_json(of_zip("x.zip", zipped(whole, packing=zipfile.ZIP_STORED)))


def test_a_supernet_keeps_its_tokenizer_and_knows_it() -> None:
    folder = of_zip("x.zip", zipped(bert()))
    net, told = architecture_of(folder).supernet(folder, FolderOptions())
    kept = Tokenizing.read(load_supernet(dump_supernet(net, {}))[0].tokenizer)
    assert kept.encode("The license", special=True) == tokenizer(bert()).encode("The license").ids
    assert net.config.tokenizer == kept.identity
    assert told.tokenizer == "Texts are split by WordPiece of 101 tokens (vocab.txt)."
    without = {name: content for name, content in bert().items() if name != "vocab.txt"}
    folder = of_zip("x.zip", zipped(without))
    net, told = architecture_of(folder).supernet(folder, FolderOptions())
    assert (net.tokenizer, net.config.tokenizer) == (b"", "")
    assert told.tokenizer.startswith("The folder has no tokenizer")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            bert() | {"vocab.txt": bert()["vocab.txt"] + b"one more\n"},
            "102 tokens, the network vectors for 101",
        ),
        (
            bert() | {"tokenizer.json": b'{"model": {"type": "Own", "vocab": {"a": 0}}}'},
            "not accepted here: Own",
        ),
        (bert() | {"tokenizer.json": b"{}"}, "has no model"),
        (bert() | {"tokenizer.json": b"[" * 10**6}, "more than 24 levels deep"),
    ],
)
def test_a_tokenizer_that_does_not_belong_to_the_model_is_refused(files: Files, sentence: str) -> None:
    folder = of_zip("x.zip", zipped(files, packing=zipfile.ZIP_STORED))
    with pytest.raises(InvalidInput, match=sentence):
        architecture_of(folder).understood(folder, FolderOptions())


def test_a_folder_of_pictures_has_none() -> None:
    assert tokenizer_json(of_zip("x.zip", zipped(vit()))) is None
