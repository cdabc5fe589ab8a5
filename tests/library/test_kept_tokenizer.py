"""A supernet that was carried elsewhere brings the tokenizer along that splits its data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.datasets import load_dataset
from core.datasets.foreign import foreign_settings
from core.datasets.kept_tokenizers import keep_tokenizer, tokenizer_of
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput, NotFound
from core.library.library import Library
from core.library.supernets import dataset
from core.supernets.elastic_decoder import ElasticDecoder
from core.supernets.files import dump_supernet
from core.tasks.base import task_of
from tests.datasets.test_tokenizing import word_piece


@pytest.mark.slow
def test_its_data_are_found_on_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "one"))
    given = word_piece()
    given["model"]["vocab"] |= {letter: 20 + i for i, letter in enumerate("bcdefghijklmnopqrstuvwxyz.,")}
    given["model"]["vocab"] |= {
        f"##{letter}": 60 + i for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz")
    }
    settings = {"tokenizer": keep_tokenizer(json.dumps(given).encode()), "length": 24, "scored": 3}
    data = load_dataset("licenses", **settings)  # type: ignore[arg-type]
    net = ElasticDecoder(
        ElasticDecoder.Config(layers=1, widths=(4,), hidden=(3, 4), **task_of(data).settings_from(data))
    )
    net.tokenizer = data.tokenizer
    card = {
        "title": "carried",
        "data": {"name": "licenses", "seed": 0, "config": settings, "fingerprint": data.fingerprint},
    }
    (tmp_path / "net.safetensors").write_bytes(dump_supernet(net, card))
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "two"))
    with pytest.raises(NotFound, match="no longer kept"):
        tokenizer_of(str(settings["tokenizer"]))
    found = dataset(Library().supernet(str(tmp_path / "net.safetensors")))
    assert found.fingerprint == data.fingerprint
    assert tokenizer_of(str(settings["tokenizer"])).json() == net.tokenizer


def test_a_stranger_s_card_names_tokenizers_by_content_and_no_files() -> None:
    own = {"tokenizer": "0" * 64}
    assert foreign_settings("licenses", own) == own
    assert foreign_settings("license_passages", {"tokenizer": "bytes"}) == {"tokenizer": "bytes"}
    for name in ("texts", "corpus"):
        with pytest.raises(InvalidInput, match=r"file or folder \(path\)"):
            foreign_settings(name, {"path": "/etc/passwd"})
    with pytest.raises(InvalidInput, match="tokenizer"):
        foreign_settings("licenses", {"tokenizer": "/etc/passwd"})
    assert Tokenizing.bytes_alone().vocabulary == 258
