"""Sound files as numbers: WAV read by hand, brought to one rate and one length. NumPy and the standard library alone.

Written out again into the predict.py of a download, so that a network hears a file as it heard its training data.
Only uncompressed PCM of 8, 16, 24 or 32 bits is read; Python's own `wave` refuses the header that recorders write
before 24 bits, and believes sizes. What is wrong with a file is a `ValueError` of one plain sentence.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

RATES = (1_000, 192_000)
"""Samples per second that a file may have."""
MOST_CHANNELS = 8
MOST_SAMPLES = 20_000_000
"""Of one file, all channels together: seven minutes of studio sound."""
_PCM, _EXTENSIBLE = 1, 0xFFFE
_EDGE = 64
_MOST_CHUNKS = 100


def wave_header(data: bytes) -> tuple[int, int, int, int]:
    """(rate, channels, bytes of a number, samples of a channel) of a WAV file's bytes.

    Raises:
        ValueError: it is no WAV file of plain numbers, or is cut short.
    """
    rate, channels, width, _, size = _parts(data)
    return rate, channels, width, size // (width * channels)


def read_wave(data: bytes) -> tuple[Any, int]:
    """(samples,) float32 from -1 to 1, the mean of the file's channels, and its samples per second.

    Raises:
        ValueError: as `wave_header`.
    """
    rate, channels, width, start, size = _parts(data)
    n = size // (width * channels)
    raw = np.frombuffer(data, np.uint8, n * width * channels, start)
    if width == 1:  # the only unsigned one
        numbers = (raw.astype(np.float32) - 128) / np.float32(128)
    elif width == 3:
        wide = np.zeros((n * channels, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        numbers = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    else:
        numbers = raw.view(f"<i{width}").astype(np.float32) / np.float32(2 ** (8 * width - 1))
    return numbers.reshape(n, channels).mean(1, dtype=np.float32), rate


def resampled(samples: Any, rate: int, wanted: int) -> Any:
    """(samples,) float32 at another rate: what lies above half the new rate is left out.

    By the discrete Fourier transform: exact for what both rates can hold.

    Args:
        samples: (n,) at `rate` samples per second.
        rate, wanted: samples per second.
    """
    if rate == wanted or not len(samples):
        return samples
    step = rate // math.gcd(rate, wanted)
    # The transform goes round in a circle: silence at the end keeps it from the beginning.
    n = -(-(len(samples) + _EDGE) // step) * step
    made = n * wanted // rate
    spectrum = np.fft.rfft(samples.astype(np.float64), n)
    kept = min(len(spectrum), made // 2 + 1)
    moved = np.zeros(made // 2 + 1, np.complex128)
    moved[:kept] = spectrum[:kept]
    length = max(1, round(len(samples) * wanted / rate))
    return (np.fft.irfft(moved, made)[:length] * (made / n)).astype(np.float32)


def fitted(samples: Any, length: int) -> Any:
    """(length,) float32: cut to its loudest stretch, or silence (zeros) around it."""
    n = len(samples)
    if n > length:
        energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
        start = int(np.argmax(energy[length:] - energy[: n - length + 1]))
        return np.ascontiguousarray(samples[start : start + length])
    made = np.zeros(length, np.float32)
    start = (length - n) // 2
    made[start : start + n] = samples
    return made


def _parts(data: bytes) -> tuple[int, int, int, int, int]:
    """(rate, channels, bytes of a number, where the numbers start, how many bytes of them)."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("it is not a WAV file")
    at, form = 12, (0, 0, 0)
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(data):
            break
        name, (size,) = data[at : at + 4], struct.unpack_from("<I", data, at + 4)
        at += 8
        if name == b"fmt " and 16 <= size <= len(data) - at:
            form = _form(data[at : at + size])
        elif name == b"data" and form[0]:
            rate, channels, width = form
            if size > len(data) - at:
                break
            if size < width * channels:
                raise ValueError("it holds no sound")
            if size > MOST_SAMPLES * width:
                raise ValueError(f"it holds more than {MOST_SAMPLES:,} samples")
            return rate, channels, width, at, size
        at += size + size % 2
    raise ValueError("its sound is missing or cut short")


def _form(header: bytes) -> tuple[int, int, int]:
    """(rate, channels, bytes of a number) of a format chunk."""
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", header)
    if kind == _EXTENSIBLE and len(header) >= 26:
        (kind,) = struct.unpack_from("<H", header, 24)
    if kind != _PCM or bits not in (8, 16, 24, 32):
        raise ValueError("its sound is packed: save it as PCM of 8, 16, 24 or 32 bits")
    if not 1 <= channels <= MOST_CHANNELS or block != channels * bits // 8:
        raise ValueError(f"it has {channels} channels; 1 to {MOST_CHANNELS} are read")
    if not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"it has {rate:,} samples per second; {RATES[0]:,} to {RATES[1]:,} are read")
    return rate, channels, bits // 8
