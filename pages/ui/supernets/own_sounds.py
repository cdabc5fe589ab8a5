"""A visitor's own sounds on a form."""

from __future__ import annotations

from typing import Any

from pages.ui.supernets.own_upload import Looked, OwnData, own_upload

NAME = "sounds"
MOST_SOUNDS_MB = 64


def own_sounds() -> dict[str, Any] | None:
    """The data choice for sounds of one's own; None until there are some that can be used."""
    return own_upload(_OWN)


def _keep(data: bytes, config: dict[str, Any]) -> Any:
    from core.datasets.sounds import keep_sounds

    return keep_sounds(data, **config)


def _look(read: Any, config: dict[str, Any]) -> Looked:
    from core.datasets.sounds import some_envelopes, sounds_found
    from core.plots.waveforms import waveform_pictures

    found, some = sounds_found(read, **config), some_envelopes(read)
    return Looked(found, waveform_pictures(some.ends), some.labels)


_OWN = OwnData(
    name=NAME,
    types=("zip",),
    most_mb=MOST_SOUNDS_MB,
    hint="A zip with one folder of .wav files per class, or with files named like 7_jackson_32.wav: class, speaker, number.",
    empty="A zip with one folder of .wav files per class, or files named class_speaker_number.wav.",
    settings="Rate, length, split and limits",
    keep=_keep,
    look=_look,
    side=64,
    caption="Some clips of each class as networks get them: loudness from left to right.",
)
