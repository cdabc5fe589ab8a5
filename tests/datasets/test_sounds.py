"""A person's own sounds: class folders or names that say the class, decoded once in another process, and told."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.cli import own_data
from core.datasets import load_dataset, uploads
from core.datasets.sound_archive import decode_sounds, envelopes, holds_sounds
from core.datasets.sounds import keep_sounds, some_envelopes, sounds_found
from core.datasets.waves import fitted, read_wave
from core.errors import InvalidInput
from tests.datasets.test_uploads import gray_zip
from tests.helpers.sounds import sound_zip, tone, wav


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    uploads._refused.clear()
    return tmp_path / "home"


def clip(number: int, rate: int = 8000, seconds: float = 0.25) -> bytes:
    return wav(tone(200 + 20 * number, rate, seconds), rate)


FOLDERS = {f"all/{name}/{n}.wav": clip(n) for name in ("low", "high") for n in range(8)}
NAMED = {f"recordings/{digit}_{who}_{n}.wav": clip(n) for digit in (0, 7) for who in "ab" for n in range(5)}


def test_folders_are_classes_and_the_samples_are_those_of_the_files() -> None:
    raw, summary = decode_sounds(sound_zip(FOLDERS), rate=8000, milliseconds=300)
    assert raw.classes == ("high", "low")
    assert raw.x.shape == (16, 1, 2400)
    for row, name in enumerate(sorted(FOLDERS)):
        np.testing.assert_array_equal(raw.x[row, 0], fitted(read_wave(FOLDERS[name])[0], 2400))
    assert summary.counts == {"high": 8, "low": 8}


def test_names_are_classes_where_all_lie_in_one_folder() -> None:
    raw, summary = decode_sounds(sound_zip(NAMED | {"recordings/odd.wav": clip(1)}))
    assert raw.classes == ("0", "7")
    assert np.bincount(raw.y).tolist() == [10, 10]
    assert [(each.reason, each.count) for each in summary.skipped] == [
        ("not named class_speaker_number.wav", 1)
    ]


def test_rate_and_length_are_proposed_from_what_came() -> None:
    files = FOLDERS | {"all/low/long.wav": clip(1, 44_100, 3.0)}
    _, summary = decode_sounds(sound_zip(files))
    assert summary.proposed.model_dump() == {"rate": 8000, "milliseconds": 800}
    assert (summary.rate, summary.length) == (8000, 6400)
    assert summary.rates == ((8000, 16), (44_100, 1))
    assert (summary.shortest, summary.longest, summary.cut) == (0.25, 3.0, 1)
    fast = {name: clip(n % 8, 22_050) for n, name in enumerate(FOLDERS)}
    assert decode_sounds(sound_zip(fast))[1].proposed.rate == 8000, "no higher than small networks need"
    slow = {name: clip(n % 8, 4000) for n, name in enumerate(FOLDERS)}
    assert decode_sounds(sound_zip(slow))[1].proposed.rate == 4000


def test_what_is_left_out_is_named_with_its_reason() -> None:
    files = FOLDERS | {
        "all/low/notes.txt": b"x",
        "lonely.wav": clip(1),
        "all/low/half.wav": clip(1)[:-100],
        "all/low/text.wav": b"hello",
        "__MACOSX/all/low/._1.wav": b"x",
        "all/.DS_Store": b"x",
    }
    _, summary = decode_sounds(sound_zip(files))
    assert {each.reason: each.examples for each in summary.skipped} == {
        "no .wav file by name": ("all/low/notes.txt",),
        "in no class folder": ("lonely.wav",),
        "its sound is missing or cut short": ("all/low/half.wav",),
        "it is not a WAV file": ("all/low/text.wav",),
    }
    assert sum(summary.counts.values()) == 16


def test_an_upload_is_decoded_in_another_process_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    plain = uploads.run_confined
    monkeypatch.setattr(uploads, "run_confined", lambda *a: started.append(a[2]) or plain(*a))
    data = sound_zip(FOLDERS)
    kept = keep_sounds(data)
    again = keep_sounds(data)
    assert (kept.rate, kept.milliseconds) == (8000, 250)
    assert again == kept
    there = load_dataset(
        "sounds", upload=kept.upload_id, rate=8000, milliseconds=250, validation_fraction=0.25, seed=3
    )
    assert started == [{"rate": None, "milliseconds": None}]
    raw, _ = decode_sounds(data, rate=8000, milliseconds=250)
    ids = there.train.ids
    np.testing.assert_array_equal(there.train.x, raw.x[ids])
    assert there.inputs == {"input_shape": (1, 2000), "rate": 8000}
    found = sounds_found(kept, validation_fraction=0.25, seed=3)
    assert found.total("train") == len(there.train)
    assert found.samples == "clips"
    assert "0.25 seconds" in found.facts[1]
    assert some_envelopes(kept).ends.shape == (8, 2, 64)


def test_refusals_say_what_to_do_and_are_remembered() -> None:
    one_class = sound_zip({f"low/{n}.wav": clip(n) for n in range(8)})
    few = sound_zip({name: data for name, data in FOLDERS.items() if "low" in name or "0" in name})
    for data, says in (
        (one_class, "in one class"),
        (few, "of the 5 sounds that each class needs"),
        (b"hello", "not a zip"),
    ):
        for _ in range(2):
            with pytest.raises(InvalidInput, match=says):
                keep_sounds(data)


def test_a_bomb_is_refused_by_its_directory() -> None:
    silence = wav(np.zeros((4_000_000, 1), np.int16))
    with pytest.raises(InvalidInput, match="100 times its size"):
        decode_sounds(sound_zip(FOLDERS | {"all/low/bomb.wav": silence}))


def test_too_much_sound_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.datasets.sound_archive.MAX_TOTAL_SAMPLES", 10_000)
    with pytest.raises(InvalidInput, match="too many samples"):
        decode_sounds(sound_zip(FOLDERS))
    monkeypatch.undo()
    monkeypatch.setattr("core.datasets.sound_archive.MAX_ARRAY_BYTES", 100_000)
    with pytest.raises(InvalidInput, match="lower rate or a shorter length"):
        decode_sounds(sound_zip(FOLDERS))


def test_a_zip_says_itself_whether_it_holds_sounds_or_images() -> None:
    assert holds_sounds(sound_zip(FOLDERS | {"readme.txt": b"x"}))
    assert not holds_sounds(gray_zip())


def test_copies_among_training_and_test_are_counted() -> None:
    same = {name: clip(3) for name in FOLDERS}
    kept = keep_sounds(sound_zip(same))
    assert kept.summary.repeated == 15
    assert (sounds_found(kept).across or 0) > 0


def test_envelopes_reach_as_far_as_the_sound() -> None:
    x = np.zeros((1, 128), np.float32)
    x[0, 10], x[0, 127] = 0.5, -0.25
    [(low, high)] = envelopes(x)
    assert (high[5], low[63]) == (0.5, -0.25)
    assert np.count_nonzero(low) + np.count_nonzero(high) == 2


def test_on_the_command_line_a_zip_of_sounds_is_told_and_chosen(tmp_path: Path) -> None:
    path = tmp_path / "digits.zip"
    path.write_bytes(sound_zip(NAMED))
    chosen = own_data.choice(str(path))
    assert chosen["name"] == "sounds"
    lines = list(own_data.told(chosen))
    assert lines[0] == "20 clips in 2 classes."
    assert own_data.choice(str(path), rate=4000)["config"]["rate"] == 4000
    with pytest.raises(InvalidInput, match="holds sounds, which have no --size"):
        own_data.choice(str(path), size=8)
    pets = tmp_path / "pets.zip"
    pets.write_bytes(gray_zip())
    with pytest.raises(InvalidInput, match="holds images, which have no --rate"):
        own_data.choice(str(pets), rate=8000)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 20
