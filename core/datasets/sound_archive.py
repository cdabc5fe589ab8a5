"""What an archive of sounds becomes: clips of one rate and length, and a summary of what was found in it.

A zip with one folder of .wav files per class, or files named like those of the Free Spoken Digit Dataset
(`7_jackson_32.wav`: class, speaker, number). Runs in a confined process (`sound_worker`) for uploads, and
directly for a file that a person names on the command line.
"""

from __future__ import annotations

import json
import re
import unicodedata
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from core.datasets.archives import ZipLimits, open_zip, read_member, shown
from core.datasets.base import OnProgress
from core.datasets.decoding import own_arrays
from core.datasets.found import Leavings, equal_rows
from core.datasets.found_sounds import SoundProposal, SoundSummary
from core.datasets.npz import checked_classes
from core.datasets.series import RawSeries
from core.datasets.waves import fitted, read_wave, resampled, wave_header
from core.errors import InvalidInput

LIMITS = ZipLimits(member_bytes=64 * 2**20)
ENDING = ".wav"
MAX_TOTAL_SAMPLES = 200_000_000
"""Of all sounds together, as they came: resampling takes seconds for every ten million."""
MAX_ARRAY_BYTES = 512 * 2**20
LENGTHS_MS = (50, 10_000)
_MOST_PROPOSED_RATE, _MOST_PROPOSED_MS, _STEP_MS = 8000, 2000, 50
_NAMED = re.compile(r"([^_/]{1,80})_[^_/]+_\d+\.wav", re.IGNORECASE)
_JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")
_MOST_CLASSES, _PER_CLASS, _COLUMNS = 12, 4, 64


@dataclass(frozen=True)
class _Sound:
    label: int
    info: zipfile.ZipInfo
    rate: int
    samples: int

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


@dataclass(frozen=True, eq=False)
class Envelopes:
    """Some clips of each class, as the lowest and highest sample of each of a few stretches.

    Attributes:
        ends: (k, 2, columns) float32: lowest, highest.
        labels: class name of each.
    """

    ends: NDArray[np.float32]
    labels: tuple[str, ...]


def holds_sounds(data: bytes) -> bool:
    """Whether a zip names more .wav files than any others of data; nothing is unpacked.

    Raises:
        InvalidInput: it is no zip that is accepted.
    """
    _, infos = open_zip(data, LIMITS)
    endings = Counter(
        PurePosixPath(info.filename).suffix.lower() for info in infos if not _junk(info.filename)
    )
    return endings[ENDING] > 0 and endings[ENDING] == max(endings.values())


def decode_sounds(
    data: bytes,
    *,
    rate: int | None = None,
    milliseconds: int | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[RawSeries, SoundSummary]:
    """The clips in an archive's bytes.

    Args:
        data: a .zip of sounds.
        rate: samples per second that networks get; None or 0: the most usual one, at most 8,000.
        milliseconds: length that networks get; None or 0: what nineteen of twenty clips fit into, at most 2,000.
        on_progress: called while decoding.

    Raises:
        InvalidInput: one sentence says what is refused and why.
    """
    archive, infos = open_zip(data, LIMITS)
    leavings = Leavings()
    sounds, classes = _sounds(archive, infos, leavings)
    proposed = _proposal(sounds)
    rate, milliseconds = rate or proposed.rate, milliseconds or proposed.milliseconds
    length = max(1, round(rate * milliseconds / 1000))
    if len(sounds) * length * 4 > MAX_ARRAY_BYTES:
        raise InvalidInput(
            f"{len(sounds):,} clips of {milliseconds:,} ms at {rate:,} samples per second take more than "
            f"{MAX_ARRAY_BYTES >> 20} MB; choose a lower rate or a shorter length."
        )
    x = np.empty((len(sounds), 1, length), np.float32)
    for row, sound in enumerate(sounds):
        if on_progress and row % 100 == 0:
            on_progress(row / len(sounds), "Reading the sounds.")
        samples, own = read_wave(read_member(archive, sound.info))
        x[row, 0] = fitted(resampled(samples, own, rate), length)
    y = np.array([sound.label for sound in sounds], np.int64)
    raw = RawSeries(x, y, classes, rate)
    return raw, _summary(raw, sounds, leavings, proposed)


def _sounds(
    archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], leavings: Leavings
) -> tuple[list[_Sound], tuple[str, ...]]:
    """Every sound that can be read, classes and files in alphabetical order, and the classes' names."""
    by_class = _by_class(infos, leavings)
    found: list[_Sound] = []
    for label, entries in enumerate(by_class.values()):
        for info in entries:
            try:
                rate, _, _, samples = wave_header(read_member(archive, info))
            except ValueError as error:
                leavings.add(str(error), shown(info.filename))
                continue
            found.append(_Sound(label, info, rate, samples))
    counts = np.bincount([sound.label for sound in found], minlength=len(by_class))
    classes = checked_classes(tuple(by_class), counts, samples="sounds")
    if sum(sound.samples for sound in found) > MAX_TOTAL_SAMPLES:
        raise InvalidInput(
            "The sounds have too many samples together; cut or resample them before uploading."
        )
    return found, classes


