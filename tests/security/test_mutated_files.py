"""Two thousand accidents to real files: each is read, or refused in one sentence. Nothing else.

The mutator is seeded, so a failure names the number that repeats it.
"""

from __future__ import annotations

import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.datasets.idx import read_idx
from core.datasets.images import load_images
from core.datasets.npz import images_from_npz
from core.datasets.pictures import decode_picture
from core.errors import InvalidInput
from core.networks.untrusted_files import load_tensors, refuse_reason
from tests.helpers.memory import growth
from tests.security.hostile_files import mutate, npz, picture, picture_zip, plain_sentence


def weights() -> bytes:
    from safetensors.numpy import save

    rng = np.random.default_rng(0)
    tensors = {f"stages.{n}.weight": rng.normal(size=(3, n + 1)).astype(np.float32) for n in range(4)}
    return save({**tensors, "count": np.array(3)}, metadata={"paretoscope": '{"family": "elastic_cnn"}'})


def read_weights(data: bytes) -> None:
    reason = refuse_reason(data, "model.safetensors")
    assert reason is None or plain_sentence(reason), reason
    load_tensors(data)


def read_picture(data: bytes) -> None:
    pixels, _ = decode_picture(data, "cat/1.png", size=8, channels=3)
    assert pixels.shape == (3, 8, 8)


def read_arrays(data: bytes) -> None:
    raw = images_from_npz(data)
    assert len(raw.x) == len(raw.y)


def read_zip(data: bytes) -> None:
    dataset = load_images(data, size=8)
    assert np.isfinite(dataset.train.x).all()


IDX = struct.pack(">HBB3I", 0, 8, 3, 4, 5, 6) + bytes(120)

CASES: dict[str, tuple[Callable[[], bytes], Callable[[bytes], None], int]] = {
    "safetensors": (weights, read_weights, 700),
    "npz stored": (npz, read_arrays, 300),
    "zip stored": (picture_zip, read_zip, 250),
    "zip deflated": (lambda: picture_zip(packing=zipfile.ZIP_DEFLATED), read_zip, 150),
    "png": (lambda: picture("PNG"), read_picture, 200),
    "jpeg": (lambda: picture("JPEG"), read_picture, 150),
    "webp": (lambda: picture("WEBP"), read_picture, 150),
    "bmp": (lambda: picture("BMP"), read_picture, 150),
}
SLOWEST_SECONDS = 5.0


def survive(original: bytes, read: Callable[[bytes], None], numbers: range) -> int:
    """How many of the numbered mutations were refused; each within seconds and in one plain sentence."""
    messages: list[tuple[int, str]] = []
    for number in numbers:
        data = mutate(original, np.random.default_rng(number))
        began = time.monotonic()
        try:
            read(data)
        except InvalidInput as error:
            messages.append((number, str(error)))
        except Exception as error:
            raise AssertionError(f"mutation {number} raised {error!r}") from error
        assert time.monotonic() - began < SLOWEST_SECONDS, number
    assert [pair for pair in messages if not plain_sentence(pair[1])] == []
    return len(messages)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_mutated_file_is_read_or_refused(case, untouched):
    make, read, n = CASES[case]
    original = make()
    read(original)
    with growth() as grown:
        refused = survive(original, read, range(n))
    assert refused > n // 20, "the accidents must do damage"
    assert grown() < 100 * 2**20


def test_mutated_idx_files(tmp_path):
    path: Path = tmp_path / "images-ubyte"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        read_idx(path)

    assert survive(IDX, read, range(200)) > 60, "the accidents must do damage"


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_many_more_mutated_files(case, untouched):
    make, read, n = CASES[case]
    survive(make(), read, range(10_000, 10_000 + 30 * n))
