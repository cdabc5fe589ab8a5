"""A visitor's own images on the training form: chosen, read once, and shown what was found in them."""

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

    from core.datasets.uploads import Upload

NAME = "images"
MOST_IMAGES_MB = 16
_READ = "train-images-read"
_MOST_PICTURES, _SIDE = 48, 40


def own_images() -> dict[str, Any] | None:
    """The data choice for images of one's own; None until there are some that can be used."""
    file = st.file_uploader(
        "Your images",
        type=["zip", "npz"],
        key="train-images",
        max_upload_size=MOST_IMAGES_MB,
        help="A zip with one folder per class, or a .npz with arrays x (n, h, w[, c]) and y.",
    )
    if file is None:
        st.caption(
            "A zip with one folder of pictures per class. What it holds is shown before anything starts."
        )
        return None
    # The first look proposes a size and channels; whoever changes them gets the images read anew.
    first = _read_once(file, {})
    if isinstance(first, str):
        st.error(for_markdown(first, 600), icon=":material/block:")
        return None
    # A key of each file's own: what is proposed is that of the file just chosen.
    with st.expander("Size, channels, split and limits"):
        config = config_form(
            DATASETS.get(NAME).Config,
            f"train-images-set-{file.file_id}",
            skip=("upload", "path"),
            start=first.summary.proposed.model_dump(),
        )
    read = _read_once(file, config)
    if isinstance(read, str):
        st.error(for_markdown(read, 600), icon=":material/block:")
        return None
    _show(read, config)
    return {"name": NAME, "seed": 0, "config": {**config, "upload": read.upload_id}}


def _read_once(file: UploadedFile, config: dict[str, Any]) -> Upload | str:
    """The file as it was read with these settings, or why it is refused; a rerun asks nobody again."""
    known: dict[str, Upload | str] = st.session_state.setdefault(_READ, {})
    key = json.dumps([file.file_id, config], sort_keys=True)
    if key in known:
        return known[key]
    from core.datasets.images import keep_upload

    found: Upload | str
    try:
        with st.spinner("Reading the images."):
            found = keep_upload(file.getvalue(), **config)
    except Busy as error:
        return str(error)
    except CoreError as error:
        found = str(error)
    if not any(name.startswith(json.dumps([file.file_id])[:-1]) for name in known):
        known.clear()
    known[key] = found
    return found


def _show(read: Upload, config: dict[str, Any]) -> None:
    """What the upload holds, before anything starts."""
    from core.datasets import uploads
    from core.datasets.images import found_in
    from core.plots.pictures import image_strip

    try:
        found = found_in(read, **config)
        _, sheet = uploads.beside(read)
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/block:")
        return
    with st.container(border=True, key="data-found"):
        show_found(found)
        each = max(1, _MOST_PICTURES // len(set(sheet.labels)))
        rows = [at for at, label in enumerate(sheet.labels) if sheet.labels[:at].count(label) < each]
        st.html(image_strip(sheet.images[rows], [sheet.labels[at] for at in rows], size=_SIDE))
        st.caption("Some images of each class, as networks get them.")
