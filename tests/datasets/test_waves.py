"""WAV files as numbers: every kind of PCM, other rates, and files that lie."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from core.datasets.waves import fitted, read_wave, resampled, wave_header
from tests.helpers.sounds import chunk, tone, wav


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_every_width_gives_the_numbers_it_means(bits: int, extensible: bool) -> None:
    most = 2 ** (bits - 1)
    wanted = np.array([-1.0, -0.5, 0.0, 0.25, 0.5])
    numbers = (wanted * most).astype(np.int64) + (128 if bits == 8 else 0)
    data = wav(numbers[:, None], rate=11_025, bits=bits, extensible=extensible)
    samples, rate = read_wave(data)
    assert rate == 11_025
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, wanted, atol=1e-6)
    assert wave_header(data) == (11_025, 1, bits // 8, 5)


def test_channels_are_averaged() -> None:
    both = np.array([[8192, 16384], [-8192, 8192]], np.int16)
    np.testing.assert_allclose(read_wave(wav(both))[0], [0.375, 0.0])


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 8000), (8000, 16_000), (22_050, 8000), (16_000, 8000)])
def test_a_tone_stays_the_same_tone_at_another_rate(rate: int, wanted: int) -> None:
    samples, _ = read_wave(wav(tone(440, rate, 0.5), rate))
    found = resampled(samples, rate, wanted)
    assert len(found) == round(len(samples) * wanted / rate)
    t = np.arange(len(found)) / wanted
    middle = slice(len(found) // 8, -len(found) // 8)
    np.testing.assert_allclose(found[middle], 0.5 * np.sin(2 * np.pi * 440 * t)[middle], atol=0.01)


def test_what_the_lower_rate_cannot_hold_is_left_out_and_not_folded_down() -> None:
    samples, _ = read_wave(wav(tone(6000, 16_000, 0.5), 16_000))
    assert np.abs(resampled(samples, 16_000, 8000)[400:-400]).max() < 0.01
    assert np.abs(samples[::2]).max() > 0.4, "every other sample would fold it to 2,000 Hz"


def test_a_clip_is_cut_to_its_loudest_stretch_or_lies_in_silence() -> None:
    quiet = np.full(100, 0.01, np.float32)
    quiet[60:70] = 1
    np.testing.assert_array_equal(fitted(quiet, 10), np.ones(10, np.float32))
    np.testing.assert_array_equal(fitted(np.ones(4, np.float32), 8), [0, 0, 1, 1, 1, 1, 0, 0])
    np.testing.assert_array_equal(fitted(np.ones(5, np.float32), 5), np.ones(5))


def header(**changes: int) -> bytes:
    fields = {"kind": 1, "channels": 1, "rate": 8000, "bytes": 16_000, "block": 2, "bits": 16} | changes
    form = chunk(b"fmt ", struct.pack("<HHIIHH", *fields.values()))
    return b"RIFF\0\0\0\0WAVE" + form + chunk(b"data", b"\1\2" * 50)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a WAV"),
        (b"RIFF\0\0\0\0AVI ", "not a WAV"),
        (b"RIFF\0\0\0\0WAVE", "cut short"),
        (header(kind=3), "packed"),
        (header(bits=12), "packed"),
        (header(channels=0), "0 channels"),
        (header(channels=60_000), "60000 channels"),
        (header(block=7), "channels"),
        (header(rate=0), "0 samples per second"),
        (header(rate=4_000_000_000), "4,000,000,000 samples per second"),
        (header()[:-1], "cut short"),
        (header()[:-100] + b"", "cut short"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"data", b"1234"), "cut short"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"junk", b"") * 10_000, "cut short"),
        (wav(np.zeros((0, 1), np.int16)), "no sound"),
    ],
)
def test_what_cannot_be_read_is_one_plain_sentence(data: bytes, says: str) -> None:
    for read in (wave_header, read_wave):
        with pytest.raises(ValueError, match=says):
            read(data)


def test_a_size_that_lies_is_never_believed() -> None:
    data = bytearray(header())
    at = data.index(b"data") + 4
    for size in (101, 2**31, 2**32 - 1):
        data[at : at + 4] = struct.pack("<I", size)
        with pytest.raises(ValueError, match="cut short"):
            read_wave(bytes(data))


def test_a_thousand_damaged_files_end_plainly() -> None:
    rng = np.random.default_rng(0)
    whole = wav(tone(300, seconds=0.01), bits=16, extensible=True)
    read = 0
    for _ in range(1000):
        data = bytearray(whole[: int(rng.integers(1, len(whole) + 1))])
        for _ in range(int(rng.integers(1, 6))):
            data[int(rng.integers(min(80, len(data))))] = int(rng.integers(256))
        try:
            samples, _ = read_wave(bytes(data))
        except ValueError:
            continue
        read += 1
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() <= 1
    assert 0 < read < 1000
