"""What the download's predict.py does with damaged and hostile files: one plain sentence and exit status 2."""

from __future__ import annotations

import io
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.export.bundle import Bundle
from core.export.predicting import common, predict_image
from tests.export.subnets import subnet
from tests.security.hostile_files import mutate, npy, npz_of, picture, png_claiming, raw_npy

Ended = tuple[int, str]
X = npy(np.random.default_rng(0).random((6, 1, 8, 8)).astype(np.float32))
Y = npy(np.arange(6) % 10)
STORED = npz_of({"x.npy": X, "y.npy": Y})
DEFLATED = npz_of({"x.npy": X, "y.npy": Y}, zipfile.ZIP_DEFLATED)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    with zipfile.ZipFile(io.BytesIO(Bundle().export(subnet("elastic_cnn")))) as archive:
        for name in archive.namelist():
            (folder / name).write_bytes(archive.read(name))
    return folder


@pytest.fixture
def ends(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[bytes, str], Ended]:
    """Exit status of predict.py on a file with these bytes, and what it said on standard error."""
    monkeypatch.setattr(common, "HERE", bundle)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "model", raising=False)

    def run(data: bytes, name: str) -> Ended:
        file = tmp_path / name
        file.write_bytes(data)
        try:
            predict_image.main([str(file)])
        except SystemExit as end:
            return int(str(end.code)), capsys.readouterr().err
        return 0, capsys.readouterr().err

    return run


def patched(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """The archive with a field of every such record overwritten."""
    at = data.find(signature)
    while at >= 0:
        data = data[: at + offset] + value + data[at + offset + len(value) :]
        at = data.find(signature, at + 4)
    return data


def in_both(data: bytes, local: int, value: bytes) -> bytes:
    """The same field in the local headers and in the directory (two bytes further on)."""
    return patched(patched(data, b"PK\x03\x04", local, value), b"PK\x01\x02", local + 2, value)


def huge(shape: str) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    return npz_of({"x.npy": raw_npy(header, bytes(64)), "y.npy": Y})


HOSTILE = {
    "damaged.npz": DEFLATED[:60] + b"\xff" * 40 + DEFLATED[100:],
    "encrypted.npz": in_both(STORED, 6, b"\x01\x00"),
    "unknown-method.npz": in_both(STORED, 8, struct.pack("<H", 93)),
    "no-array.npz": npz_of({"x.npy": b"hello", "y.npy": Y}),
    "labels-no-array.npz": npz_of({"x.npy": X, "y": b"hello"}),
    "huge.npz": huge("(1000000000000, 1, 8, 8)"),
    "huger.npz": huge("(99999999999999999999, 8, 8)"),
    "negative.npz": huge("(-1, 1, 8, 8)"),
    "deep.npz": npz_of({"x.npy": raw_npy("(" * 9000, b""), "y.npy": Y}),
    "code.npz": npz_of({"x.npy": raw_npy("__import__('os').getcwd()", b""), "y.npy": Y}),
    "array.npz": X,
    "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n",
    "tiff.png": picture("TIFF"),
    "photo.tiff": picture("TIFF"),
    "huge.png": png_claiming(9_000, 9_000),
    "bomb.png": png_claiming(50_000, 50_000),
    "cut.jpg": picture("JPEG", size=(64, 64))[:300],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_one_sentence(ends: Callable[[bytes, str], Ended], name: str) -> None:
    began = time.monotonic()
    status, said = ends(HOSTILE[name], name)
    assert status == 2
    assert_one_sentence(said)
    assert time.monotonic() - began < 3


def assert_one_sentence(said: str) -> None:
    assert said.startswith("predict.py: ")
    assert len(said.strip().splitlines()) == 1, said
    assert said.strip().endswith(".")


def test_a_postscript_file_is_never_handed_to_another_program(
    ends: Callable[[bytes, str], Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    def started(*_: object) -> None:
        raise AssertionError("Pillow looked for Ghostscript")

    monkeypatch.setattr(EpsImagePlugin, "has_ghostscript", started)
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", started)
    status, said = ends(HOSTILE["postscript.png"], "postscript.png")
    assert status == 2
    assert "PNG, JPEG, BMP, GIF or WEBP".lower() in said.lower()


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    ends: Callable[[bytes, str], Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = len(X) + len(Y)
    monkeypatch.setattr(common, "MOST_BYTES", unpacked)
    assert ends(DEFLATED, "whole.npz")[0] == 0
    monkeypatch.setattr(common, "MOST_BYTES", unpacked - 1)
    status, said = ends(DEFLATED, "whole.npz")
    assert status == 2
    assert "unpacks to more" in said


def survive(ends: Callable[[bytes, str], Ended], numbers: range) -> int:
    """How many of the numbered mutations were refused; each in one sentence."""
    refused = 0
    for number in numbers:
        status, said = ends(mutate((STORED, DEFLATED)[number % 2], np.random.default_rng(number)), "m.npz")
        assert status in (0, 2), number
        if status:
            refused += 1
            assert_one_sentence(said)
    return refused


@pytest.mark.slow
def test_a_thousand_mutated_npz_end_well(ends: Callable[[bytes, str], Ended]) -> None:
    assert survive(ends, range(1000)) > 300


@pytest.mark.long
def test_eight_thousand_mutated_npz_end_well(ends: Callable[[bytes, str], Ended]) -> None:
    assert survive(ends, range(1000, 9000)) > 2400
