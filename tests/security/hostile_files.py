"""Builders of honest and hostile files, shared by the tests of this folder."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (12, 9), seed: int = 0, **options: Any) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


class Undated(zipfile.ZipFile):
    """A zip to write to whose members bear no time of day: what is built twice has the same bytes."""

    def __init__(self, buffer: io.BytesIO, packing: int = zipfile.ZIP_STORED) -> None:
        super().__init__(buffer, "w", packing)

    def add(self, name: str, data: bytes) -> None:
        self.writestr(zipfile.ZipInfo(name), data, self.compression)


def picture_zip(
    extra: Callable[[zipfile.ZipFile], None] | None = None, packing: int = zipfile.ZIP_STORED
) -> bytes:
    """Two classes of six small pictures in four formats; `extra` adds the hostile part."""
    buffer = io.BytesIO()
    kinds = [("PNG", "png"), ("JPEG", "jpg"), ("BMP", "bmp"), ("WEBP", "webp")]
    with Undated(buffer, packing) as archive:
        for name in ("cat", "dog"):
            for number in range(6):
                kind, ending = kinds[number % 4]
                archive.add(f"{name}/{number}.{ending}", picture(kind, seed=number))
        if extra is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "Duplicate name"
                extra(archive)
    return buffer.getvalue()


def with_member(name: str, data: bytes | None = None, mode: int | None = None, **options: Any) -> bytes:
    """The honest zip plus one member of any name and file mode."""

    def extra(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        if mode is not None:
            info.create_system = 3
            info.external_attr = mode << 16
        archive.writestr(info, picture() if data is None else data, **options)

    return picture_zip(extra)


def npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def raw_npy(header: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy with any header text."""
    text = header.encode("latin-1") + b"\n"
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def npz_of(members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def image_arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    arrays = {"x": rng.integers(0, 256, (20, 8, 8), dtype=np.uint8), "y": np.arange(20) % 2}
    return {name: array for name, array in {**arrays, **changes}.items() if array is not None}


def npz(**changes: Any) -> bytes:
    return npz_of({f"{name}.npy": npy(np.asarray(array)) for name, array in image_arrays(**changes).items()})


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A .safetensors file with any header: an object, or the bytes themselves."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(shape: Any = (2,), offsets: Any = (0, 8), dtype: Any = "F32", **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


def png_claiming(width: int, height: int) -> bytes:
    """A tiny PNG whose header claims any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four small accidents: flips, extreme numbers, cuts, repeats, insertions."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if not out:
            break
        at = int(rng.integers(len(out)))
        span = int(rng.integers(1, 33))
        match int(rng.integers(7)):
            case 0:
                out[at] ^= 1 << int(rng.integers(8))
            case 1:
                out[at] = int(rng.integers(256))
            case 2:
                extreme = [0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**62, 2**64 - 1][
                    int(rng.integers(10))
                ]
                width = (1, 2, 4, 8)[int(rng.integers(4))]
                out[at : at + width] = (extreme & (256**width - 1)).to_bytes(width, "little")
            case 3:
                del out[at : at + span]
            case 4:
                out[at:at] = out[at : at + span]
            case 5:
                out[at:at] = rng.bytes(span)
            case _:
                if rng.random() < 0.3:
                    del out[at:]
    return bytes(out)


def plain_sentence(text: str, longest: int = 300) -> bool:
    """Whether a refusal is one readable line that gives no dangerous advice."""
    dangerous = any(
        word in text.lower() for word in ("weights_only", "traceback", "allow_pickle", "<", "\\x")
    )
    return 15 <= len(text) <= longest and text.endswith(".") and text.isprintable() and not dangerous
