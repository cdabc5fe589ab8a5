"""Decoded copies of uploads: what comes back is what was written, or a refusal; and what a card may ask of data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from core.config import BaseConfig
from core.datasets import foreign
from core.datasets.base import RawImages
from core.datasets.decoding import decode, looks_like_npz, read_decoded, read_labels, write_decoded
from core.datasets.foreign import BY_CONTENT
from core.datasets.found import Proposal, Skipped, Summary
from core.errors import InvalidInput


def images(n: int = 6, side: int = 4, scale: float = 255.0, seed: int = 0) -> tuple[RawImages, Summary]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (n, 3, side, side)).astype(np.uint8)
    raw = RawImages(
        x if scale != 1 else x.astype(np.float32) / 255, np.arange(n) % 2, ("ä cat", "dog"), 2, scale
    )
    summary = Summary(
        kind="pictures",
        counts={"ä cat": n - n // 2, "dog": n // 2},
        n_test=2,
        smallest=(3, 5),
        largest=(9, 9),
        n_sizes=4,
        gray=1,
        stored_gray=0,
        shape=(3, side, side),
        skipped=(Skipped(reason="they are tired", count=1, examples=("cat/zz.png",)),),
        proposed=Proposal(size=8, channels=3),
        repeated=0,
    )
    return raw, summary


@pytest.mark.parametrize("scale", [255.0, 1.0])
def test_what_was_written_comes_back(tmp_path: Path, scale: float) -> None:
    raw, summary = images(scale=scale)
    write_decoded(tmp_path / "copy.npz", raw, summary)
    found, about = read_decoded(tmp_path / "copy.npz")
    assert about == summary
    assert about.n_images == 6
    assert (found.classes, found.n_test, found.scale) == (raw.classes, 2, scale)
    assert found.x.dtype == raw.x.dtype
    np.testing.assert_array_equal(found.x, raw.x)
    np.testing.assert_array_equal(found.y, raw.y)
    labels, again = read_labels(tmp_path / "copy.npz")
    assert again == summary
    np.testing.assert_array_equal(labels.y, raw.y)
    assert labels.x.shape == (0, 3, 4, 4), "no image was read"


def test_any_damage_to_a_copy_is_noticed(tmp_path: Path) -> None:
    raw, summary = images()
    file = tmp_path / "copy.npz"
    write_decoded(file, raw, summary)
    data, rng, refused = file.read_bytes(), np.random.default_rng(1), 0
    for number in range(200):
        spoiled = bytearray(data)
        spoiled[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        file.write_bytes(bytes(spoiled) if number % 4 else data[: rng.integers(len(data))])
        try:
            found, about = read_decoded(file)
        except InvalidInput:
            refused += 1
        else:
            np.testing.assert_array_equal(found.x, raw.x)
            np.testing.assert_array_equal(found.y, raw.y)
            assert (found.classes, about) == (raw.classes, summary)
    assert refused > 120
    file.unlink()
    for read in (read_decoded, read_labels):
        with pytest.raises(FileNotFoundError):
            read(file)


def test_a_copy_of_another_version_is_refused(tmp_path: Path) -> None:
    raw, _ = images()
    for about in ('{"scale": 255}', "[]", "", '{"scale": 255, "summary": {"kind": "pictures"}}'):
        np.savez(
            tmp_path / "copy.npz", x=raw.x, y=raw.y, classes=np.array(raw.classes), about=np.array(about)
        )
        with pytest.raises(InvalidInput, match="damaged on the disk"):
            read_decoded(tmp_path / "copy.npz")


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_bytes_that_are_no_archive_are_refused_and_never_a_surprise(data: bytes) -> None:
    looks_like_npz(b"PK\x03\x04" + data)
    for whole in (data, b"PK\x03\x04" + data):
        with pytest.raises(InvalidInput):
            decode(whole, size=0, channels=0)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_sides_too_small_for_a_network_are_refused_before_anything_is_read(side: int) -> None:
    with pytest.raises(InvalidInput, match="at least 4 pixels"):
        decode(b"", size=side, channels=0)


# --- what a card may ask ---------------------------------------------------------------------------------


class Config(BaseConfig):
    """Every kind of field."""

    number: int = 1
    share: float | None = None
    flag: bool = False
    kind: Literal["a", "b"] = "a"
    maybe: Literal["a", "b"] | None = None
    text: str = ""
    texts: list[str] = Field(default_factory=list)
    path: str | None = None
    either: int | str = 0
    anything: Any = None
    content: str = Field("", json_schema_extra={**BY_CONTENT})


HARMLESS = {"number": 5, "share": 0.5, "flag": True, "kind": "b", "maybe": "b", "content": "ab"}
NAMING = {"text": "/etc/passwd", "texts": ["/etc"], "path": "x", "either": "x", "anything": 3}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A data set with such a Config; what was created of it."""
    created: list[str] = []

    class Known:
        """Stands in for the registry."""

        def get(self, name: str) -> Any:
            return type("Plugin", (), {"Config": Config})

        def create(self, name: str, config: dict[str, Any]) -> None:
            created.append(name)
            Config.model_validate(config)

    monkeypatch.setattr(foreign, "DATASETS", Known())
    return created


def test_numbers_and_choices_are_harmless_and_text_is_refused_unread(registered: list[str]) -> None:
    assert HARMLESS.keys() | NAMING.keys() == Config.model_fields.keys()
    assert foreign.foreign_settings("made", HARMLESS) == HARMLESS
    assert foreign.foreign_settings("made", {"text": "", "path": None}) == {"text": "", "path": None}
    registered.clear()
    for field, value in NAMING.items():
        with pytest.raises(InvalidInput, match=rf"file or folder \({field}\)"):
            foreign.foreign_settings("made", {**HARMLESS, field: value})
    assert registered == [], "judged before anything was made"
    assert foreign.own_settings("made", {"text": "/data"}) == {"text": "/data"}