def _by_class(infos: list[zipfile.ZipInfo], leavings: Leavings) -> dict[str, list[zipfile.ZipInfo]]:
    waves = []
    for info in sorted(infos, key=lambda each: each.filename):
        if _junk(info.filename):
            continue
        if PurePosixPath(info.filename).suffix.lower() == ENDING:
            waves.append(info)
        else:
            leavings.add("no .wav file by name", shown(info.filename))
    if not waves:
        raise InvalidInput("The archive holds no sounds; give each class one folder of .wav files.")
    folders = {PurePosixPath(info.filename).parent.name for info in waves}
    # One folder of everything: then the names say the class.
    named = len(folders - {""}) < 2
    by_class: dict[str, list[zipfile.ZipInfo]] = {}
    for info in waves:
        path = PurePosixPath(info.filename)
        match = _NAMED.fullmatch(path.name)
        name = (match.group(1) if match else "") if named else path.parent.name
        if name:
            by_class.setdefault(unicodedata.normalize("NFC", name), []).append(info)
        else:
            reason = "not named class_speaker_number.wav" if named else "in no class folder"
            leavings.add(reason, shown(info.filename))
    if len(by_class) < 2:
        raise InvalidInput(
            "The sounds are in one class: make a folder per class, or name them class_speaker_number.wav."
        )
    return dict(sorted(by_class.items()))


def _junk(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts[0] in _JUNK or path.name in _JUNK or path.name.startswith(".")


def _proposal(sounds: list[_Sound]) -> SoundProposal:
    usual = Counter(sound.rate for sound in sounds).most_common(1)[0][0]
    longest = 1000 * float(np.quantile([sound.seconds for sound in sounds], 0.95))
    steps = max(1, int(np.ceil(longest / _STEP_MS)))
    return SoundProposal(
        rate=min(usual, _MOST_PROPOSED_RATE), milliseconds=min(steps * _STEP_MS, _MOST_PROPOSED_MS)
    )


def _summary(
    raw: RawSeries, sounds: list[_Sound], leavings: Leavings, proposed: SoundProposal
) -> SoundSummary:
    counts = np.bincount(raw.y, minlength=len(raw.classes))
    seconds = [sound.seconds for sound in sounds]
    same = equal_rows(raw.x)
    length = raw.x.shape[2]
    return SoundSummary(
        counts=dict(zip(raw.classes, counts.tolist(), strict=True)),
        rates=tuple(sorted(Counter(sound.rate for sound in sounds).items())),
        shortest=min(seconds),
        usual=float(np.median(seconds)),
        longest=max(seconds),
        cut=sum(round(each * raw.rate) > length for each in seconds),
        rate=raw.rate,
        length=length,
        skipped=leavings.records(),
        proposed=proposed,
        repeated=int((same != np.arange(len(same))).sum()),
        silent=int((raw.x == 0).all((1, 2)).sum()),
    )


def write_sounds(path: Path, raw: RawSeries, summary: SoundSummary) -> None:
    """Write clips and summary as one .npz, not packed; some envelopes and who equals whom beside them."""
    rows = [
        members[at]
        for label in range(min(len(raw.classes), _MOST_CLASSES))
        for members in [np.flatnonzero(raw.y == label)]
        for at in np.linspace(0, len(members) - 1, min(len(members), _PER_CLASS)).astype(int)
    ]
    with path.open("wb") as file:
        np.savez(
            file,
            x=raw.x,
            y=raw.y,
            classes=np.array(raw.classes),
            about=np.array(json.dumps(summary.model_dump(mode="json"))),
            same=equal_rows(raw.x),
            envelopes=envelopes(raw.x[rows, 0]),
            rows=np.array(rows, np.int64),
        )


def envelopes(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(k, 2, columns) lowest and highest sample of each stretch of (k, length) clips."""
    edges = np.linspace(0, x.shape[1], min(_COLUMNS, x.shape[1]) + 1).astype(int)[:-1]
    return np.stack([np.minimum.reduceat(x, edges, axis=1), np.maximum.reduceat(x, edges, axis=1)], 1)


def read_sounds(path: Path, *, with_clips: bool = True) -> tuple[RawSeries, SoundSummary]:
    """What `write_sounds` wrote; without clips `x` is empty: enough to count and to divide.

    Raises:
        InvalidInput: the file is damaged or of another version.
        FileNotFoundError: there is none.
    """
    with own_arrays(path) as arrays:
        summary = SoundSummary.model_validate_json(str(arrays["about"]))
        x = arrays["x"] if with_clips else np.empty((0, 1, summary.length), np.float32)
        return RawSeries(x, arrays["y"], tuple(map(str, arrays["classes"])), summary.rate), summary


def read_beside(path: Path) -> tuple[NDArray[np.int64], Envelopes]:
    """(n,) position of the first clip equal to each, and some envelopes.

    Raises:
        InvalidInput, FileNotFoundError: as `read_sounds`.
    """
    with own_arrays(path) as arrays:
        names = tuple(map(str, arrays["classes"]))
        labels = tuple(names[label] for label in arrays["y"][arrays["rows"]])
        return arrays["same"], Envelopes(arrays["envelopes"], labels)
