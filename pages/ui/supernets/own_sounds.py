"""A visitor's own sounds on the training form: chosen, read once, and shown what was found in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.datasets import DATASETS
from core.errors import Busy, CoreError
from core.text import for_markdown
from pages.ui.forms import config_form
from pages.ui.supernets.data_found import show_found

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.datasets.sounds import KeptSounds

NAME = "sounds"
MOST_SOUNDS_MB = 64
_READ = "train-sounds-read"
_SIDE = 64


def own_sounds() -> dict[str, Any] | None:
    """The data choice for sounds of one's own; None until there are some that can be used."""
    file = st.file_uploader(
        "Your sounds",
        type=["zip"],
        key="train-sounds",
        max_upload_size=MOST_SOUNDS_MB,
        help="A zip with one folder of .wav files per class, or with files named like 7_jackson_32.wav: "
        "class, speaker, number.",
    )
    if file is None:
        st.caption(
            "A zip with one folder of .wav files per class, or files named class_speaker_number.wav. "
            "What it holds is shown before anything starts."
        )
        return None
    # The first look proposes a rate and a length; whoever changes them gets the sounds read anew.
    first = _read_once(file, {})
    if isinstance(first, str):
        st.error(for_markdown(first, 600), icon=":material/block:")
        return None
    with st.expander("Rate, length, split and limits"):
        config = config_form(
            DATASETS.get(NAME).Config,
            f"train-sounds-set-{file.file_id}",
            skip=("upload", "path"),
            start=first.summary.proposed.model_dump(),
        )
    read = _read_once(file, config)
    if isinstance(read, str):
        st.error(for_markdown(read, 600), icon=":material/block:")
        return None
    _show(read, config)
    return {"name": NAME, "seed": 0, "config": {**config, "upload": read.upload_id}}


def _read_once(file: UploadedFile, config: dict[str, Any]) -> KeptSounds | str:
    """The file as it was read with these settings, or why it is refused; a rerun asks nobody again."""
    known: dict[str, KeptSounds | str] = st.session_state.setdefault(_READ, {})
    key = json.dumps([file.file_id, config], sort_keys=True)
    if key in known:
        return known[key]
    from core.datasets.sounds import keep_sounds

    found: KeptSounds | str
    try:
        with st.spinner("Reading the sounds."):
            found = keep_sounds(file.getvalue(), **config)
    except Busy as error:
        return str(error)
    except CoreError as error:
        found = str(error)
    if not any(name.startswith(json.dumps([file.file_id])[:-1]) for name in known):
        known.clear()
    known[key] = found
    return found


def _show(read: KeptSounds, config: dict[str, Any]) -> None:
    """What the upload holds, before anything starts."""
    from core.datasets.sounds import some_envelopes, sounds_found
    from core.plots.pictures import image_strip
    from core.plots.waveforms import waveform_pictures

    try:
        found, some = sounds_found(read, **config), some_envelopes(read)
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/block:")
        return
    with st.container(border=True, key="data-found"):
        show_found(found)
        st.html(image_strip(waveform_pictures(some.ends), some.labels, size=_SIDE))
        st.caption("Some clips of each class as networks get them: loudness from left to right.")
