"""WAV files of every kind, written by hand."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import numpy as np


def wav(samples: Any, rate: int = 8000, *, bits: int = 16, extensible: bool = False) -> bytes:
    """A WAV file of (n, channels) whole numbers of so many bits; those of 8 bits are unsigned."""
    n, channels = samples.shape
    wide = np.ascontiguousarray(samples, np.uint8 if bits == 8 else "<i4")
    if bits in (16, 24):
        numbers = wide.view(np.uint8).reshape(n, channels, 4)[..., : bits // 8].tobytes()
    else:
        numbers = wide.tobytes()
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else 1, channels, rate, rate * block, block, bits)
    if extensible:
        form += (
            struct.pack("<HHIH", 22, bits, 0, 1) + b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
        )
    chunks = chunk(b"fmt ", form) + chunk(b"LIST", b"odd") + chunk(b"data", numbers)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def chunk(name: bytes, content: bytes) -> bytes:
    """A piece of a RIFF file."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def tone(frequency: float, rate: int = 8000, seconds: float = 0.3, loud: float = 0.5) -> Any:
    """(n, 1) 16-bit samples of a sine."""
    t = np.arange(int(rate * seconds)) / rate
    return np.round(loud * 32767 * np.sin(2 * np.pi * frequency * t)).astype(np.int16)[:, None]


def sound_zip(names: dict[str, bytes]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    return buffer.getvalue()
